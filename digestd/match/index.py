"""The compiled profile set: which of many profiles a paper is for, and why.

Each distinct query is compiled once. A paper is tried only against the queries of which it holds a required
word, and those are evaluated in full, so the index never decides by itself that a query hits.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from digestd.match import rank
from digestd.match.document import Document
from digestd.match.plan import Requirement, requirements
from digestd.match.query import Query, parse_query
from digestd.model import Field, Match, Span, WeightedQuery

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a profile wants of a paper: one query that hits, no exclusion that hits, and a score of `min_score`."""

    queries: tuple[WeightedQuery, ...]
    exclude: tuple[str, ...] = ()
    min_score: float = 0.0


@dataclass(frozen=True, slots=True)
class QueryReport:
    """What became of one query: its spans, None where it does not hit, and the points of each field."""

    query: str
    weight: float
    spans: tuple[Span, ...] | None
    parts: Mapping[Field, float]

    @property
    def score(self) -> float:
        """The query's part of the score."""
        return rank.total([(self.weight, sum(self.parts.values()))])


@dataclass(frozen=True, slots=True)
class Report:
    """Why a paper is, or is not, for a profile. `score` is that of the queries, also of a paper left out."""

    queries: tuple[QueryReport, ...]
    excluded_by: tuple[str, ...]
    score: float
    min_score: float
    match: Match | None


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A Wanted with its distinct queries, heaviest first, and its exclusions by number."""

    queries: tuple[tuple[WeightedQuery, int], ...]
    exclude: tuple[int, ...]
    min_score: float


class Index(Generic[Key]):
    """Profiles under keys of the caller's choice, ready to be matched. It never changes.

    Raises QueryError for a query that does not parse; callers validate profiles before.
    """

    def __init__(self, profiles: Mapping[Key, Wanted]) -> None:
        pool = _Pool()
        self._compiled = {key: _compiled(wanted, pool) for key, wanted in profiles.items()}
        self._queries = tuple(pool.numbers)
        self._askers = _by_query(self._compiled)
        self._candidates = _by_required_key(self._queries)

    def match(self, document: Document) -> dict[Key, Match]:
        """Return the profiles that the paper is for, in the order they were given, each with its match."""
        spans = self._spans(document)
        points = {number: rank.points(found) for number, found in spans.items()}
        asked = {place: key for number in spans for place, key in self._askers.get(number, ())}
        matches = ((asked[place], _match(self._compiled[asked[place]], points)) for place in sorted(asked))
        return {key: match for key, match in matches if match is not None}

    def _spans(self, document: Document) -> dict[int, tuple[Span, ...]]:
        candidates = {number for key in document.keys & self._candidates.keys() for number in self._candidates[key]}
        found = ((number, self._queries[number].spans(document)) for number in candidates)
        return {number: spans for number, spans in found if spans is not None}


def explain(wanted: Wanted, document: Document) -> Report:
    """Return what each query and exclusion of a profile makes of a paper. Raises QueryError."""
    pool = _Pool()
    compiled = _compiled(wanted, pool)
    spans = [query.spans(document) for query in pool.numbers]
    points = {number: rank.points(found) for number, found in enumerate(spans) if found is not None}
    return Report(
        queries=tuple(
            QueryReport(asked.query, asked.weight, spans[number], rank.parts(spans[number] or ()))
            for asked, number in compiled.queries
        ),
        excluded_by=tuple(text for text in wanted.exclude if pool.number(text) in points),
        score=_score(compiled, points),
        min_score=wanted.min_score,
        match=_match(compiled, points),
    )


class _Pool:
    """The distinct queries and the number of each: the same expression, however it is spelt, is compiled once."""

    def __init__(self) -> None:
        self.numbers: dict[Query, int] = {}
        self._texts: dict[str, int] = {}

    def number(self, text: str) -> int:
        if text not in self._texts:
            self._texts[text] = self.numbers.setdefault(parse_query(text), len(self.numbers))
        return self._texts[text]


def _compiled(wanted: Wanted, pool: _Pool) -> _Compiled:
    # Two spellings of one query would count twice; the heavier one speaks for both.
    distinct: dict[int, WeightedQuery] = {}
    for asked in sorted(wanted.queries, key=lambda query: -query.weight):
        distinct.setdefault(pool.number(asked.query), asked)
    return _Compiled(
        tuple((asked, number) for number, asked in distinct.items()),
        tuple(pool.number(text) for text in wanted.exclude),
        wanted.min_score,
    )


def _match(compiled: _Compiled, points: Mapping[int, float]) -> Match | None:
    hit = tuple(asked.query for asked, number in compiled.queries if number in points)
    if not hit or any(number in points for number in compiled.exclude):
        return None
    score = _score(compiled, points)
    return Match(hit, score) if score >= compiled.min_score else None


def _score(compiled: _Compiled, points: Mapping[int, float]) -> float:
    return rank.total((asked.weight, points[number]) for asked, number in compiled.queries if number in points)


def _by_query(compiled: Mapping[Key, _Compiled]) -> dict[int, list[tuple[int, Key]]]:
    """Return who asks for each query, with their place among the profiles."""
    askers: defaultdict[int, list[tuple[int, Key]]] = defaultdict(list)
    for place, (key, one) in enumerate(compiled.items()):
        for _, number in one.queries:
            askers[number].append((place, key))
    return dict(askers)


def _by_required_key(queries: Iterable[Query]) -> dict[str, list[int]]:
    """Return the queries to try for each key of a document.

    Of the requirements of a query, the one whose keys the fewest queries name: readers ask for what is written
    about, so a word that few ask for is in few papers. Length decides between equals.
    """
    choices = [requirements(query.plan) for query in queries]
    asked = Counter(key for choice in choices for required in choice for key in required)

    def cost(required: Requirement) -> tuple[int, int]:
        return sum(asked[key] for key in required), -min(map(len, required))

    candidates: defaultdict[str, list[int]] = defaultdict(list)
    for number, choice in enumerate(choices):
        for key in min(choice, key=cost):
            candidates[key].append(number)
    return dict(candidates)
