"""What may be asked about search words as the program reads them: a newer one may read some of them no longer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from digestd.letters import Letter
from digestd.model import Profile


class Grammar(Protocol):
    """With which grammar the store's search words were read."""

    def last(self) -> str:
        """Return the name of the grammar with which all were read last, "" for none."""

    def read_with(self, name: str) -> None:
        """Note that all were read with this grammar."""

    def in_use(self, after: int, limit: int) -> list[tuple[int, Profile]]:
        """Return contents of active profiles by number, those after one of them."""

    def mend(
        self, spec: int, better: Profile, letter: Letter, edition: Callable[[int, str], str], snapshot: str, now: int
    ) -> int:
        """Put another content in the place of one, for everybody who follows it, each with a letter that says so.

        A profile of which no query is left is retired. Nobody is written to who left or was never confirmed. `now` is
        in Unix milliseconds. Returns how many people it concerns.
        """
