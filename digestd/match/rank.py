"""How well a paper fits a profile: one formula, whose parts can be shown to the reader.

    score  = Σ over the queries that hit: weight × points
    points = Σ over the fields they stand in: value of the field × n / (n + 1)

n is the number of places in that field. A second mention adds less than the first and a tenth next to nothing,
as in BM25 (Robertson and Zaragoza 2009, k1 = 1); a long abstract cannot outweigh a title.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from digestd.model import Field, Paper, Span

# What authors put into the title is what the paper is about; a person's name is as telling.
FIELD_VALUES: Mapping[Field, float] = MappingProxyType(
    {Field.TITLE: 4.0, Field.AUTHOR: 4.0, Field.ABSTRACT: 2.0, Field.CATEGORY: 1.0, Field.SOURCE: 1.0}
)
DECIMALS = 4  # more than a reader sees, few enough that the order of a sum does not show


def parts(spans: Iterable[Span]) -> dict[Field, float]:
    """Return the points that each field brings, in the order of Field."""
    counted = Counter(span.field for span in spans)
    return {field: FIELD_VALUES[field] * n / (n + 1) for field in Field if (n := counted[field])}


def points(spans: Iterable[Span]) -> float:
    """Return what a hit is worth before its query's weight: more than 0, less than the sum of FIELD_VALUES."""
    return sum(parts(spans).values())


def total(weighted: Iterable[tuple[float, float]]) -> float:
    """Return the score of (weight, points) pairs, one for each query that hits."""
    return round(sum(weight * worth for weight, worth in weighted), DECIMALS)


def order(paper: Paper, score: float) -> tuple[float, int, str, str]:
    """Return a sort key: best first, then newest (unknown dates last), then by title, then by id."""
    newest = -paper.published.toordinal() if paper.published else 0
    return (-score, newest, paper.title.casefold(), paper.id)
