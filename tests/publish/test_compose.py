"""Which papers go into an edition, and in which order."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace
from datetime import UTC, date, datetime

from support.store_room import profile, work

from digestd.model import Cadence, Place, StoredPaper, WeightedQuery
from digestd.publish.compose import MAX_FOLDED, MAX_TITLES, counting, select
from digestd.publish.news import Found

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def _found(number: int, score: float = 1.0, queries: tuple[str, ...] = ("agent",), **values: object) -> Found:
    return Found.by(StoredPaper(number, 100 + number, NOW, work(number, **values)), queries, score, score)


def _numbers(*found: Found, max_papers: int = 20, taken: Container[int] = ()) -> list[int]:
    selection = select(found, profile(max_papers=max_papers), taken)
    return [stored.pk for stored, _ in selection.entries]


def test_select_orders_by_standing_then_newest_then_title() -> None:
    old, new = date(2026, 11, 1), date(2026, 11, 20)
    found = (
        _found(1, 1.0, published=new),
        _found(2, 3.0),
        _found(3, 2.0, published=old),
        _found(4, 2.0, published=new),
        _found(5, 2.0, published=None),
        _found(6, 2.0, published=new, words="Aardvark"),
    )
    assert _numbers(*found) == [2, 6, 4, 3, 5, 1]
    assert _numbers(*reversed(found)) == [2, 6, 4, 3, 5, 1]


def test_select_leaves_out_what_was_told() -> None:
    assert _numbers(_found(1), _found(2), _found(3), taken={2, 99}) == [1, 3]


def test_select_past_the_cap_gives_titles_and_past_these_only_counts() -> None:
    found = [_found(number, 1000 - number) for number in range(1, MAX_TITLES + 12)]
    selection = select(found, profile(max_papers=2), ())
    places = [entry.place for _, entry in selection.entries]
    assert places == [Place.CARD] * 2 + [Place.TITLE] * MAX_TITLES
    assert [stored.pk for stored, _ in selection.entries] == list(range(1, MAX_TITLES + 3))
    assert selection.matched == len(found) == MAX_TITLES + 11


def test_select_without_papers_is_empty() -> None:
    assert select([], profile(), ()).entries == ()
    assert select([_found(1)], profile(), {1}).matched == 0


def test_select_entry_says_why_and_how_well() -> None:
    found = _found(7, 3.5, ("title:agent", "agent"))
    ((stored, entry),) = select([found], profile(), ()).entries
    assert stored is found.stored
    assert (entry.paper, entry.queries, entry.score) == (found.stored.paper, ("title:agent", "agent"), 3.5)


def test_counting_of_a_daily_profile_is_its_queries_by_day_and_its_alerts_at_once() -> None:
    daily = profile("A", "agent", "robot", alert=("agent", "urgent"))
    assert counting(daily, Cadence.DAILY) == (WeightedQuery("agent"), WeightedQuery("robot"))
    assert counting(daily, Cadence.IMMEDIATE) == (WeightedQuery("agent"), WeightedQuery("urgent"))
    assert counting(daily, Cadence.WEEKLY) == ()


def test_counting_of_an_immediate_profile_is_both_with_the_weight_of_its_own() -> None:
    immediate = profile("A", cadence=Cadence.IMMEDIATE, alert=("agent", "urgent"))
    heavy = WeightedQuery("agent", 3.0)
    both = counting(replace(immediate, queries=(heavy,)), Cadence.IMMEDIATE)
    assert both == (heavy, WeightedQuery("urgent"))
    assert counting(immediate, Cadence.DAILY) == ()


def test_select_folds_near_copies_into_the_card_that_stands_first() -> None:
    near = {1: frozenset({2, 4}), 2: frozenset({1}), 4: frozenset({1, 5}), 5: frozenset({4})}
    found = [_found(number, 10 - number) for number in range(1, 7)]
    selection = select(found, profile(max_papers=2), (), near)
    placed = [(stored.pk, entry.place) for stored, entry in selection.entries]
    # 5 is a copy of 4, which is no card itself: it stands where it would.
    assert placed == [
        (1, Place.CARD), (2, Place.FOLDED), (4, Place.FOLDED), (3, Place.CARD), (5, Place.TITLE), (6, Place.TITLE),
    ]  # fmt: skip
    assert selection.matched == 6


def test_select_folds_only_so_many_into_one_card() -> None:
    found = [_found(number, 20 - number) for number in range(1, MAX_FOLDED + 4)]
    selection = select(found, profile(), (), {number: frozenset(range(1, 20)) - {number} for number in range(1, 20)})
    places = [entry.place for _, entry in selection.entries]
    assert places == [Place.CARD, *[Place.FOLDED] * MAX_FOLDED, Place.CARD, Place.FOLDED]
