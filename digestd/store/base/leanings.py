"""What readers wanted more and less of, and what was learned of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from digestd.match.learn import Leaning, Opinion, Wish

Learn = Callable[[Iterable[Opinion], datetime], Leaning]


@dataclass(frozen=True, slots=True)
class Said:
    """How things stand with a reader: whether what they said moves their papers, what it came to, of how many."""

    active: bool
    leaning: Leaning | None
    opinions: int


class Leanings(Protocol):
    """What was learned of readers."""

    def of(self, subscribers: Iterable[int]) -> Mapping[int, Leaning]:
        """Return what was learned of these subscribers, of those only whose papers it may move."""

    def said(self, subscriber: int) -> Said:
        """Return how things stand with a subscriber."""

    def wishes(self, subscriber: int, edition: int) -> Mapping[int, Wish]:
        """Return what a subscriber said of the papers of an edition, by their places in it, from 0."""

    def say(
        self, subscriber: int, edition: int, place: int, wish: Wish | None, now: datetime, learn: Learn, most: int
    ) -> bool:
        """Note what a subscriber wants of papers like one of their edition, None to take it back, durably.

        `learn` makes of the newest `most` opinions what is then known of them; older ones are dropped. Returns whether
        anything changed: the same said again does not. Raises NotFound where the edition has no such paper.
        """

    def switch(self, subscriber: int, now: datetime, *, active: bool) -> None:
        """Let what was learned of a subscriber move their papers, or not; it is kept."""

    def reset(self, subscriber: int) -> int:
        """Drop what a subscriber said and what was learned of it. Returns the number of opinions."""
