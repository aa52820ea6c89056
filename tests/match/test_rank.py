"""The score of a paper for a profile, and the order of papers."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestd.match import rank
from digestd.model import Field, Paper, Span


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
