"""What a profile wants of a paper, and what became of that: the small values around an index."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from digestd.match import rank
from digestd.match.document import Document
from digestd.match.query import Query, parse_query
from digestd.model import Field, Match, Span, WeightedQuery


class Wanted(NamedTuple):
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
        return rank.total([(self.weight, sum(self.parts.values()))] if self.parts else [])


@dataclass(frozen=True, slots=True)
class Report:
    """Why a paper is, or is not, for a profile. `score` is that of the queries, also of a paper left out."""

    queries: tuple[QueryReport, ...]
    excluded_by: tuple[str, ...]
    score: float
    min_score: float
    match: Match | None


def distinct(
    queries: tuple[WeightedQuery, ...], parse: Callable[[str], Query] = parse_query
) -> list[tuple[WeightedQuery, Query]]:
    """Return the queries of a profile, heaviest first, each expression once. Raises QueryError.

    Two spellings of one query would count twice; the heavier one speaks for both. `parse` may be one that remembers.
    """
    found: dict[Query, WeightedQuery] = {}
    for asked in sorted(queries, key=lambda query: -query.weight):
        found.setdefault(parse(asked.query), asked)
    return [(asked, query) for query, asked in found.items()]


def explain(wanted: Wanted, document: Document) -> Report:
    """Return what each query and exclusion of a profile makes of a paper. Raises QueryError."""
    reports = []
    for asked, query in distinct(wanted.queries):
        spans = query.spans(document)
        reports.append(QueryReport(asked.query, asked.weight, spans, rank.parts(spans or ())))
    excluded = tuple(text for text in wanted.exclude if parse_query(text).hits(document))
    hit = tuple(report.query for report in reports if report.spans is not None)
    score = rank.total((report.weight, sum(report.parts.values())) for report in reports if report.parts)
    fits = hit and not excluded and score >= wanted.min_score
    return Report(tuple(reports), excluded, score, wanted.min_score, Match(hit, score) if fits else None)
