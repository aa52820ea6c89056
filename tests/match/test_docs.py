"""Every example of docs/queries.md holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from digestd.errors import QueryError
from digestd.match.document import analyse
from digestd.match.query import parse_query
from digestd.model import Paper

PAGE = Path(__file__).parents[2] / "docs" / "queries.md"
CODE = re.compile(r"`([^`]+)`")


def _rows(columns: int) -> Iterator[list[str]]:
    for line in PAGE.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == columns:
            yield cells


def _paper(text: str) -> Paper:
    kind, colon, rest = text.partition(": ")
    match kind if colon else "":
        case "abstract":
            return Paper("x", "", abstract=rest)
        case "author":
            return Paper("x", "", authors=(rest,))
        case "category":
            return Paper("x", "", categories=(rest,))
        case "source":
            return Paper("x", "", source=rest)
    return Paper("x", text)


def _examples() -> Iterator[tuple[str, str, bool]]:
    for query, finds, misses in _rows(3):
        for cell, hits in ((finds, True), (misses, False)):
            for text in CODE.findall(cell):
                yield CODE.findall(query)[0], text, hits


@pytest.mark.parametrize(("query", "text", "hits"), list(_examples()))
def test_example_of_the_page_does_what_it_says(query: str, text: str, hits: bool) -> None:
    assert parse_query(query).hits(analyse(_paper(text))) is hits


@pytest.mark.parametrize(("query", "answer"), list(_rows(2)))
def test_mistake_of_the_page_gets_the_answer_it_says(query: str, answer: str) -> None:
    with pytest.raises(QueryError) as refused:
        parse_query(CODE.findall(query)[0])
    assert str(refused.value) == answer


def test_page_has_examples_of_both_kinds() -> None:
    assert len(list(_examples())) > 90
    assert len(list(_rows(2))) == 6
