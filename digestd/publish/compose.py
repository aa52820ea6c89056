"""Which papers go into an edition, and in which order. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from digestd.match.rank import order
from digestd.match.wanted import Wanted
from digestd.model import Cadence, Entry, Place, Profile, StoredPaper, WeightedQuery
from digestd.publish.news import Found

MAX_TITLES = 60  # papers past the profile's cap that are still named, by title; the rest is counted


@dataclass(frozen=True, slots=True)
class Selection:
    """What one profile contributes: its papers in order, and how many it matched in all."""

    entries: tuple[tuple[StoredPaper, Entry], ...]
    matched: int


def counting(profile: Profile, cadence: Cadence) -> tuple[WeightedQuery, ...]:
    """Return the queries of a profile that count in a cadence: alert queries at once, the others in its own."""
    queries = profile.queries if profile.cadence is cadence else ()
    if cadence is Cadence.IMMEDIATE:
        known = {query.query for query in queries}
        return queries + tuple(WeightedQuery(query) for query in profile.alert if query not in known)
    return queries


def wanted(profile: Profile, cadence: Cadence) -> Wanted:
    """Return what a profile wants of a paper in a cadence."""
    return Wanted(counting(profile, cadence), profile.exclude, profile.min_score)


def select(found: Iterable[Found], profile: Profile, taken: set[int]) -> Selection:
    """Return a profile's papers, best first, capped, without those `taken`; adds what it places to `taken`.

    `taken` holds papers (by `pk`) that this subscriber was or is being told of already.
    """
    ranked = sorted((one for one in found if one.stored.pk not in taken), key=_order)
    placed = ranked[: profile.max_papers + MAX_TITLES]
    taken.update(one.stored.pk for one in placed)
    return Selection(
        tuple(
            (
                one.stored,
                Entry(
                    paper=one.stored.paper,
                    queries=one.match.queries,
                    score=one.match.score,
                    place=Place.CARD if number < profile.max_papers else Place.TITLE,
                ),
            )
            for number, one in enumerate(placed)
        ),
        len(ranked),
    )


def _order(one: Found) -> tuple[float, int, str, str]:
    return order(one.stored.paper, one.standing)
