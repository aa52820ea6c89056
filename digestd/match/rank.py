"""How well a paper fits a profile, and where it stands among the others: one formula, whose parts can be shown.

    score    = Σ over the queries that hit: weight × points
    points   = Σ over the fields they stand in: value of the field × n / (n + 1)

n is the number of places in that field. A second mention adds less than the first and a tenth next to nothing,
as in BM25 (Robertson and Zaragoza 2009, k1 = 1); a long abstract cannot outweigh a title. The score depends on the
profile and the paper alone, and `min_score` goes by it: what else arrived that day never decides whether a paper is
sent. It decides the order:

    standing = Σ over the queries that hit: weight × points × rarity     × merit
    rarity   = 1 + ln((looked + 10) / (hits + 10))
    merit    = 1 + votes + freshness
    votes    = log10(1 + votes) / 10, at most 0.3
    freshness = 0.2 × 2^(-days from publication to arrival / 7), 0 for an unknown date

`looked` are the papers the issue is made of, `hits` those of them that the query hits (an inverse document frequency,
with ten papers in hand so that a quiet day does not swing it): 1 for a query that hits everything, 3 for one paper
of eighty. Nothing here reads a clock: the same issue stands in the same order whenever it is composed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from math import log, log10
from types import MappingProxyType
from typing import NamedTuple

from digestd.match.document import FIELDS
from digestd.model import Field, Paper, Span, StoredPaper

# What authors put into the title is what the paper is about; a person's name is as telling.
FIELD_VALUES: Mapping[Field, float] = MappingProxyType(
    {Field.TITLE: 4.0, Field.AUTHOR: 4.0, Field.ABSTRACT: 2.0, Field.CATEGORY: 1.0, Field.SOURCE: 1.0}
)
MOST_FOR_VOTES = 0.3  # a thousand votes
MOST_FOR_FRESHNESS = 0.2
_BITS = 20  # more places than that no field has
_UNITS = tuple(1 << _BITS * number for number in range(len(FIELDS)))
_IN_HAND = 10  # papers; see rarity
SCALE = 10_000  # a score counts whole steps of this fraction, so that no order of adding shows in the sum


def parts(spans: Iterable[Span]) -> dict[Field, float]:
    """Return the points that each field brings, in the order of Field."""
    counted: dict[Field, int] = {}
    for span in spans:
        counted[span.field] = counted.get(span.field, 0) + 1
    return {field: FIELD_VALUES[field] * n / (n + 1) for field in Field if (n := counted.get(field))}


def points(spans: Iterable[Span]) -> float:
    """Return what a hit is worth before its query's weight: more than 0, less than the sum of FIELD_VALUES."""
    return sum(parts(spans).values())


def worth(fields: Iterable[int]) -> float:
    """Return the points of a hit by the fields of its places, as numbers of `document.FIELDS`."""
    return _worth(sum([_UNITS[field] for field in fields]))


@lru_cache(maxsize=16_384)  # few combinations come up again and again
def _worth(counted: int) -> float:
    each = ((field, counted >> _BITS * number & (1 << _BITS) - 1) for number, field in enumerate(FIELDS))
    return float(sum(FIELD_VALUES[field] * n / (n + 1) for field, n in each if n))


def part(weight: float, worth: float) -> int:
    """Return what a query that hits adds to a score, in steps of 1 / SCALE: at least one."""
    return max(1, round(weight * worth * SCALE))


def total(weighted: Iterable[tuple[float, float]]) -> float:
    """Return the score of (weight, points) pairs, one for each query that hits."""
    return sum(part(weight, worth) for weight, worth in weighted) / SCALE


class Part(NamedTuple):
    """What one query that hits adds: its weight, its points in this paper, and its rarity in this issue."""

    query: str
    weight: float
    points: float
    rarity: float


def rarity(hits: int, looked: int) -> float:
    """Return how much a query tells that hits `hits` of `looked` papers: from 1 (all of them) slowly up."""
    return 1 + log((looked + _IN_HAND) / (hits + _IN_HAND))


def standing(hits: Iterable[Part], stored: StoredPaper) -> float:
    """Return what the papers of an edition are ordered by."""
    return raised(sum(part(one.weight, one.points * one.rarity) for one in hits), merit(stored))


def raised(rare: int, merit: float) -> float:
    """Return the standing of a paper of this merit; `rare` are the parts of its queries, rarity included, in steps."""
    return round(rare * merit) / SCALE


def merit(stored: StoredPaper) -> float:
    """Return what a paper has of its own: 1, and more for votes and for a recent date; at most 1.5."""
    return 1 + _votes(stored.paper) + _freshness(stored)


def _votes(paper: Paper) -> float:
    return min(MOST_FOR_VOTES, log10(1 + max(0, paper.votes or 0)) / 10)


def _freshness(stored: StoredPaper) -> float:
    published = stored.paper.published
    if published is None:
        return 0.0
    days = max(0, (stored.ingested_at.date() - published).days)
    return float(MOST_FOR_FRESHNESS * 2 ** (-min(days, 1_000) / 7))


def order(paper: Paper, standing: float) -> tuple[float, int, str, str]:
    """Return a sort key: best first, then newest (unknown dates last), then by title, then by id."""
    newest = -paper.published.toordinal() if paper.published else 0
    return (-standing, newest, paper.title.casefold(), paper.id)
