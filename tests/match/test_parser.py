"""The query language: what is read, what is refused and where, and the canonical text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digestd.errors import QueryError
from digestd.match.query import parse_query
from digestd.match.syntax import And, Exact, Loose, Near, Node, Not, Or, Prefix, Within, Words
from digestd.model import Field

A, B, C = Words("a"), Words("b"), Words("c")


@pytest.mark.parametrize(
    ("text", "tree", "printed"),
    [
        ("agent", Words("agent"), "agent"),
        ('"agent"', Words("agent"), "agent"),
        (' "large  language\tmodel" ', Words("large language model"), '"large language model"'),
        ("“large model”", Words("large model"), '"large model"'),
        ('„large model"', Words("large model"), '"large model"'),
        ("robot*", Prefix("robot"), "robot*"),
        ("GPT-4*", Prefix("GPT-4"), "GPT-4*"),
        ("=RAG", Exact("RAG"), "=RAG"),
        ('="Chain of Thought"', Exact("Chain of Thought"), '="Chain of Thought"'),
        ("=A*", Exact("A*"), '="A*"'),
        ("=a:b", Exact("a:b"), '="a:b"'),
        ("a b", And((A, B)), "a b"),
        ("a AND b AND c", And((A, B, C)), "a b c"),
        ("(a b) c", And((A, B, C)), "a b c"),
        ("a OR b OR c", Or((A, B, C)), "a OR b OR c"),
        ("a OR (b OR c)", Or((A, B, C)), "a OR b OR c"),
        ("a OR b c", Or((A, And((B, C)))), "a OR b c"),
        ("(a OR b) c", And((Or((A, B)), C)), "(a OR b) c"),
        ("a -b", And((A, Not(B))), "a -b"),
        ("NOT a b", And((Not(A), B)), "-a b"),
        ("a AND NOT b", And((A, Not(B))), "a -b"),
        ("NOT NOT a", A, "a"),
        ("-(-a)", A, "a"),
        ("a -(b c)", And((A, Not(And((B, C))))), "a -(b c)"),
        ("a -(b NEAR/2 c)", And((A, Not(Near(B, C, 2)))), "a -(b NEAR/2 c)"),
        ('"a b"~5', Loose("a b", 5), '"a b"~5'),
        ("a NEAR/5 b", Near(A, B, 5), "a NEAR/5 b"),
        ("(a OR b) NEAR/100 title:c", Near(Or((A, B)), Within(Field.TITLE, C), 100), "(a OR b) NEAR/100 title:c"),
        ("a NEAR/5 b c", And((Near(A, B, 5), C)), "a NEAR/5 b c"),
        ("title:a", Within(Field.TITLE, A), "title:a"),
        ("Title:  a", Within(Field.TITLE, A), "title:a"),
        ("title:(a)", Within(Field.TITLE, A), "title:a"),
        ("title:(a b)", Within(Field.TITLE, And((A, B))), "title:(a b)"),
        ("title:(author:a)", Within(Field.AUTHOR, A), "author:a"),
        ("title:(-(-a))", Within(Field.TITLE, A), "title:a"),
        ("b -title:a", And((B, Not(Within(Field.TITLE, A)))), "b -title:a"),
        ("title:=RAG", Within(Field.TITLE, Exact("RAG")), "title:=RAG"),
        ("category:cs.*", Within(Field.CATEGORY, Prefix("cs.")), "category:cs.*"),
        ("C++ c# CodeT5+", And((Words("C++"), Words("c#"), Words("CodeT5+"))), "C++ c# CodeT5+"),
        (r"H$_2$O P\'aez Schr\"odinger P{\"a}ez", And(tuple(map(Words, ("H2O", "Páez", "Schrödinger", "Päez")))),
         "H2O Páez Schrödinger Päez"),
        (r'"Schr\"odinger \alpha"', Words("Schrödinger α"), '"Schrödinger α"'),
        ('"a:b? (c)* + \\"', Words("a:b? (c)* +"), '"a:b? (c)* +"'),
        ('"AND" "NEAR/5" "or"', And((Words("AND"), Words("NEAR/5"), Words("or"))), '"AND" "NEAR/5" or'),
        ("and or not near", And(tuple(map(Words, ("and", "or", "not", "near")))), "and or not near"),
        ("ANDROID NOTHING", And((Words("ANDROID"), Words("NOTHING"))), "ANDROID NOTHING"),
        ('"a b""c"', And((Words("a b"), C)), '"a b" c'),
        ("a~b", Words("a b"), '"a b"'),
        ("+a", Words("+a"), '"+a"'),
        ("-5 a", And((Not(Words("5")), A)), "-5 a"),
        ("fine~tun*", Prefix("fine-tun"), "fine-tun*"),
        ("a\x00b", And((A, B)), "a b"),
        ("a^b", Words("a b"), '"a b"'),
        ("=X", Exact("X"), "=X"),
        ("X -X", And((Words("X"), Not(Words("X")))), "X -X"),
        ("+robot* Xylo*", And((Prefix("robot"), Prefix("Xylo"))), "robot* Xylo*"),
    ],
)  # fmt: skip
def test_query_text_is_read_and_printed(text: str, tree: Node, printed: str) -> None:
    query = parse_query(text)
    assert query.root == tree
    assert str(query) == printed
    assert parse_query(printed) == query


@pytest.mark.parametrize(
    ("text", "column", "problem"),
    [
        ("", 1, "the query is empty"),
        (" \t ", 1, "the query is empty"),
        ("AND", 1, "expected a word, a phrase or a group before AND"),
        ("a OR", 5, "expected a word, a phrase or a group after OR"),
        ("a AND", 6, "after AND"),
        ("a OR OR b", 6, "after OR"),
        ("a AND OR b", 7, "after AND"),
        ("a NOT", 6, "after NOT"),
        ("a -)", 3, "a minus stands directly before"),
        ("a - b", 3, "a minus stands directly before"),
        ("--a", 1, "a minus stands directly before"),
        ("-", 1, "a minus stands directly before"),
        ("-OR", 2, "after the minus"),
        ("(OR b)", 2, "before OR"),
        ("(a OR )", 7, "after OR"),
        ("NEAR(", 1, "before NEAR"),
        ("a NEAR b", 3, "NEAR needs a number of words from 1 to 100"),
        ("a NEAR/0 b", 3, "NEAR needs a number"),
        ("a NEAR/101 b", 3, "NEAR needs a number"),
        ("a NEAR/" + "9" * 900 + " b", 3, "NEAR needs a number"),
        ("a NEAR/5", 9, "after NEAR"),
        ("(a b) NEAR/5 c", 1, "NEAR stands between"),
        ("a NEAR/5 (b OR -c)", 10, "NEAR stands between"),
        ("a NEAR/5 b NEAR/5 c", 12, "NEAR joins two terms"),
        ("a (b", 3, "this bracket is never closed"),
        ("a (", 3, "this bracket is never closed"),
        ("a)", 2, "this bracket closes nothing"),
        (")", 1, "before )"),
        ("a ()", 3, "inside of these brackets"),
        ('a "b', 3, "this quotation mark is never closed"),
        ("a “b", 3, "this quotation mark is never closed"),
        ('a ="b', 4, "this quotation mark is never closed"),
        ('""', 1, "no letter or digit"),
        ("a ++", 3, "no letter or digit"),
        ("a 🎉", 3, "no letter or digit"),
        ("*", 1, "no letter or digit"),
        ("=", 1, "directly after ="),
        ("= a", 1, "directly after ="),
        ("a r*", 3, "at least 2 letters"),
        ("ro*bot", 3, "a star stands at the end of a word"),
        ("*bot", 1, "a star stands at the end of a word"),
        ("title:", 7, "after title:"),
        ("title:)", 7, "after title:"),
        ("title:-a", 7, "a sign goes before the field"),
        ("title:NOT a", 7, "a sign goes before the field"),
        ("title:author:a", 7, "a sign goes before the field"),
        ("a titel:b", 3, 'there is no field "titel"; did you mean title:?'),
        ("foo:bar", 1, 'there is no field "foo", only title:, abstract:, author:, category:, source:; a text'),
        ("title:foo:bar", 7, 'there is no field "foo"'),
        ("a :b", 3, "a colon stands directly behind the name of a field"),
        ('"a b"~', 6, "expected a number of words"),
        ('"a b"~0', 6, "expected a number of words"),
        ('"a"~5', 1, "only words can be near one another"),
        ('="a b"~5', 1, "an exact phrase stands as it is written"),
        ("NOT a", 1, "a query needs at least one term to look for; this one only says what to leave out"),
        ("-a -b", 1, "a query needs"),
        ("NOT a OR b", 1, "each alternative of an OR needs"),
        ("a (b OR -c) OR -a", 1, "each alternative of an OR needs"),
        ("-(-a b)", 1, "a query needs"),
        ("title:(-a)", 1, "a query needs"),
        ("(" * 17 + "a" + ")" * 17, 17, "16 levels"),
        ("(a) " * 5 + "(" * 17 + "a" + ")" * 17, 37, "16 levels"),
        ("(" * 15 + "(a) ((a))" + ")" * 15, 21, "16 levels"),
        ("ro*b*", 3, "a star stands at the end of a word"),
        ("robo*t", 5, "a star stands at the end of a word"),
        ('c "a b"~3 NEAR/5 d', 3, "NEAR stands between"),
        ("titel:b:c", 1, 'there is no field "titel"; did you mean title:?'),
        ("q" * 50 + ":a", 1, f'there is no field "{"q" * 40}", only title:'),
        ("title" * 10 + ":a", 1, f'there is no field "{"title" * 8}"'),
        (" ".join("a" * 65), 129, "at most 64 terms"),
        ("a" * 1001, 1001, "at most 1,000 characters; this one has 1,001"),
    ],
)
def test_query_with_a_mistake_is_refused_at_its_column(text: str, column: int, problem: str) -> None:
    with pytest.raises(QueryError) as refused:
        parse_query(text)
    assert problem in refused.value.problem
    assert refused.value.column == column


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the query is empty; write at least one word to look for"),
        ("a)", "this bracket closes nothing"),
        ("(a b) NEAR/5 c", "NEAR stands between two words, phrases, or groups of alternatives (a OR b)"),
        ("a NEAR/5 b NEAR/5 c", 'NEAR joins two terms; for more, write "one two three"~5'),
        ("a ()", "expected a word, a phrase or a group inside of these brackets"),
        ("=", "expected a word or a phrase directly after ="),
        (
            "foo:a",
            'there is no field "foo", only title:, abstract:, author:, category:, source:; a text with a colon'
            " goes into quotation marks",
        ),
        (":", "a colon stands directly behind the name of a field, as in title:survey"),
        ("ro*t", "a star stands at the end of a word, as in robot*; to look for the sign, use quotation marks"),
        ('"b', "this quotation mark is never closed"),
        ('="a b"~5', "an exact phrase stands as it is written; leave out the = or the ~"),
        ('"a"~5', 'only words can be near one another: write at least two, as in "one two"~5'),
        ("++", "there is no letter or digit to look for in this"),
        ("a -)", "a minus stands directly before the one thing it leaves out, as in -survey"),
    ],
)
def test_query_with_a_mistake_is_told_in_a_whole_sentence(text: str, sentence: str) -> None:
    with pytest.raises(QueryError) as refused:
        parse_query(text)
    assert refused.value.problem == sentence


@pytest.mark.parametrize(
    "text", ["a (b OR -c)", "-(-a OR b)", "NOT (NOT a OR NOT b)", "a OR -(-b OR c)", "title:(a -b)"]
)
def test_query_that_needs_a_term_every_way_is_taken(text: str) -> None:
    assert str(parse_query(text))


@pytest.mark.parametrize(
    "text", ["(" * 16 + "a" + ")" * 16, " ".join("a" * 64), "a" * 1000, "NOT " * 200 + "a", "(a) " * 20]
)
def test_query_at_a_limit_is_taken(text: str) -> None:
    assert parse_query(text)


def test_query_that_grows_past_the_limit_when_printed_is_refused() -> None:
    with pytest.raises(QueryError, match="characters; this one written out in full has"):
        parse_query(" ".join(["abcdefgh~abcdef"] * 62 + ["aaaaaaa"]))


@pytest.mark.parametrize(
    "text",
    ["x" * 10_000, "(" * 3_000, ")" * 3_000, "NOT", "NOT " * 3000, "+-*/", '"', "'", '"""', "\0", "a\0", "🎉",
     "\u202ea", "\ufeff",
     "\ud800", "NEAR(", "'; DROP TABLE",
     "title:" * 100, "-" * 900, "=" * 900, '"' * 900, "~" * 900, "a" + "\u0301" * 900,
     "\\" * 900, "{" * 900, '\\"' * 400, '"\\"a', "“" * 900, "OR " * 300, "(" * 16, "-(" * 16 + "a" + ")" * 16],
)  # fmt: skip
def test_query_of_hostile_text_is_read_or_refused(text: str) -> None:
    _read_or_refused(text)


@settings(max_examples=500)
@given(st.text(max_size=80) | st.text(alphabet='ab ()"-=*:~+\\{$^AND ORTNE/5title“”\u0301', max_size=60))
def test_query_of_arbitrary_text_is_read_or_refused(text: str) -> None:
    _read_or_refused(text)


def _read_or_refused(text: str) -> None:
    refused: QueryError | None = None
    try:
        query = parse_query(text)
    except QueryError as error:
        refused = error
    else:
        assert parse_query(str(query)) == query
    assert refused is None or 1 <= refused.column <= len(text) + 1
