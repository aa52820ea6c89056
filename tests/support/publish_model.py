"""Publishing as one would tell it: no store, no index, no transactions; slow and plain, to be agreed with.

Each profile remembers the last issue it had and how many papers it has looked at. Papers are (number, words); a
query is one word. Times are in UTC and without daylight saving, so that slots are plain arithmetic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from digestd.model import Cadence, Profile, Weekday
from digestd.publish.compose import MAX_TITLES

WEEK = timedelta(days=7)
DAY = timedelta(days=1)

Opened = tuple[Profile, bool, dict[str, float], list[int]]  # sent if empty; each word's rarity; the papers hit
Told = tuple[str, str, tuple[tuple[str, tuple[int, ...]], ...]]


@dataclass
class Progress:
    """How far a profile has come in one cadence: its last issue, and the papers it has looked at."""

    issue: str = ""
    began: int = 0
    looked: int | None = None


@dataclass
class Model:
    """Papers in order of arrival as (moment, number, words); people with their profiles; what each was told.

    `passed` are the papers that once stood past the cap and past the titles.
    """

    papers: list[tuple[datetime, int, frozenset[str]]] = field(default_factory=list)
    people: dict[str, list[Profile]] = field(default_factory=dict)
    active: set[str] = field(default_factory=set)
    progress: dict[tuple[str, str, Cadence], Progress] = field(default_factory=dict)
    editions: list[Told] = field(default_factory=list)
    told: dict[str, set[int]] = field(default_factory=dict)
    passed: dict[str, set[int]] = field(default_factory=dict)

    def publish(self, now: datetime) -> None:
        """Compose what is due, for everybody."""
        for email in sorted(self.active):
            due: dict[str, list[Opened]] = {}
            for profile in self.people[email]:
                for cadence in dict.fromkeys((Cadence.IMMEDIATE, profile.cadence)):
                    if words := _words(profile, cadence):
                        self._look(email, profile, cadence, words, now, due)
            for issue in sorted(due, key=lambda one: not one.startswith("immediate")):
                self._compose(email, issue, due[issue])

    def _look(
        self,
        email: str,
        profile: Profile,
        cadence: Cadence,
        words: set[str],
        now: datetime,
        due: dict[str, list[Opened]],
    ) -> None:
        state = self.progress.setdefault((email, profile.name, cadence), Progress())
        newest = len(self.papers)
        begin = state.looked
        if begin is None:
            recent = [place for place, (moment, _, _) in enumerate(self.papers) if moment >= now - WEEK]
            begin = recent[0] if recent else newest
        if cadence is Cadence.IMMEDIATE:
            if state.looked is not None and newest == state.looked:
                return
            issue = f"immediate:{newest:012}"
        else:
            issue = slot(profile, now)
            if issue <= state.issue:
                return
        if not state.issue:
            state.began = begin
        state.issue, state.looked = issue, newest
        hits = [number for _, number, said in self.papers[begin:] if words & said and not said & set(profile.exclude)]
        told = {word: sum(word in said for _, _, said in self.papers[begin:]) for word in words}
        rare = {word: 1 + math.log((newest - begin + 10) / (told[word] + 10)) for word in words}
        empty_too = profile.send_empty and cadence is not Cadence.IMMEDIATE
        due.setdefault(issue, []).append((profile, empty_too, rare, hits))

    def _compose(self, email: str, issue: str, opened: list[Opened]) -> None:
        sections = []
        told, passed = self.told.setdefault(email, set()), self.passed.setdefault(email, set())
        for profile, empty_too, rare, hits in opened:
            fresh = sorted({number for number in hits if number not in told})
            placed = self.best(fresh, rare)[: profile.max_papers + MAX_TITLES]
            passed.update(set(fresh) - set(placed))
            told.update(placed)
            if placed or empty_too:
                sections.append((profile.name, tuple(placed)))
        if sections:
            self.editions.append((email, issue, tuple(sections)))

    def best(self, numbers: list[int], rare: dict[str, float]) -> list[int]:
        """Return papers by the rarity of the profile's words in them, each once in the title; then by title."""
        said = {number: words for _, number, words in self.papers}

        def worth(number: int) -> int:
            return sum(round(2 * rare[word] * 10_000) for word in rare.keys() & said[number])

        return sorted(numbers, key=lambda number: (-worth(number), title(number, said[number])))


def title(number: int, words: frozenset[str]) -> str:
    """Return the title of a paper; the same for the store."""
    return f"{' '.join(sorted(words))} x{number:04}"


def slot(profile: Profile, now: datetime) -> str:
    """Return the key of the slot that came last."""
    names = list(Weekday)
    days = profile.days[:1] if profile.cadence is Cadence.WEEKLY else profile.days
    day: date = now.date()
    while names[day.weekday()] not in days or datetime.combine(day, profile.at, UTC) > now:
        day -= DAY
    if profile.cadence is Cadence.WEEKLY:
        return f"weekly:{day:%G-W%V}"
    return f"daily:{day}"


def _words(profile: Profile, cadence: Cadence) -> set[str]:
    own = {query.query for query in profile.queries} if profile.cadence is cadence else set()
    return own | set(profile.alert) if cadence is Cadence.IMMEDIATE else own
