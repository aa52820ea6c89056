"""The papers of the last days, ready to be tried against what somebody types. All but `tasted` is synchronous.

Papers are analysed once, by a thread when they have come, or when the first visitor after that asks; what is tried
against them then is a matter of the papers it hits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache, partial

from digestd.match import rank
from digestd.match.query import Query, parse_query
from digestd.match.wanted import distinct
from digestd.match.window import Hits, Window
from digestd.model import Paper, Profile, StoredPaper, WeightedQuery
from digestd.publish.card import Card, card
from digestd.publish.marks import known_document, known_query
from digestd.store.base import Store
from digestd.web.threads import StoreThreads

DAYS = 7
MOST = 500  # papers: a week of a busy source; more would cost the first visitor seconds and the machine memory
SHOWN = 5
KEPT = timedelta(hours=1)  # that a paper may be shown past its last day
KNOWN = 512  # tastes, and hits of queries, that are kept while the papers are the same; a few kB each
FEW = 400  # characters of a profile's queries; as many terms as fit are tried on all papers in some milliseconds


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """A card that is shown to many. It is itself and like no other, so that what was drawn of it is found at once."""

    card: Card


@dataclass(frozen=True, slots=True, eq=False)
class Taste:
    """What a profile would have sent: the best cards, how many papers it hits, of how many, and hits by query.

    As with a sight, only the same one is equal to it.
    """

    cards: tuple[Sight, ...]
    hits: int
    papers: int
    by_query: tuple[tuple[str, int], ...]


# A paper, and the queries that hit it with their points, heaviest first.
_Hit = tuple[StoredPaper, list[tuple[WeightedQuery, float]]]


@dataclass(frozen=True, slots=True)
class _Shelf:
    """The papers that are tried, analysed, in order of arrival; as of when, and of which newest paper."""

    at: datetime
    newest: int
    stored: tuple[StoredPaper, ...]
    window: Window
    found: dict[str, Hits] = field(default_factory=dict)  # many ask for the same words
    tastes: dict[Profile, Taste] = field(default_factory=dict)  # a page shows what its reader has just tried

    def hits(self, query: str) -> Hits:
        """Return where a query hits, by the places of the papers. Raises QueryError."""
        hits = self.found.get(query)
        if hits is None:
            if len(self.found) >= KNOWN:
                self.found.clear()
            hits = self.found[query] = self.window.hits(_parsed(query))
        return hits

    def taste(self, profile: Profile) -> Taste:
        """Return what a profile would have sent."""
        taste = self.tastes.get(profile)
        if taste is None:
            if len(self.tastes) >= KNOWN:
                self.tastes.clear()
            taste = self.tastes[profile] = _taste(self, profile)
        return taste


class Sample:
    """The newest papers of a store, analysed once each."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._turn = threading.Lock()
        self._shelf: _Shelf | None = None

    def look(self) -> None:
        """Have the papers at hand, so that no visitor waits for them. Raises StoreError."""
        self._filled()

    def taste(self, profile: Profile) -> Taste:
        """Return what a profile would have sent. Raises StoreError, and QueryError for one that was not checked."""
        return self._filled().taste(profile)

    def quick_taste(self, profile: Profile) -> Taste | None:
        """Return the same, or None where it would take longer than an event loop should be held. Raises as `taste`."""
        asked = sum(len(query.query) for query in profile.queries) + sum(map(len, profile.exclude))
        shelf = self._current() if asked <= FEW else None
        return shelf.taste(profile) if shelf else None

    def found(self, profile: Profile) -> list[tuple[StoredPaper, tuple[str, ...]]]:
        """Return what a profile finds among the newest papers, and by which queries. Raises as `taste` does."""
        found = _hits(self._filled(), profile, _asked(profile))
        return [(stored, tuple(one.query for one, _ in hits)) for stored, hits in found]

    def _current(self) -> _Shelf | None:
        """Return the papers where they are at hand."""
        shelf, newest, now = self._shelf, self._store.papers.newest(), self._clock()
        return shelf if shelf and shelf.newest == newest and shelf.at <= now < shelf.at + KEPT else None

    def _filled(self) -> _Shelf:
        with self._turn:
            shelf = self._current()
            if shelf is None:
                shelf = self._shelf = self._read()
            return shelf

    def _read(self) -> _Shelf:
        now, newest = self._clock(), self._store.papers.newest()
        first = max(self._store.papers.first_since(now - timedelta(days=DAYS)), newest - MOST + 1)
        before = self._shelf
        known = zip(before.stored, before.window.documents, strict=True) if before else ()
        papers = [one for one in known if one[0].pk >= first]
        after = max(first - 1, before.newest if before else 0)
        for stored in self._store.papers.between(after, newest):
            papers.append((stored, known_document(stored.paper)))
            card(stored.paper, ())  # remembers what its card says to everybody, for when it is first shown
        return _Shelf(now, newest, tuple(stored for stored, _ in papers), Window(document for _, document in papers))


async def tasted(sample: Sample, threads: StoreThreads, profile: Profile) -> Taste:
    """Return what a profile would have sent, at once or by a thread. Raises as `Sample.taste` does."""
    quick = await threads.read(partial(sample.quick_taste, profile))
    return quick if quick is not None else await threads.run(partial(sample.taste, profile))


def _taste(shelf: _Shelf, profile: Profile) -> Taste:
    queries = _asked(profile)
    hits = _hits(shelf, profile, queries)
    counts = dict.fromkeys((asked.query for asked in queries), 0)
    for _, found in hits:
        for one, _ in found:
            counts[one.query] += 1
    rarity = {query: rank.rarity(number, len(shelf.stored)) for query, number in counts.items()}

    def order(hit: _Hit) -> tuple[float, int, str, str]:
        stored, found = hit
        parts = (rank.Part(one.query, one.weight, points, rarity[one.query]) for one, points in found)
        return rank.order(stored.paper, rank.standing(parts, stored))

    best = sorted(hits, key=order)[:SHOWN]
    cards = tuple(_sight(stored.paper, tuple(one.query for one, _ in found)) for stored, found in best)
    return Taste(cards, len(hits), len(shelf.stored), tuple(counts.items()))


def _asked(profile: Profile) -> list[WeightedQuery]:
    """Return the queries of a profile, heaviest first, each expression once."""
    return [asked for asked, _ in distinct(profile.queries, _parsed)]


def _hits(shelf: _Shelf, profile: Profile, queries: Iterable[WeightedQuery]) -> list[_Hit]:
    """Return the papers that a profile takes, of which these are the queries as asked, in order of arrival."""
    found: dict[int, list[tuple[WeightedQuery, float]]] = {}
    for asked in queries:
        for place, points in shelf.hits(asked.query):
            found.setdefault(place, []).append((asked, points))
    for text in profile.exclude if found else ():
        for place, _ in shelf.hits(text):
            found.pop(place, None)
    return [
        (shelf.stored[place], hits)
        for place, hits in sorted(found.items())
        if rank.total((one.weight, points) for one, points in hits) >= profile.min_score
    ]


def _parsed(text: str) -> Query:
    return known_query(text) or parse_query(text)  # which says what is wrong


@lru_cache(maxsize=512)  # the same words bring the same papers to many
def _sight(paper: Paper, queries: tuple[str, ...]) -> Sight:
    return Sight(card(paper, queries))
