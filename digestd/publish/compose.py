"""Which papers go into an edition, and in which order. Pure."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from itertools import chain
from operator import attrgetter
from types import MappingProxyType
from typing import NamedTuple

from digestd.match.learn import Moves, moved
from digestd.match.wanted import Wanted
from digestd.model import Cadence, Entry, Place, Profile, StoredPaper, WeightedQuery
from digestd.publish.news import Found

MAX_FOLDED = 5  # near-copies that a card names; a sixth stands by itself
MAX_TITLES = 60  # papers past the profile's cap that are still named, by title; the rest is counted


class Selection(NamedTuple):
    """What one profile contributes: its papers in order, folded ones behind their card, and how many it matched."""

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


def select(
    found: Iterable[Found],
    profile: Profile,
    taken: Container[int],
    near: Mapping[int, frozenset[int]] = MappingProxyType({}),
    moves: Callable[[int], Moves] | None = None,
) -> Selection:
    """Return a profile's papers, best first, capped, without those `taken`.

    `taken` holds papers (by `pk`) that this subscriber was or is being told of already. `near` has the near-copies
    of each paper: those of a card are folded into it, however well they match, and take no place of their own. `moves`
    tells by what its reader's leaning moves a paper; where nothing was learned, there is none.
    """
    ranked = [one for one in found if one.stored.pk not in taken]
    if moves is not None:
        ranked = [_moved(one, moves(one.stored.pk)) for one in ranked]
    ranked.sort(key=attrgetter("order"))
    cards: dict[int, list[tuple[StoredPaper, Entry]]] = {}
    titles: list[tuple[StoredPaper, Entry]] = []
    for one in ranked:
        copies = near.get(one.stored.pk, ())
        shown = next((pk for pk in cards if pk in copies and len(cards[pk]) <= MAX_FOLDED), None) if copies else None
        if shown is not None:
            cards[shown].append(_at(Place.FOLDED, one))
        elif len(cards) < profile.max_papers:
            cards[one.stored.pk] = [(one.stored, one.entry)]
        elif len(titles) < MAX_TITLES:
            titles.append(_at(Place.TITLE, one))
    return Selection(tuple(chain(*cards.values(), titles)), len(ranked))


def _moved(one: Found, by: Moves) -> Found:
    if not by:
        return one
    entry = one.entry
    return Found.by(one.stored, entry.queries, entry.score, moved(entry.standing, by), by)


def _at(place: Place, one: Found) -> tuple[StoredPaper, Entry]:
    entry = one.entry
    return one.stored, Entry(entry.paper, entry.queries, entry.score, place, entry.standing, entry.moved)
