"""What the operator is told, and what of the store that is judged by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from digestd.letters import Letter, Told


class Notices(Protocol):
    """What the operator is told."""

    def told(self) -> list[Told]:
        """Return what the operator was told of last, by key."""

    def tell(
        self, address: str, letter: Letter, told: Sequence[Told], edition: Callable[[int, str], str], snapshot: str,
        now: datetime,
    ) -> None:  # fmt: skip
        """Put a letter to the operator into the outbox, and keep what it tells.

        An address that is nobody's becomes a pending subscriber, who follows nothing and is sent nothing else.
        """

    def newest(self) -> datetime | None:
        """Return when the newest paper came, None where there is none."""

    def late(self, before: datetime) -> int:
        """Return how many editions wait that were composed before a moment, for people who may be mailed."""
