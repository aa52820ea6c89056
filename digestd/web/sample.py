"""The papers of the last days, ready to be tried against what somebody types. Synchronous: called in a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from digestd.match import rank
from digestd.match.document import Document, analyse
from digestd.match.query import parse_query
from digestd.match.wanted import distinct
from digestd.model import Profile, StoredPaper
from digestd.publish.card import Card, card
from digestd.store.base import Store

DAYS = 7
MOST = 500  # papers: a week of a busy source; more would cost the first visitor seconds and the machine memory
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Taste:
    """What a profile would have sent: the best cards, how many papers it hits, of how many, and hits by query."""

    cards: tuple[Card, ...]
    hits: int
    papers: int
    by_query: tuple[tuple[str, int], ...]


class Sample:
    """The newest papers of a store, analysed once each."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._turn = threading.Lock()
        self._known: dict[int, tuple[StoredPaper, Document]] = {}

    def taste(self, profile: Profile) -> Taste:
        """Return what a profile would have sent. Raises StoreError, and QueryError for one that was not checked."""
        papers = self._papers()
        counts = dict.fromkeys((query.query for query, _ in distinct(profile.queries)), 0)
        hits = [(stored.paper, queries, score) for stored, queries, score in _hits(papers, profile, counts)]
        hits.sort(key=lambda hit: rank.order(hit[0], hit[2]))
        cards = tuple(card(paper, queries) for paper, queries, _ in hits[:SHOWN])
        return Taste(cards, len(hits), len(papers), tuple(counts.items()))

    def found(self, profile: Profile) -> list[tuple[StoredPaper, tuple[str, ...]]]:
        """Return what a profile finds among the newest papers, and by which queries. Raises as `taste` does."""
        return [(stored, queries) for stored, queries, _ in _hits(self._papers(), profile, {})]

    def _papers(self) -> list[tuple[StoredPaper, Document]]:
        with self._turn:
            newest = self._store.papers.newest()
            first = max(self._store.papers.first_since(self._clock() - timedelta(days=DAYS)), newest - MOST + 1)
            missing = max(first - 1, max(self._known, default=0))
            known = {pk: one for pk, one in self._known.items() if pk >= first}
            for stored in self._store.papers.between(missing, newest):
                known[stored.pk] = (stored, analyse(stored.paper))
            self._known = known
            return list(known.values())


def _hits(
    papers: Iterable[tuple[StoredPaper, Document]], profile: Profile, counts: dict[str, int]
) -> Iterator[tuple[StoredPaper, tuple[str, ...], float]]:
    """Yield the papers that a profile takes, with queries and score; `counts` are the hits of each query."""
    asked = distinct(profile.queries)
    without = [parse_query(text) for text in profile.exclude]
    for stored, document in papers:
        found = [(one, spans) for one, query in asked if (spans := query.spans(document)) is not None]
        if not found or any(query.hits(document) for query in without):
            continue
        for one, _ in found:
            counts[one.query] = counts.get(one.query, 0) + 1
        score = rank.total((one.weight, rank.points(spans)) for one, spans in found)
        if score >= profile.min_score:
            yield stored, tuple(one.query for one, _ in found), score
