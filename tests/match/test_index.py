"""The compiled profile set and its explanation."""

from __future__ import annotations

import pytest

from digestd.errors import QueryError
from digestd.match.document import analyse
from digestd.match.index import Index, Wanted, explain
from digestd.match.plan import requirements
from digestd.match.query import Query, parse_query
from digestd.model import Field, Match, Paper, Span, WeightedQuery

PAPER = Paper("x", "Language agents", abstract="An agent with tools. A survey.", categories=("cs.CL",))


def _wanted(*queries: str | WeightedQuery, exclude: tuple[str, ...] = (), min_score: float = 0.0) -> Wanted:
    asked = tuple(WeightedQuery(query) if isinstance(query, str) else query for query in queries)
    return Wanted(asked, exclude, min_score)


def test_index_gives_each_profile_its_match_in_the_order_given() -> None:
    index = Index({
        "b": _wanted("agent"),
        "none": _wanted("robot", "title:survey"),
        "excluded": _wanted("agent", exclude=("robot", "survey")),
        "a": _wanted("tools", WeightedQuery("robot", 9.0), exclude=("title:survey",)),
    })  # fmt: skip
    assert index.match(analyse(PAPER)) == {"b": Match(("agent",), 3.0), "a": Match(("tools",), 1.0)}
    assert list(index.match(analyse(PAPER))) == ["b", "a"]
    assert index.match(analyse(Paper("y", "Robots"))) == {
        "none": Match(("robot",), 2.0),
        "a": Match(("robot",), 18.0),
    }


def test_index_names_the_queries_that_hit_heaviest_first() -> None:
    queries = (
        WeightedQuery("tools", 0.5),
        WeightedQuery("robot", 5.0),
        WeightedQuery("survey", 2.0),
        WeightedQuery("agent", 2.0),
    )
    assert Index({1: Wanted(queries)}).match(analyse(PAPER))[1].queries == ("survey", "agent", "tools")


@pytest.mark.parametrize(("min_score", "matches"), [(3.0, True), (3.0001, False), (-1.0, True)])
def test_index_leaves_out_what_scores_too_little(min_score: float, matches: bool) -> None:
    assert bool(Index({1: _wanted("agent", min_score=min_score)}).match(analyse(PAPER))) is matches


def test_index_counts_a_query_once_however_often_it_is_spelt() -> None:
    wanted = _wanted("agent tools", WeightedQuery("agent AND tools", 3.0), WeightedQuery("(agent) tools", 2.0))
    found = Index({1: wanted}).match(analyse(PAPER))[1]
    assert found.queries == ("agent AND tools",)
    assert found.score == pytest.approx(3 * (4 / 2 + 2 * 2 / 3), abs=1e-4)


def test_index_without_profiles_or_queries_matches_nothing() -> None:
    assert Index[int]({}).match(analyse(PAPER)) == {}
    assert Index({1: _wanted(exclude=("robot",))}).match(analyse(PAPER)) == {}


@pytest.mark.parametrize("wanted", [_wanted("agent", "(tool"), _wanted("agent", exclude=("NOT a",))])
def test_index_of_a_bad_query_is_refused(wanted: Wanted) -> None:
    with pytest.raises(QueryError):
        Index({1: wanted})
    with pytest.raises(QueryError):
        explain(wanted, analyse(PAPER))


@pytest.mark.parametrize(
    "query",
    ["agent", "agents*", "=agents", '"language agents"', "category:cs.CL", "category:cs.*", "cs*", "cs", "=cs.CL",
     "a-gen*", "language-a*",
     "robot OR agent", "agent -robot", "-(-agent OR robot)", '"agent language"~3', "(robot OR language) NEAR/2 agent",
     "la nguage", "lang* agent", "category:=cs.CL"],
)  # fmt: skip
def test_index_tries_every_kind_of_query(query: str) -> None:
    assert Index({1: _wanted(query)}).match(analyse(PAPER))
    assert not Index({1: _wanted(query)}).match(analyse(Paper("y", "Nothing of it", categories=("math.CO",))))


def test_index_tries_only_queries_whose_required_word_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    queries = {number: _wanted(f'"model w{chr(97 + number)}ord"') for number in range(20)}
    tried: list[str] = []
    index = Index(queries)
    original = Query.spans
    monkeypatch.setattr(Query, "spans", lambda self, document: tried.append(str(self)) or original(self, document))
    index.match(analyse(Paper("x", "A model for the wbord of a model")))
    assert tried == ['"model wbord"']


def test_explain_says_what_became_of_each_query_and_exclusion() -> None:
    report = explain(_wanted("agent", WeightedQuery("robot", 2.0), exclude=("medical", "survey")), analyse(PAPER))
    robot, agent = report.queries
    assert (robot.query, robot.weight, robot.spans, dict(robot.parts), robot.score) == ("robot", 2.0, None, {}, 0.0)
    assert agent.spans == (Span(Field.ABSTRACT, 3, 8), Span(Field.TITLE, 9, 15))
    assert dict(agent.parts) == {Field.TITLE: 2.0, Field.ABSTRACT: 1.0}
    assert agent.score == report.score == 3.0
    assert report.excluded_by == ("survey",)
    assert report.match is None


def test_explain_of_a_score_too_low_names_both_numbers() -> None:
    report = explain(_wanted("agent", min_score=5.0), analyse(PAPER))
    assert (report.match, report.score, report.min_score, report.excluded_by) == (None, 3.0, 5.0, ())


@pytest.mark.parametrize(
    ("query", "required"),
    [
        ("title:agent", [{"agent"}]),
        ("title:(agent robot)", [{"agent", "agentrobot"}, {"robot", "agentrobot"}]),
        ("title:(agent OR robots)", [{"agent", "robot"}]),
        ("title:(agent -robot)", [{"agent"}]),
        ("title:a-b*", [{"a", "ab*"}]),  # no key for words that begin with one letter
        ("cs.CL", [{"cs", "=cs.cl"}, {"cl", "=cs.cl"}]),
        ("title:=agents", [{"agent"}]),
        ('title:"data base"', [{"data", "databas"}, {"base", "databas"}]),
    ],
)
def test_requirements_of_a_query_are_keys_that_a_hit_cannot_lack(query: str, required: list[set[str]]) -> None:
    assert requirements(parse_query(query).plan) == required
