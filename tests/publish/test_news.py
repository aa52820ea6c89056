"""What profiles find among the papers of one publishing, and that each query is looked for once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from support.match_values import wanted

from digestd.errors import QueryError
from digestd.match import rank
from digestd.match.query import parse_query
from digestd.model import Paper, StoredPaper, WeightedQuery
from digestd.publish import news as room
from digestd.publish.news import Findings, News

NOW = datetime(2026, 11, 23, tzinfo=UTC)
TITLES = ("Agents", "Robots", "Agents and Robots", "Surveys of Agents", "Nothing", "Agents")


def stored(number: int, title: str) -> StoredPaper:
    return StoredPaper(number, 100 + number, NOW, Paper(f"p:{number}", title))


class Shelf:
    """Papers in order of arrival, and what was read of them."""

    def __init__(self, *titles: str) -> None:
        self.papers = [stored(number, title) for number, title in enumerate(titles, 1)]
        self.read: list[tuple[int, int]] = []

    def __call__(self, after: int, upto: int) -> Sequence[StoredPaper]:
        self.read.append((after, upto))
        return [paper for paper in self.papers if after < paper.pk <= upto]

    def news(self) -> News:
        return News(self, len(self.papers), lambda: 1)


def numbers(findings: Findings) -> list[int]:
    return [found.stored.pk for found in findings.found]


def test_news_reads_only_as_far_back_as_somebody_looks() -> None:
    shelf = Shelf(*TITLES)
    news = shelf.news()
    assert (news.first, shelf.read) == (1, [])
    assert numbers(news.findings(wanted("agent"), 4)) == [6]
    assert numbers(news.findings(wanted("agent"), 1)) == [3, 4, 6]
    assert numbers(news.findings(wanted("agent"), 2)) == [3, 4, 6]
    assert [news.findings(wanted("agent"), after).looked for after in (1, 3, 5, 6)] == [5, 3, 1, 0]
    assert numbers(news.findings(wanted("agent"), 0)) == [1, 3, 4, 6]
    assert shelf.read == [(4, 6), (1, 4), (0, 1)]


def test_news_tells_how_many_papers_each_query_hits_beyond_the_horizon() -> None:
    news = Shelf(*TITLES).news()
    news.findings(wanted("agent"), 3)
    asked = ("agent", WeightedQuery("robot", 2.0), "(agent)", "zebra", WeightedQuery("robot", 0.5))
    found = news.findings(wanted(*asked, exclude=("survey",)), 1)
    assert (found.looked, found.hits) == (5, (("robot", 2), ("agent", 3), ("zebra", 0)))
    assert [(one.entry.queries, one.entry.score) for one in found.found] == [
        (("robot",), 4.0),
        (("robot", "agent"), 6.0),
        (("agent",), 2.0),
    ]
    rare = rank.rarity(2, 5), rank.rarity(3, 5)
    assert found.found[1].entry.standing == pytest.approx(4 * rare[0] + 2 * rare[1], abs=1e-4)


def test_news_keeps_to_min_score() -> None:
    news = Shelf(*TITLES).news()
    assert numbers(news.findings(wanted("agent", "robot", min_score=4.0), 0)) == [3]


def test_news_reads_and_looks_for_each_query_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    monkeypatch.setattr(room, "parse_query", lambda text: read.append(text) or parse_query(text))
    news = Shelf(*TITLES).news()
    first = news.findings(wanted("agent", "robot"), 0)
    assert news.findings(wanted("agent", "robot"), 0) is first
    news.findings(wanted("robot", exclude=("agent",)), 2)
    assert sorted(read) == ["agent", "robot"]


def test_news_forgets_queries_past_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_QUERIES", 2)
    news = Shelf(*TITLES).news()
    for query in ("agent", "robot", "survey", "agent"):
        assert news.findings(wanted(query), 0).looked == 6
    assert numbers(news.findings(wanted("agent", "robot"), 1)) == [2, 3, 4, 6]


def test_news_forgets_what_it_weighed_past_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_READY", 5)
    news = Shelf(*TITLES).news()
    for query in ("agent", "robot", "agent"):  # four hits, two, four
        assert numbers(news.findings(wanted(query), 0)) == ([1, 3, 4, 6] if query == "agent" else [2, 3])
        assert news._ready <= 5
    assert numbers(news.findings(wanted("agent", "robot"), 0)) == [1, 2, 3, 4, 6]


def test_news_without_papers_is_empty() -> None:
    shelf = Shelf()
    assert shelf.news().findings(wanted("agent"), 0) == Findings()
    with pytest.raises(QueryError):
        Shelf(*TITLES).news().findings(wanted("(agent"), 0)


def test_news_knows_near_copies_also_across_what_was_read_apart() -> None:
    shelf = Shelf()
    abstract = " ".join(f"word{number} of a sentence" for number in range(12))
    shelf.papers = [
        StoredPaper(number, number, NOW, Paper(f"p:{number}", "Agents", abstract=text))
        for number, text in enumerate((abstract, "Something else.", abstract, abstract + " And more."), 1)
    ]
    news = shelf.news()
    news.findings(wanted("agent"), 2)
    assert news.near == {3: {4}, 4: {3}}
    news.findings(wanted("agent"), 0)
    assert news.near == {1: {3, 4}, 3: {1, 4}, 4: {1, 3}}
