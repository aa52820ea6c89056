"""What a profile wants, explained on one paper; and what a query requires."""

from __future__ import annotations

import pytest
from support.match_values import PAPER, wanted

from digestd.match.document import analyse
from digestd.match.plan import requirements
from digestd.match.query import parse_query
from digestd.match.wanted import distinct, explain
from digestd.model import Field, Match, Span, WeightedQuery


def test_explain_says_what_became_of_each_query_and_exclusion() -> None:
    report = explain(wanted("agent", WeightedQuery("robot", 2.0), exclude=("medical", "survey")), analyse(PAPER))
    robot, agent = report.queries
    assert (robot.query, robot.weight, robot.spans, dict(robot.parts), robot.score) == ("robot", 2.0, None, {}, 0.0)
    assert agent.spans == (Span(Field.ABSTRACT, 3, 8), Span(Field.TITLE, 9, 15))
    assert dict(agent.parts) == {Field.TITLE: 2.0, Field.ABSTRACT: 1.0}
    assert agent.score == report.score == 3.0
    assert report.excluded_by == ("survey",)
    assert report.match is None


def test_explain_names_the_queries_that_hit_heaviest_first() -> None:
    queries = (WeightedQuery("tools", 0.5), WeightedQuery("robot", 5.0), WeightedQuery("survey", 2.0))
    report = explain(wanted(*queries, WeightedQuery("agent", 2.0)), analyse(PAPER))
    assert report.match == Match(("survey", "agent", "tools"), report.score)


def test_distinct_keeps_the_heavier_of_two_spellings() -> None:
    asked = (WeightedQuery("agent tools"), WeightedQuery("agent AND tools", 3.0), WeightedQuery("robot", 2.0))
    assert [one for one, _ in distinct(asked)] == [asked[1], asked[2]]


def test_explain_of_a_score_too_low_names_both_numbers() -> None:
    report = explain(wanted("agent", min_score=5.0), analyse(PAPER))
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
