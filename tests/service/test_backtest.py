"""What a profile would have sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from support.store_room import profile

from digestd.errors import QueryError
from digestd.model import Paper, StoredPaper, WeightedQuery
from digestd.service import backtest as room
from digestd.service.backtest import Backtest, QueryYield, backtest

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


def _papers(*titles: tuple[int, str]) -> list[StoredPaper]:
    """Return papers that came so many days before NOW."""
    return [
        StoredPaper(number, number, NOW - timedelta(days=back), Paper(f"p:{number}", title))
        for number, (back, title) in enumerate(titles, 1)
    ]


PAPERS = _papers(
    (3, "Too Old an Agent"), (2, "Agents"), (2, "Robots"), (1, "Agents and Robots"), (1, "A Survey of Agents"),
    (0, "Nothing"), (0, "Surveys"), (0, "Else"),
)  # fmt: skip


def _test(*queries: str | WeightedQuery, days: int = 3, **values: object) -> Backtest:
    asked = tuple(WeightedQuery(query) if isinstance(query, str) else query for query in queries)
    return backtest(replace(profile(**values), queries=asked), PAPERS, NOW, days)


def test_backtest_counts_by_day_what_came_and_what_matches() -> None:
    found = _test("agent", "robot", exclude=("survey", "nothing"))
    assert found.days == (date(2026, 11, 21), date(2026, 11, 22), date(2026, 11, 23))
    assert (found.looked, found.matched) == ((2, 2, 3), (2, 1, 0))
    assert found.excluded == (("survey", 1), ("nothing", 0))
    assert [(one.id, one.day, one.score, one.queries) for one in found.sent] == [
        ("p:4", date(2026, 11, 22), 4.0, ("agent", "robot")),
        ("p:2", date(2026, 11, 21), 2.0, ("agent",)),
        ("p:3", date(2026, 11, 21), 2.0, ("robot",)),
    ]


def test_backtest_says_of_each_query_what_it_hits_and_adds() -> None:
    found = _test("agents and robots", WeightedQuery("robot", 2.0), "zebra", "agent", alert=("surveys", "robot"))
    assert found.queries == (
        QueryYield("robot", 2.0, True, 2, 1, 7, (1, 1, 0)),
        QueryYield("agents and robots", 1.0, False, 1, 0, 7, (0, 1, 0), ("robot", "agent")),
        QueryYield("zebra", 1.0, False, 0, 0, 7, (0, 0, 0)),
        QueryYield("agent", 1.0, False, 3, 1, 7, (1, 2, 0)),
        QueryYield("surveys", 1.0, True, 2, 1, 7, (0, 1, 1)),
    )
    notes = ["", "adds no paper to robot", "never hits", "hits 43% of all papers", ""]
    assert [one.note for one in found.queries] == notes


def test_backtest_says_of_a_query_that_adds_no_paper_to_which_others() -> None:
    many = _papers((0, "Agents"), (0, "Robots"), (0, "Agents and Robots"), *((0, "Nothing") for _ in range(20)))
    texts = ("agent OR robot", "agent", "robot", "title:agents robots", "agent -robot OR robot -agent")
    found = backtest(
        replace(profile(alert=("agent AND robot",)), queries=tuple(map(WeightedQuery, texts))), many, NOW, 1
    )
    by_query = {one.query: one for one in found.queries}
    assert by_query["agent"].inside == ("agent OR robot",)
    assert by_query["title:agents robots"].inside == ("agent AND robot", "agent", "robot", "agent OR robot")
    assert by_query["title:agents robots"].note == "adds no paper to agent AND robot"
    assert by_query["agent OR robot"].note == "adds no paper to the others together"
    assert by_query["agent AND robot"].note == ""  # an alert: it comes at once


def test_backtest_tells_what_min_score_keeps_back() -> None:
    found = _test("agent", "robot", min_score=3.0)
    assert (found.below, found.matched) == (3, (0, 1, 0))
    assert _test("agent", "robot", min_score=4.0).matched == (0, 1, 0)
    assert _test("agent", "robot", min_score=4.0001).matched == (0, 0, 0)


def test_backtest_blames_an_exclusion_only_for_what_it_takes_away_alone() -> None:
    assert _test("agent", exclude=("survey", "of", "robot")).excluded == (("survey", 0), ("of", 0), ("robot", 1))


def test_backtest_reckons_days_in_the_time_zone_of_the_profile() -> None:
    assert _test("agent", days=1, timezone="Pacific/Kiritimati").days == (date(2026, 11, 23),)
    late = replace(profile(), timezone="Pacific/Kiritimati")
    (one,) = _papers((0, "Agents"))
    evening = replace(one, ingested_at=datetime(2026, 11, 22, 11, tzinfo=UTC))
    assert backtest(late, [evening], NOW, 1).matched == (1,)
    assert backtest(replace(late, timezone="UTC"), [evening], NOW, 1).looked == (0,)


def test_backtest_in_several_stretches_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _test("agent", "robot", exclude=("survey",))
    monkeypatch.setattr(room, "AT_A_TIME", 2)
    assert _test("agent", "robot", exclude=("survey",)) == whole


def test_backtest_without_papers_or_of_a_bad_query() -> None:
    assert backtest(profile(), [], NOW, 2).queries == (QueryYield("agent", 1.0, False, 0, 0, 0, (0, 0)),)
    with pytest.raises(QueryError):
        _test("(agent")
