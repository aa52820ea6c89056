"""The score of a paper for a profile, and the order of papers."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestd.match import rank
from digestd.model import Field, Paper, Span, StoredPaper


def _spans(**counts: int) -> list[Span]:
    return [Span(Field(field), number, number + 1) for field, count in counts.items() for number in range(count)]


@pytest.mark.parametrize(
    ("spans", "parts"),
    [
        (_spans(title=1), {Field.TITLE: 2.0}),
        (_spans(abstract=1), {Field.ABSTRACT: 1.0}),
        (_spans(abstract=3, title=1), {Field.TITLE: 2.0, Field.ABSTRACT: 1.5}),
        (_spans(author=1, category=1, source=1), {Field.AUTHOR: 2.0, Field.CATEGORY: 0.5, Field.SOURCE: 0.5}),
        ([], {}),
    ],
)
def test_parts_of_a_hit_are_damped_counts_by_field(spans: list[Span], parts: dict[Field, float]) -> None:
    assert rank.parts(spans) == parts
    assert list(rank.parts(spans)) == list(parts)
    assert rank.points(spans) == sum(parts.values())


@given(st.integers(1, 1000))
def test_points_of_one_more_mention_grow_by_less(count: int) -> None:
    before, here, after = (rank.points(_spans(abstract=number)) for number in (count - 1, count, count + 1))
    assert 0 < after - here < here - before
    assert after <= rank.FIELD_VALUES[Field.ABSTRACT] <= 2 * rank.points(_spans(title=1)) / 2


def test_total_is_rounded_and_does_not_depend_on_the_order() -> None:
    weighted = [(1.0, 1 / 3), (0.1, 0.7), (2.5, 2 / 7)]
    assert rank.total(weighted) == rank.total(reversed(weighted)) == 1.1176
    assert rank.total([]) == 0


def test_order_is_best_then_newest_then_title_then_id() -> None:
    papers = [
        (Paper("1", "b", published=date(2024, 1, 1)), 2.0),
        (Paper("2", "c", published=date(2024, 1, 2)), 1.0),
        (Paper("3", "a", published=date(2024, 1, 1)), 1.0),
        (Paper("4", "B", published=date(2024, 1, 1)), 1.0),
        (Paper("5", "B", published=date(2024, 1, 1)), 1.0),
        (Paper("0", "a"), 1.0),
    ]
    papers.reverse()  # a stable sort must not find them in order
    ordered = sorted(papers, key=lambda one: rank.order(*one))
    assert [paper.id for paper, _ in ordered] == ["1", "2", "3", "4", "5", "0"]


def _stored(published: date | None = None, votes: int | None = None) -> StoredPaper:
    return StoredPaper(1, 1, datetime(2026, 11, 23, 23, tzinfo=UTC), Paper("x", "T", published=published, votes=votes))


@pytest.mark.parametrize(("hits", "looked", "rarity"), [(82, 82, 1.0), (1, 1, 1.0), (1, 82, 3.124), (0, 0, 1.0)])
def test_rarity_is_one_for_what_hits_everything_and_three_for_one_of_eighty(
    hits: int, looked: int, rarity: float
) -> None:
    assert rank.rarity(hits, looked) == pytest.approx(rarity, abs=5e-4)


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_rarity_falls_with_every_further_hit(hits: int, others: int) -> None:
    looked = hits + others + 1
    assert rank.rarity(hits, looked) > rank.rarity(hits + 1, looked) >= 1


@pytest.mark.parametrize(
    ("published", "votes", "merit"),
    [
        (None, None, 1.0),
        (None, 0, 1.0),
        (None, -5, 1.0),
        (None, 9, 1.1),
        (None, 99, 1.2),
        (None, 10**9, 1.3),
        (date(2026, 11, 23), None, 1.2),
        (date(2026, 12, 24), None, 1.2),
        (date(2026, 11, 16), None, 1.1),
        (date(1, 1, 1), 9, 1.1),
        (date(2026, 11, 23), 10**9, 1.5),
    ],
)
def test_merit_is_one_and_more_for_votes_and_a_recent_date(
    published: date | None, votes: int | None, merit: float
) -> None:
    assert rank.merit(_stored(published, votes)) == pytest.approx(merit)


def test_standing_is_the_sum_of_rare_parts_times_merit_in_any_order() -> None:
    hits = [rank.Part("a", 1.0, 1 / 3, 1.5), rank.Part("b", 2.5, 2 / 7, 1.0), rank.Part("c", 0.1, 0.7, 3.0)]
    expected = (round(1 / 3 * 1.5 * 10_000) + round(2.5 * 2 / 7 * 10_000) + round(0.1 * 0.7 * 3 * 10_000)) * 1.1
    assert rank.standing(hits, _stored(votes=9)) == round(expected) / 10_000
    assert rank.standing(hits[::-1], _stored(votes=9)) == rank.standing(hits, _stored(votes=9))


def test_part_of_the_smallest_weight_is_one_step() -> None:
    assert rank.part(1e-9, 0.5) == 1
    assert rank.part(1.0, 0.5) == 5_000
