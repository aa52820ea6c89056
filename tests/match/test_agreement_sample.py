"""Queries of the words of real abstracts, against the naive reference: a few pairs, and 100,000 by `make agree`."""

from __future__ import annotations

import json
from functools import cache, lru_cache
from pathlib import Path
from random import Random

import pytest
from support.reference_match import Reference

from digestd.errors import QueryError
from digestd.match.document import Document, analyse
from digestd.match.pool import Pool
from digestd.match.query import Query, parse_query
from digestd.match.window import Window
from digestd.model import Paper

SAMPLE = Path(__file__).parents[2].parent / "shared" / "samples" / "arxiv-0704-half.jsonl"
FORMS = (
    "{a}", "{a} {b}", "{a} {b}", '"{a} {b}"', '"{a} {b}"', "{p}*", "{a} OR {b}", "{a} -{c}", "NOT {c} {a}", "={a}",
    '="{a} {b}"', '"{a} {c}"~5', "{a} NEAR/4 {c}", "({a} OR {c}) NEAR/8 {b}", "title:{a}", "title:({a} {c})",
    "abstract:\"{a} {b}\"", "author:{n}", "category:{k}", "{k}", "{a}-{b}", "{a}{b}", "({a} OR {b}) ({c} OR {n})",
    "{a} -(title:{b} OR {c})", "NOT (NOT {a} OR {c})",
)  # fmt: skip
PAPERS_EACH = 10


@cache
def _papers() -> tuple[Paper, ...]:
    if not SAMPLE.exists():
        pytest.skip(f"{SAMPLE.name} is not beside this checkout")
    records = [json.loads(line) for line in SAMPLE.read_text("utf-8").splitlines()]
    lists = ("authors", "categories")
    return tuple(
        Paper(**{key: tuple(record[key]) if key in lists else record[key] for key in record}) for record in records
    )


@lru_cache(maxsize=200)  # the reference remembers what it looked at, a megabyte for each abstract
def _read(at: int) -> tuple[Document, Reference]:
    return analyse(_papers()[at]), Reference(_papers()[at])


def _query(random: Random, of: Paper, other: Paper) -> Query:
    while True:
        words = f"{of.title} {of.abstract}".split()
        at = random.randrange(len(words) - 1)
        chosen = {
            "a": words[at],
            "b": words[at + 1],
            "c": random.choice(f"{other.title} {other.abstract}".split()),
            "p": random.choice(words)[:4],
            "n": random.choice(of.authors or other.authors or ("Euler",)).split()[-1],
            "k": random.choice(of.categories),
        }
        try:
            return parse_query(random.choice(FORMS).format(**chosen))
        except QueryError:  # the words of a text may be brackets, signs or formulas
            continue


def _agree(random: Random, pairs: int) -> int:
    """Compare a query on the paper it was made of and on others; returns how many of the pairs hit."""
    hits = 0
    for _ in range(pairs // PAPERS_EACH):
        at = random.randrange(len(_papers()))
        query = _query(random, _papers()[at], random.choice(_papers()))
        places = [at, *random.sample(range(len(_papers())), PAPERS_EACH - 1)]
        expected = [reference.spans(query.root) for _, reference in map(_read, places)]
        documents = [_read(place)[0] for place in places]
        assert [query.spans(document) for document in documents] == expected, str(query)
        found = dict(Window(documents).hits(query))
        assert sorted(found) == [place for place, spans in enumerate(expected) if spans is not None], str(query)
        hits += len(found)
    return hits


def test_query_of_real_words_agrees_with_the_reference() -> None:
    assert _agree(Random(7), 100) >= 5


@pytest.mark.faults
@pytest.mark.loop
@pytest.mark.parametrize("seed", range(100))
def test_query_of_real_words_agrees_with_the_reference_a_thousand_times(seed: int) -> None:
    assert _agree(Random(seed), 1_000) >= 60


def test_pool_of_real_queries_finds_what_each_query_finds_alone() -> None:
    random, pool = Random(3), Pool()
    for _ in range(300):
        pool.hold(str(_query(random, random.choice(_papers()), random.choice(_papers()))))
    queries = {number: pool[number].query for number in range(len(pool))}
    for document, _ in map(_read, range(40)):
        alone = {number for number, query in queries.items() if query.hits(document)}
        assert set(pool.points(document)) == alone
