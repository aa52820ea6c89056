"""What a profile would have sent over the past days: what each query hits, and what it adds to the others.

Papers count on the day they came in, by the profile's time zone. What was really sent plays no part: a paper that was
announced long ago counts like any other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from digestd.match import rank
from digestd.match.document import analyse
from digestd.match.query import parse_query
from digestd.match.wanted import distinct
from digestd.match.window import Window
from digestd.model import Profile, StoredPaper, WeightedQuery

TOO_MANY = 1 / 3  # of all papers: a query that hits more does not choose
AT_A_TIME = 500  # papers analysed together: some sixty megabytes


@dataclass(frozen=True, slots=True)
class QueryYield:
    """What one query did: `hits` in all and by day, `alone` where no other query of the profile hits.

    `inside` names the others that hit wherever this one does, the narrowest first. `of` is the number of papers there
    were; `alert` tells a query that is published at once.
    """

    query: str
    weight: float
    alert: bool
    hits: int
    alone: int
    of: int
    days: tuple[int, ...]
    inside: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """What is to be said against the query; empty where it does its work."""
        if not self.hits:
            return "never hits"
        if self.hits > self.of * TOO_MANY:
            return f"hits {self.hits / self.of:.0%} of all papers"
        if self.alone or self.alert:  # an alert has another use: it comes at once
            return ""
        return f"adds no paper to {self.inside[0] if self.inside else 'the others together'}"


@dataclass(frozen=True, slots=True)
class Sent:
    """A paper that would have been sent."""

    id: str
    title: str
    day: date
    score: float
    queries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Backtest:
    """A profile over some days: how many papers came in and how many it would have sent, by day; and by query.

    `excluded` counts the papers that an exclusion alone took away, `below` those with too low a score.
    """

    profile: str
    days: tuple[date, ...]
    looked: tuple[int, ...]
    matched: tuple[int, ...]
    queries: tuple[QueryYield, ...]
    excluded: tuple[tuple[str, int], ...]
    below: int
    sent: tuple[Sent, ...]


def backtest(profile: Profile, papers: Iterable[StoredPaper], now: datetime, days: int) -> Backtest:
    """Return what a profile would have sent of papers that came in over the last `days` days. Raises QueryError."""
    zone = ZoneInfo(profile.timezone)
    today = now.astimezone(zone).date()
    dates = tuple(today - timedelta(days=back) for back in range(days - 1, -1, -1))
    tally = _Tally(profile, {day: place for place, day in enumerate(dates)}, zone)
    remaining = iter(papers)
    while chunk := list(islice(remaining, AT_A_TIME)):
        tally.add([stored for stored in chunk if tally.day(stored) in tally.places])
    return tally.result(dates)


class _Tally:
    def __init__(self, profile: Profile, places: dict[date, int], zone: ZoneInfo) -> None:
        self.places = places
        self._profile, self._zone = profile, zone
        own = {one.query for one in profile.queries}
        alerts = tuple(WeightedQuery(text) for text in profile.alert if text not in own)
        self._queries = distinct(profile.queries + alerts)
        self._alerts = set(profile.alert)
        self._exclusions = [(text, parse_query(text)) for text in profile.exclude]
        self._looked = [0] * len(places)
        self._matched = [0] * len(places)
        self._by_day = [[0] * len(places) for _ in self._queries]
        self._alone: Counter[int] = Counter()
        self._inside: dict[int, set[int]] = {}
        self._excluded: Counter[str] = Counter()
        self._below = 0
        self._sent: list[Sent] = []

    def day(self, stored: StoredPaper) -> date:
        return stored.ingested_at.astimezone(self._zone).date()

    def add(self, papers: list[StoredPaper]) -> None:
        """Count some papers, all of the days that are looked at."""
        window = Window(analyse(stored.paper) for stored in papers)
        found: dict[int, list[tuple[int, float]]] = {}
        for number, (_, query) in enumerate(self._queries):
            for place, worth in window.hits(query):
                found.setdefault(place, []).append((number, worth))
        excluded: dict[int, list[str]] = {}
        for text, place in self._taken_out(window):
            excluded.setdefault(place, []).append(text)
        for place, stored in enumerate(papers):
            day = self.day(stored)
            self._looked[self.places[day]] += 1
            if place in found:
                self._count(stored, day, found[place], excluded.get(place, []))

    def _taken_out(self, window: Window) -> Iterator[tuple[str, int]]:
        for text, query in self._exclusions:
            yield from ((text, place) for place, _ in window.hits(query))

    def _count(self, stored: StoredPaper, day: date, hits: list[tuple[int, float]], excluded: list[str]) -> None:
        at = self.places[day]
        numbers = {number for number, _ in hits}
        for number in numbers:
            self._by_day[number][at] += 1
            self._inside[number] = self._inside.get(number, numbers) & numbers
        if len(hits) == 1:
            self._alone[hits[0][0]] += 1
        score = rank.total((self._queries[number][0].weight, worth) for number, worth in hits)
        if len(excluded) == 1:
            self._excluded[excluded[0]] += 1
        if excluded:
            return
        if score < self._profile.min_score:
            self._below += 1
            return
        self._matched[at] += 1
        queries = tuple(self._queries[number][0].query for number, _ in hits)
        self._sent.append(Sent(stored.paper.id, stored.paper.title, day, score, queries))

    def result(self, dates: tuple[date, ...]) -> Backtest:
        looked = sum(self._looked)
        return Backtest(
            profile=self._profile.name,
            days=dates,
            looked=tuple(self._looked),
            matched=tuple(self._matched),
            queries=tuple(
                QueryYield(
                    query=asked.query,
                    weight=asked.weight,
                    alert=asked.query in self._alerts,
                    hits=sum(self._by_day[number]),
                    alone=self._alone[number],
                    of=looked,
                    days=tuple(self._by_day[number]),
                    inside=self._around(number),
                )
                for number, (asked, _) in enumerate(self._queries)
            ),
            excluded=tuple((text, self._excluded[text]) for text, _ in self._exclusions),
            below=self._below,
            sent=tuple(sorted(self._sent, key=lambda one: (-one.score, one.title))),
        )

    def _around(self, number: int) -> tuple[str, ...]:
        """Return the other queries that hit wherever this one does, the narrowest first."""
        others = self._inside.get(number, set()) - {number}
        return tuple(self._queries[one][0].query for one in sorted(others, key=lambda one: sum(self._by_day[one])))
