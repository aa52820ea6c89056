"""The compiled profile set, and its changes in place."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import random_queries
from support.match_values import PAPER, wanted

from digestd.errors import QueryError
from digestd.match.document import analyse
from digestd.match.index import Index, _Want
from digestd.match.pool import Pool
from digestd.match.query import Query
from digestd.match.wanted import Wanted, explain
from digestd.model import Paper, WeightedQuery


def found(index: Index[str], paper: Paper = PAPER) -> dict[str, float]:
    return dict(index.named(index.match(analyse(paper))))


def made(**profiles: Wanted) -> Index[str]:
    return Index(profiles.items())


def test_index_gives_each_profile_its_score_in_the_order_given() -> None:
    index = made(
        b=wanted("agent"),
        none=wanted("robot", "title:survey"),
        excluded=wanted("agent", exclude=("robot", "survey")),
        a=wanted("tools", WeightedQuery("robot", 9.0), exclude=("title:survey",)),
    )
    assert found(index) == {"b": 3.0, "a": 1.0}
    assert list(found(index)) == ["b", "a"]
    assert found(index, Paper("y", "Robots")) == {"none": 2.0, "a": 18.0}
    assert len(index.match(analyse(PAPER))) == 2


@pytest.mark.parametrize(("min_score", "matches"), [(3.0, True), (3.0001, False), (-1.0, True)])
def test_index_leaves_out_what_scores_too_little(min_score: float, matches: bool) -> None:
    assert bool(found(made(a=wanted("agent", min_score=min_score)))) is matches


def test_index_finds_a_query_of_the_smallest_weight() -> None:
    assert found(made(a=wanted(WeightedQuery("agent", 1e-9)))) == {"a": 0.0001}


def test_index_counts_a_query_once_however_often_it_is_spelt() -> None:
    index = made(a=wanted("agent tools", WeightedQuery("agent AND tools", 3.0), WeightedQuery("(agent) tools", 2.0)))
    assert found(index)["a"] == pytest.approx(3 * (4 / 2 + 2 * 2 / 3), abs=1e-4)
    assert index.queries == 1


def test_index_without_profiles_or_queries_matches_nothing() -> None:
    assert found(made()) == {}
    assert found(made(a=wanted(exclude=("robot",)))) == {}


def test_index_of_equal_profiles_gives_all_who_have_them() -> None:
    index = Index((str(number), wanted("agent" if number % 3 else "(agent)", "tools")) for number in range(9))
    assert list(found(index)) == [str(number) for number in range(9)]
    assert set(found(index).values()) == {4.0}
    assert index.queries == 2


def test_index_gives_members_in_order_whether_they_share_what_they_want_or_not() -> None:
    index = made(a=wanted("agent"), b=wanted("tools"), c=wanted("agent"), d=wanted("agent", "tools"))
    assert list(found(index).items()) == [("a", 3.0), ("b", 1.0), ("c", 3.0), ("d", 4.0)]


@pytest.mark.parametrize("bad", [wanted("tools", "(tool"), wanted("agent", exclude=("tools", "NOT a"))])
def test_index_of_a_bad_query_is_refused_and_nothing_changes(bad: Wanted) -> None:
    index = made(a=wanted("agent"))
    for key in ("a", "b"):
        with pytest.raises(QueryError):
            index.put(key, bad)
    assert found(index) == {"a": 3.0}
    assert (len(index), index.queries, "b" in index) == (1, 1, False)
    with pytest.raises(QueryError):
        explain(bad, analyse(PAPER))


@pytest.mark.parametrize(
    "query",
    ["agent", "agents*", "=agents", '"language agents"', "category:cs.CL", "category:cs.*", "cs*", "cs", "=cs.CL",
     "a-gen*", "language-a*",
     "robot OR agent", "agent -robot", "-(-agent OR robot)", '"agent language"~3', "(robot OR language) NEAR/2 agent",
     "la nguage", "lang* agent", "category:=cs.CL"],
)  # fmt: skip
def test_index_tries_every_kind_of_query(query: str) -> None:
    assert found(made(a=wanted(query)))
    assert not found(made(a=wanted(query)), Paper("y", "Nothing of it", categories=("math.CO",)))


def test_index_tries_only_queries_whose_required_words_are_all_there(monkeypatch: pytest.MonkeyPatch) -> None:
    queries = {f"w{number}": wanted(f'"model w{chr(97 + number)}ord"') for number in range(20)}
    robots = {f"r{number}": wanted(f"robot x{number}") for number in range(5)}
    # It waits under the rarer of its words, which is there; the other one is not.
    index = Index([*queries.items(), *robots.items(), ("far", wanted("robot wbord"))])
    tried: list[str] = []
    original = Query.places
    monkeypatch.setattr(Query, "places", lambda self, document: tried.append(str(self)) or original(self, document))
    index.match(analyse(Paper("x", "A model for the wbord of a model")))
    assert tried == ['"model wbord"']


def test_want_packed_and_unpacked_is_the_same() -> None:
    want = _Want((3, 70_000), (0.5, 2.0), (1, 5, 8), 1.25)
    assert _Want.unpacked(want.packed()) == want


# Changes


def test_index_put_again_replaces_and_remove_takes_out() -> None:
    index = made(a=wanted("agent"), b=wanted("agent"), c=wanted("robot", exclude=("agent",)))
    index.put("a", wanted("tools"))
    assert found(index) == {"a": 1.0, "b": 3.0}
    index.put("c", wanted("agent"))
    assert found(index) == {"a": 1.0, "b": 3.0, "c": 3.0}
    assert index.queries == 2  # nobody asks for robots any more
    index.remove("b")
    assert found(index) == {"a": 1.0, "c": 3.0}
    assert ("b" in index, set(index.keys())) == (False, {"a", "c"})
    with pytest.raises(KeyError):
        index.remove("b")
    for key in "ac":
        index.remove(key)
    assert (found(index), len(index), index.queries) == ({}, 0, 0)
    index.put("d", wanted("agent"))
    assert found(index) == {"d": 3.0}


@settings(max_examples=15)
@given(st.integers(0, 2**32))
def test_index_after_any_changes_is_the_index_made_anew(seed: int) -> None:
    random = Random(seed)
    index, profiles = Index[int](), dict[int, Wanted]()
    choices = [_random(random) for _ in range(5)]
    for _ in range(15):
        key = random.randrange(6)
        if key in profiles and random.random() < 0.3:
            index.remove(key)
            del profiles[key]
        else:
            profiles[key] = random.choice(choices)
            index.put(key, profiles[key])
        document = analyse(random_queries.paper(random))
        anew = Index(profiles.items())
        assert _scores(index, document) == _scores(anew, document)
        assert (len(index), index.queries) == (len(anew), anew.queries)


def _scores(index: Index[int], document: object) -> list[tuple[int, float]]:
    return sorted(index.named(index.match(document)))  # type: ignore[arg-type]


def _random(random: Random) -> Wanted:
    def some(most: int) -> Iterable[str]:
        return [str(random_queries.query(random)) for _ in range(random.randint(0, most))]

    queries = tuple(WeightedQuery(query, random.choice((1.0, 2.0))) for query in some(3))
    return Wanted(queries, tuple(some(1)), random.choice((0.0, 3.0)))


def test_pool_forgets_a_query_that_nobody_holds() -> None:
    pool = Pool()
    first = pool.hold("agent")
    assert (pool.hold("agents AND agents"), pool.hold("agent")) != (first, first)
    assert len(pool) == 2
    pool.drop(first)
    assert pool.points(analyse(PAPER)) == {0: 3.0, 1: 3.0}
    pool.drop(first)
    assert pool.points(analyse(PAPER)) == {1: 3.0}
    with pytest.raises(LookupError, match="nobody holds a query of number 0"):
        pool[first]
    assert pool.hold("robot") == first
    assert pool.points(analyse(Paper("y", "Robots"))) == {first: 2.0}


def test_pool_that_everything_was_given_back_to_keeps_nothing() -> None:
    pool, random = Pool(), Random(5)
    document = analyse(random_queries.paper(random))
    texts = [str(random_queries.query(random)) for _ in range(40)]
    numbers = [pool.hold(text) for text in texts]
    pool.points(document)
    late = [pool.hold(text) for text in texts[:10]] + [pool.hold("agent robot")]  # one that was never looked for
    for number in numbers + late:
        pool.drop(number)
    assert not any((pool._by_text, pool._by_query, pool._named, pool._waiting))
    assert set(pool._held) == {None}
    assert sorted(pool._free) == list(range(len(pool._held)))
    assert pool.points(document) == {}


def test_index_that_everybody_left_keeps_nothing() -> None:
    index = made(
        a=wanted("agent", "tools", "(agent)", "tools", exclude=("zebra", "agents", "(zebra)")),
        b=wanted("agent"),
        c=wanted("agent"),
    )
    for key in "abc":
        index.remove(key)
    assert not any((index._askers, index._excluders, index._want_numbers, index._shared, index._members))
    assert (set(index._wants), set(index._keys)) == ({None}, {None})
    assert index.queries == 0  # also of what was asked for twice
    index.put("d", wanted("robot"))
    assert (len(index._wants), len(index._keys)) == (2, 3)


def test_index_waits_with_a_query_under_its_rarest_word() -> None:
    pool = Pool()
    words = ("agent", "robot", "graph", "zzzzzz")
    for word in words:
        pool.hold(f"model {word}")
    pool.points(analyse(PAPER))
    for number, word in enumerate(words):
        assert (word, "model") in pool[number].pairs
        assert ("model", word) not in pool[number].pairs
