"""A paper and short ways to say what a profile wants of it."""

from __future__ import annotations

from digestd.match.wanted import Wanted
from digestd.model import Paper, WeightedQuery

PAPER = Paper("x", "Language agents", abstract="An agent with tools. A survey.", categories=("cs.CL",))


def wanted(*queries: str | WeightedQuery, exclude: tuple[str, ...] = (), min_score: float = 0.0) -> Wanted:
    asked = tuple(WeightedQuery(query) if isinstance(query, str) else query for query in queries)
    return Wanted(asked, exclude, min_score)
