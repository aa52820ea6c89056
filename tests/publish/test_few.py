"""A digest that is short or empty says why, and what came as alerts is not repeated, or listed where that is set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from support.editions import edition, entry, paper, section
from support.pages import Page, many, shown
from support.store_room import EVERY_DAY, MONDAY, SNAPSHOT, StoreRoom, at, named, profile, work

from digestd.model import Cadence, Edition, LeftOut, Subscriber
from digestd.publish.due import AlertRules
from digestd.publish.render import LONGEST_HTML
from digestd.publish.stage import preview, publish
from digestd.publish.wording import intro, summary

ADA = "ada@example.org"
LISTED = AlertRules(listed=True)
FRIDAY = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


# In words


@pytest.mark.parametrize(
    ("matched", "left_out", "expected"),
    [
        (2, LeftOut(), "2 papers, best match first"),
        (2, LeftOut(below=14), "Only 2 papers: 14 scored below your min_score"),
        (1, LeftOut(alerted=1), "Only 1 paper: 1 already came as an alert"),
        (0, LeftOut(), "No papers this time"),
        (0, LeftOut(excluded=1), "No papers this time: 1 was taken out by your exclusions"),
        (
            3,
            LeftOut(1_400, 2, 3, 4),
            "Only 3 papers: 1,400 scored below your min_score, 2 were taken out by your exclusions, "
            "3 already came as alerts and 4 came with another of your profiles",
        ),
        (4, LeftOut(below=14), "4 papers, best match first"),
    ],
)
def test_summary_of_few_papers_says_why_they_are_few(matched: int, left_out: LeftOut, expected: str) -> None:
    assert summary(section(*many(matched))._replace(left_out=left_out)) == expected


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (edition(section(), considered=0), "No new papers have come in since Friday. We keep looking."),
        (edition(section()), "Nothing among 82 new papers matches what you follow. No more have come in since Friday."),
        (edition(), "1 of 82 new papers matches what you follow. Nothing new has come in since Friday."),
        (edition(section(*many(4))), "4 of 82 new papers match what you follow."),
        (
            edition(section()._replace(left_out=LeftOut(below=2)), considered=7),
            "Nothing among 7 new papers is left for this digest. No more have come in since Friday. We keep looking.",
        ),
    ],
)
def test_intro_of_few_papers_says_since_when_nothing_came(of: Edition, expected: str) -> None:
    assert intro(of._replace(quiet_since=FRIDAY)).startswith(expected)


def test_intro_after_more_than_a_week_names_the_date_of_the_readers_calendar() -> None:
    late = edition(section(), considered=0, quiet_since=datetime(2026, 11, 9, 23, 30, tzinfo=UTC))
    assert intro(late) == "No new papers have come in since 10 November 2026. We keep looking."


# As it is published


def test_publish_counts_why_a_section_is_short(room: StoreRoom) -> None:
    room.ingest([work(1), work(2, "robot", abstract="An agent."), work(3, "agent survey"), work(4, "graph agent")])
    strict = profile(min_score=2.0, exclude=("survey",), days=EVERY_DAY)
    graphs = profile("Graphs", "graph", cadence=Cadence.IMMEDIATE)
    other = profile("Other", "title:agent", days=EVERY_DAY)
    room.people(Subscriber(ADA, profiles=(strict, graphs, other)))
    room.publish()
    alert, digest = room.editions(ADA)
    assert [one.left_out for one in alert.sections] == [LeftOut()]
    first, second = digest.sections
    assert (first.matched, first.left_out) == (1, LeftOut(below=1, excluded=1, alerted=1))
    assert (second.matched, second.left_out) == (1, LeftOut(alerted=1, elsewhere=1))
    assert digest.already == ()


def test_publish_counts_an_alert_once_whatever_else_holds_it_back(room: StoreRoom) -> None:
    both = profile("Both", "robot", alert=("title:agent",), min_score=2.0, send_empty=True, days=EVERY_DAY)
    room.subscribe(ADA, both)
    room.ingest([work(1, "agent", abstract="A robot.")])
    assert room.publish().editions == 2
    assert room.editions(ADA)[1].sections[0].left_out == LeftOut(alerted=1)


def test_publish_of_an_empty_digest_says_since_when_nothing_came(room: StoreRoom) -> None:
    room.subscribe(ADA, profile(send_empty=True, days=EVERY_DAY))
    room.ingest([work(1)], at(20))
    for day in (20, 21, 22):
        room.publish(at(day))
    quiet = [one.quiet_since for one in room.editions(ADA)]
    assert quiet == [None, at(20), at(20)], "a day without papers is quiet, not less"
    assert "since Friday" in intro(room.editions(ADA)[2])


def test_digest_lists_the_alerts_of_each_of_its_profiles(room: StoreRoom) -> None:
    first, second = (profile(word, word, alert=(f"{word} urgent",), days=EVERY_DAY) for word in ("agent", "robot"))
    room.subscribe(ADA, first, second)
    room.ingest([work(1, "agent urgent"), work(2, "robot urgent"), work(3, "agent"), work(4, "robot")])
    publish(room.store, SNAPSHOT, MONDAY, rules=LISTED)
    alert, digest = room.editions(ADA)
    assert [one.paper.id for part in alert.sections for one in part.entries] == named(1, 2)
    assert [one.id for one in digest.already] == named(2, 1)


def test_digest_lists_what_came_as_alerts_only_where_that_is_set_and_only_once(room: StoreRoom) -> None:
    alerting = profile("Agents", "agent", alert=("agent robot",), days=EVERY_DAY)
    for address in (ADA, "ben@example.org"):
        room.subscribe(address, alerting)
    room.ingest([work(1), work(2, "agent robot"), work(3, "agent robot")], at(23))
    publish(room.store, SNAPSHOT, at(23), rules=LISTED)
    room.ingest([work(4), work(5, "agent robot")], at(24))
    publish(room.store, SNAPSHOT, at(24), rules=LISTED)
    room.ingest([work(6), work(7, "agent robot", title="Changed agent robot")], at(24, 10))
    ada = room.store.subscribers.find(ADA).pk
    publish(room.store, SNAPSHOT, at(24, 10), rules=LISTED)
    room.ingest([work(7, "agent robot", version=2, title="Changed again")], at(24, 11))
    assert [one.already for one in preview(room.store, ada, at(25)) if one.cadence is Cadence.DAILY] == [()]
    shown_before = preview(room.store, ada, at(25), rules=LISTED)
    publish(room.store, SNAPSHOT, at(25), rules=LISTED)
    listed = [[one.id for one in each.already] for each in room.editions(ADA) if each.cadence is Cadence.DAILY]
    assert listed == [named(3, 2), named(5), named(7)]
    last = room.editions(ADA)[-1]
    assert (last.already, last.sections) == (shown_before[-1].already, shown_before[-1].sections)
    assert last.already[0].title == "Changed agent robot", "as it was told"
    assert ADA in {one.reader.email for one in room.editions()}


def test_digest_lists_no_alert_of_a_profile_that_has_nothing_to_do_with_it(room: StoreRoom) -> None:
    graphs = profile("Graphs", "graph", cadence=Cadence.IMMEDIATE, exclude=("survey",))
    room.people(Subscriber(ADA, profiles=(graphs, profile(days=EVERY_DAY))))
    room.ingest([work(1), work(2, "graph"), work(3, "graph survey")])
    publish(room.store, SNAPSHOT, MONDAY, rules=LISTED)
    alert, digest = room.editions(ADA)
    assert (digest.already, digest.sections[0].left_out) == ((), LeftOut())
    assert alert.sections[0].left_out == LeftOut(), "an alert is not short"


def test_digest_lists_no_alert_of_before_the_last_one_though_a_weekly_one_looks_further_back(room: StoreRoom) -> None:
    daily = profile("Agents", "agent", alert=("agent robot",), days=EVERY_DAY)
    weekly = profile("Week", "graph", cadence=Cadence.WEEKLY)
    room.people(Subscriber(ADA, profiles=(daily, weekly)))
    room.ingest([work(1), work(2, "graph"), work(3, "agent robot")])
    publish(room.store, SNAPSHOT, MONDAY, rules=LISTED)
    for day in (24, 30):
        room.ingest([work(day), work(100 + day, "graph"), work(200 + day, "agent robot")], at(day, 7))
        publish(room.store, SNAPSHOT, at(day), rules=LISTED)
    digests = [one for one in room.editions(ADA) if one.cadence is Cadence.DAILY]
    assert [[each.id for each in one.already] for one in digests] == [named(3), named(224), named(230)]


def test_digest_of_nothing_but_alerts_is_not_sent(room: StoreRoom) -> None:
    room.subscribe(ADA, profile("Agents", "agent", alert=("agent",), days=EVERY_DAY))
    room.ingest([work(1)])
    assert publish(room.store, SNAPSHOT, MONDAY, rules=LISTED).editions == 1
    assert [one.cadence for one in room.editions(ADA)] == [Cadence.IMMEDIATE]


# As it is shown


def test_alerts_are_listed_small_at_the_end_of_both_parts() -> None:
    rendered = shown(edition(already=(paper(7, title="Told <before>"), paper(8))))
    page = Page(rendered.html)
    assert page.text("h3").endswith("Already sent as alerts")
    assert "Told &lt;before&gt;" in rendered.html
    assert rendered.html.index("Told &lt;before&gt;") > rendered.html.index("Agent Study 1")
    text = rendered.text.partition("Already sent as alerts:\n")[2]
    assert text.startswith("\n  - Told <before>\n    https://arxiv.org/abs/2310.00007\n  - Agent Study 8")
    assert "Already sent" not in shown().text + shown().html


def test_many_alerts_are_counted_past_thirty_and_give_way_to_papers() -> None:
    many_alerts = tuple(paper(number) for number in range(100, 133))
    rendered = shown(edition(already=many_alerts))
    assert rendered.html.count("arxiv.org/abs/2310.001") == 30
    assert "\n  - 3 more.\n" in rendered.text
    assert ">3 more.<" in rendered.html
    cards = tuple(entry(paper(number, abstract="agent " * 200)) for number in range(60))
    full = shown(edition(section(*cards), already=many_alerts))
    assert len(full.html.encode()) <= LONGEST_HTML
    assert "\n  - 33 papers.\n" in full.text
    without = shown(edition(section(*cards)))
    assert full.html.count('class="card"') >= without.html.count('class="card"') - 1


def test_alerts_and_why_are_kept_with_the_edition_so_that_a_second_rendering_is_the_same(room: StoreRoom) -> None:
    room.subscribe(ADA, profile("Agents", "agent", alert=("robot",), min_score=2.0, days=EVERY_DAY))
    room.ingest([work(1), work(2, "graph", abstract="An agent."), work(3, "robot")], at(22))
    publish(room.store, SNAPSHOT, at(23, 23), rules=LISTED)
    before = shown(room.editions(ADA)[-1])
    room.ingest([work(3, "robot", version=2, title="Another title")], at(24) + timedelta(hours=1))
    room.people(Subscriber(ADA, profiles=(profile("Agents", "graph"),)))
    assert shown(room.editions(ADA)[-1]) == before
    assert "Only 1 paper: 1 scored below your min_score and 1 already came as an alert" in before.text.replace(
        "\n", " "
    )
    assert "Nothing new has come in since Sunday." in " ".join(before.text.split())
