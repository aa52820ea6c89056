"""What nobody should write, and somebody will: clear answers, no exception of another kind, and soon."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from digestd.errors import QueryError
from digestd.match.document import MAX_READ, analyse
from digestd.match.fold import near_copies
from digestd.match.index import Index
from digestd.match.query import parse_query
from digestd.match.wanted import Wanted
from digestd.match.window import Window
from digestd.model import Field, Paper, WeightedQuery

SOON = 5.0  # seconds of processor time on a slow machine; what is wrong here takes minutes


@pytest.fixture(autouse=True)
def _soon() -> Iterator[None]:
    begun = time.process_time()
    yield
    assert time.process_time() - begun < SOON


REFUSED = [
    ("a" * 10_000, "at most 1,000 characters; this one has 10,000"),
    ("agent " * 1_666, "at most 1,000 characters"),
    ("(" * 3_000, "at most 1,000 characters"),
    ("(" * 900, "brackets may be 16 levels deep"),
    (")" * 900, "before )"),
    ("(" * 17 + "a" + ")" * 17, "brackets may be 16 levels deep"),
    ("()" * 400, "inside of these brackets"),
    (" ".join("abcdefghij"[number % 10] for number in range(70)), "at most 64 terms"),
    ("NOT", "after NOT"),
    ("NOT NOT NOT", "after NOT"),
    ("NOT agent", "only says what to leave out"),
    ("-agent -robot", "only says what to leave out"),
    ("NOT (agent OR robot)", "only says what to leave out"),
    ("-" * 900, "a minus stands directly before"),
    ("agent OR NOT robot", "only says what to leave out"),
    ("", "the query is empty"),
    ("   \t\n ", "the query is empty"),
    (". , ; : ! ?", "no letter or digit"),
    ("...", "no letter or digit"),
    ("!?!?", "no letter or digit"),
    ('"', "never closed"),
    ('"agent', "never closed"),
    ('agent "', "never closed"),
    ('""', "no letter or digit"),
    ("“agent", "never closed"),
    ("'", "no letter or digit"),
    ('="', "never closed"),
    ("=", "directly after ="),
    ("*", "no letter or digit"),
    ("\x00", "the query is empty"),
    ("\U0001f916", "no letter or digit"),
    ("\u202e", "no letter or digit"),
    ("\u200f\u200e", "no letter or digit"),
    ("\ud800", "no letter or digit"),
    ("AND", "before AND"),
    ("agent AND", "after AND"),
    ("NEAR/5", "before NEAR"),
    ("title:", "after title:"),
]


@pytest.mark.parametrize(("text", "problem"), REFUSED, ids=lambda value: repr(value[:24]))
def test_query_that_says_nothing_is_refused_with_a_sentence_and_a_column(text: str, problem: str) -> None:
    with pytest.raises(QueryError) as refused:
        parse_query(text)
    assert problem in refused.value.problem
    assert 1 <= refused.value.column <= min(len(text), 1_000) + 1


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("a\x00gent", "a gent"),
        ("agent\x00", "agent"),
        ("agent \U0001f916", None),
        ("agent\U0001f916", "agent"),
        ("\u202eagent\u202c", "agent"),
        ("\u200fagent", "agent"),
        ("ag\u200bent", "agent"),
        ("agent!!!", "agent"),
        ("سلام", "سلام"),
    ],
)
def test_query_with_odd_characters_is_read_as_without_or_refused(text: str, same: str | None) -> None:
    try:
        query = parse_query(text)
    except QueryError as refused:
        assert same is None, refused
        return
    for title in (same or text, f"{same or text} \x00\U0001f916\u202e"):
        assert query.hits(analyse(Paper("x", title)))
    assert parse_query(str(query)) == query


@pytest.mark.parametrize(
    "abstract",
    [None, "", " ", "\x00", "\U0001f916" * 50, "\u202e\u200f", "a" * 5_000_000, "agent robot " * 400_000,
     "$" * 5_000_000, "{" * 1_000_000, "\\" * 1_000_000, "-" * 1_000_000, "e\u0301" * 1_000_000, "机" * 1_000_000],
    ids=lambda value: repr(value and (value[:6], len(value))),
)  # fmt: skip
def test_paper_of_any_abstract_is_matched_by_its_title_and_soon(abstract: str | None) -> None:
    document = analyse(Paper("x", "Language Agents", abstract=abstract))
    index = Index([("a", Wanted((WeightedQuery('"language agent"'), WeightedQuery('"agent robot"~3')), ("zebra",)))])
    assert len(index.match(document)) == 1
    assert len(Window([document]).hits(parse_query("agent NEAR/2 language"))) == 1
    assert near_copies([document, document]) in ({}, {0: {1}, 1: {0}})


def test_document_holds_so_many_characters_of_a_field_and_no_more() -> None:
    words = "word " * (MAX_READ // 5)
    document = analyse(Paper("x", "T", abstract=words + "zebra"))
    assert len(document.texts[Field.ABSTRACT]) <= MAX_READ
    for authors in (("a" * MAX_READ, "b"), ("a" * (MAX_READ - 1), "bc")):
        whole = analyse(Paper("x", "T", authors)).texts[Field.AUTHOR]
        assert whole == ("a" * MAX_READ if len(authors[0]) == MAX_READ else "a" * (MAX_READ - 1) + ", b")
    assert parse_query("word").hits(document)
    assert not parse_query("zebra").hits(document)
    many = analyse(Paper("x", "T", tuple(f"Ada Author{number}" for number in range(20_000))))
    assert len(many.texts[Field.AUTHOR]) <= MAX_READ * 2
    assert parse_query("author:author0").hits(many)
    assert not parse_query("author:author19999").hits(many)
