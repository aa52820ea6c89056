"""What may be asked about profiles that wait for papers and not for an hour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from digestd.model import Profile


class Waiting(NamedTuple):
    """An immediate profile that has not looked at the newest papers: its content, and the newest one it looked at."""

    profile: int
    spec: int
    horizon: int


class Alerts(Protocol):
    """The immediate profiles of active subscribers, many at a time."""

    def waiting(self, newest: int) -> list[Waiting]:
        """Return those that looked at papers before, and not yet at all up to `newest`."""

    def profiles(self, specs: Iterable[int]) -> Mapping[int, Profile]:
        """Return the content of profiles by its number, without the name that each reader gave it."""

    def pass_over(self, waiting: Sequence[Waiting], newest: int) -> int:
        """Let profiles have looked at everything up to `newest` without anything for them; returns how many.

        One transaction. What has changed since it was read, the profile or its progress, stays as it is.
        """
