"""The engine against the naive reference, and the index against trying every query."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import random_queries
from support.reference_match import Reference

from digestd.match import rank
from digestd.match.document import analyse
from digestd.match.index import Index
from digestd.match.query import Query, parse_query
from digestd.match.wanted import Wanted, explain
from digestd.model import Match, Paper, WeightedQuery

# hypothesis looks for other seeds in each run; the fixed ones below are the same everywhere.
seeds = st.integers(0, 2**32)


@pytest.mark.parametrize("seed", range(40))
def test_query_on_random_papers_agrees_with_the_reference(seed: int) -> None:
    assert _pairs_that_hit(Random(seed), queries=12, papers=12) > 0


@settings(max_examples=60)
@given(seeds)
def test_query_on_ever_new_papers_agrees_with_the_reference(seed: int) -> None:
    _pairs_that_hit(Random(seed), queries=4, papers=4)


def _pairs_that_hit(random: Random, queries: int, papers: int) -> int:
    asked = [random_queries.query(random) for _ in range(queries)]
    hits = 0
    for paper in (random_queries.paper(random) for _ in range(papers)):
        document, reference = analyse(paper), Reference(paper)
        for query in asked:
            expected = reference.spans(query.root)
            assert query.spans(document) == expected, (str(query), paper)
            assert query.hits(document) is (expected is not None)
            assert expected != (), f"{query} hits without a place"
            hits += expected is not None
    return hits


@settings(max_examples=12)
@given(seeds)
def test_index_on_random_profiles_agrees_with_trying_every_query(seed: int) -> None:
    random = Random(seed)
    profiles = {key: _wanted(random) for key in range(6)}
    index = Index(profiles.items())
    for paper in (random_queries.paper(random) for _ in range(5)):
        document = analyse(paper)
        expected = {key: _tried(wanted, paper) for key, wanted in profiles.items()}
        found = list(index.named(index.match(document)))
        assert found == [(key, match.score) for key, match in expected.items() if match is not None]
        assert expected == {key: explain(wanted, document).match for key, wanted in profiles.items()}


def _wanted(random: Random) -> Wanted:
    queries = [str(random_queries.query(random)) for _ in range(random.randint(0, 4))]
    return Wanted(
        tuple(WeightedQuery(query, random.choice((0.5, 1.0, 2.0))) for query in queries + queries[:1]),
        tuple(str(random_queries.query(random)) for _ in range(random.randint(0, 1))),
        random.choice((0.0, 2.0, 4.0)),
    )


def _tried(wanted: Wanted, paper: Paper) -> Match | None:
    reference = Reference(paper)
    if any(reference.spans(parse_query(text).root) is not None for text in wanted.exclude):
        return None
    seen: list[Query] = []
    texts: list[str] = []
    score = 0
    for asked in sorted(wanted.queries, key=lambda query: query.weight, reverse=True):
        query = parse_query(asked.query)
        spans = reference.spans(query.root)
        if query not in seen and spans is not None:
            seen.append(query)
            texts.append(asked.query)
            score += max(1, round(asked.weight * rank.points(spans) * 10_000))
    return Match(tuple(texts), score / 10_000) if texts and score / 10_000 >= wanted.min_score else None


@settings(max_examples=120)
@given(seeds)
def test_query_printed_and_parsed_is_the_same_query(seed: int) -> None:
    query = random_queries.query(Random(seed))
    assert parse_query(str(query)) == query
    assert str(parse_query(str(query))) == str(query)
