"""Publishing on a real store: what is due becomes editions, each paper told once, each issue composed once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from support.editions import seed_papers
from support.store_room import EVERY_DAY, MONDAY, SNAPSHOT, StoreRoom, at, hour, ids, named, profile, work

from digestd.model import Cadence, Place, Subscriber, Weekday, WeightedQuery
from digestd.publish.compose import MAX_TITLES
from digestd.publish.stage import PublishReport, preview, publish

ADA = "ada@example.org"
NOTHING = PublishReport(0, 0)
DAILY = profile(days=EVERY_DAY)
WEEKLY = profile("Week", cadence=Cadence.WEEKLY)


# The first issue, and those after it


def test_publish_first_issue_is_the_current_one_over_seven_days(room: StoreRoom) -> None:
    week = timedelta(days=7)
    room.ingest([work(1)], MONDAY - week - timedelta(seconds=1))
    room.ingest([work(2)], MONDAY - week)
    room.ingest([work(3), work(4, "robot")], MONDAY)
    room.subscribe(ADA, DAILY)
    assert room.publish() == PublishReport(1, 2)
    (edition,) = room.editions()
    assert (edition.issue, edition.cadence, edition.composed_at) == ("daily:2026-11-23", Cadence.DAILY, MONDAY)
    assert (ids(edition), edition.considered) == (named(2, 3), 3)
    assert (edition.reader.email, edition.sections[0].profile, edition.sections[0].matched) == (ADA, "Agents", 2)


def test_publish_before_the_hour_of_the_first_day_takes_the_issue_of_the_day_before(room: StoreRoom) -> None:
    room.ingest([work(1)])
    room.subscribe(ADA, DAILY)
    room.publish(at(24, 7, 59))
    assert room.told(ADA) == [("daily:2026-11-23", named(1))]


def test_publish_again_at_once_writes_nothing(room: StoreRoom) -> None:
    room.ingest([work(1)])
    room.subscribe(ADA, DAILY, WEEKLY)
    assert room.publish().editions == 1
    assert [room.publish(MONDAY + timedelta(hours=number)) for number in range(3)] == [NOTHING] * 3


def test_publish_next_issue_takes_all_that_came_since_at_its_hour(room: StoreRoom) -> None:
    room.subscribe(ADA, DAILY)
    room.ingest([work(1)])
    room.publish()
    room.ingest([work(2)], at(23, 10))
    room.ingest([work(3)], at(1))  # the clock was wrong: it counts when it came, not when it says
    assert room.publish(at(24, 7, 59)) == NOTHING
    assert room.publish(at(24, 8)) == PublishReport(1, 2)
    assert room.told(ADA)[1] == ("daily:2026-11-24", named(2, 3))
    assert room.editions()[1].considered == 2


def test_publish_without_a_match_writes_nothing_and_the_issue_is_over(room: StoreRoom) -> None:
    room.subscribe(ADA, DAILY)
    room.ingest([work(1, "robot")])
    assert room.publish() == NOTHING
    room.ingest([work(2)], at(23, 10))
    assert room.publish(at(23, 11)) == NOTHING
    assert room.publish(at(24)) == PublishReport(1, 1)


def test_publish_with_send_empty_says_that_there_is_nothing(room: StoreRoom) -> None:
    room.subscribe(ADA, replace(DAILY, send_empty=True), profile("Silent", "robot"))
    assert room.publish() == PublishReport(1, 0)
    (edition,) = room.editions()
    assert [(section.profile, section.entries, section.matched) for section in edition.sections] == [("Agents", (), 0)]
    assert room.publish() == NOTHING


@pytest.mark.parametrize("periods", [1, 3, 30])
def test_publish_after_downtime_is_one_edition_over_all_of_it(room: StoreRoom, periods: int) -> None:
    room.subscribe(ADA, DAILY, WEEKLY)
    room.publish()
    for number in range(periods):
        room.ingest([work(number)], MONDAY + timedelta(days=number, hours=1))
    back = MONDAY + timedelta(days=periods)
    room.publish(back)
    issue = f"daily:{back.date()}"
    told = dict(room.told(ADA))
    assert set(told[issue]) == set(named(*range(periods)))
    assert room.publish(back + timedelta(hours=5)) == NOTHING


def test_publish_weekly_is_on_its_first_day_and_daily_on_its_days(room: StoreRoom) -> None:
    work_days = profile("Daily", "agent", days=(Weekday.TUE, Weekday.FRI))
    room.subscribe(ADA, work_days, profile("Week", "robot", cadence=Cadence.WEEKLY, days=(Weekday.WED, Weekday.FRI)))
    room.publish()
    for day in range(23, 31):
        room.ingest([work(day), work(100 + day, "robot")], at(day, 1))
        room.publish(at(day))
    assert room.told(ADA) == [
        ("daily:2026-11-24", named(23, 24)),
        ("weekly:2026-W48", named(123, 124, 125)),
        ("daily:2026-11-27", named(25, 26, 27)),
    ]


def test_publish_over_a_clock_that_steps_repeats_nothing_and_loses_nothing(room: StoreRoom) -> None:
    room.subscribe(ADA, DAILY)
    for number, now in enumerate(
        [at(23), at(22), at(23, 7), at(24), at(23), at(20), at(25), at(30), at(29), at(30, 23)]
    ):
        room.ingest([work(number)], now)
        room.publish(now)
    told = room.told(ADA)
    assert [issue for issue, _ in told] == [f"daily:2026-11-{day}" for day in (23, 24, 25, 30)]
    assert sorted(one for _, papers in told for one in papers) == named(*range(8))
    room.publish(MONDAY + timedelta(days=8))
    assert room.told(ADA)[-1] == ("daily:2026-12-01", named(8, 9))


def test_publish_a_fraction_of_a_millisecond_early_is_not_due_and_ends(room: StoreRoom) -> None:
    room.subscribe(ADA, DAILY)
    room.ingest([work(1)])
    room.publish()
    room.ingest([work(2)])
    batches: list[int] = []

    def seen(size: int) -> None:
        batches.append(size)
        assert len(batches) < 5, "the same people are due again and again"

    publish(room.store, SNAPSHOT, at(24, 8) - timedelta(microseconds=300), seen)
    assert len(room.editions()) == 1
    assert publish(room.store, SNAPSHOT, at(24, 8)).editions == 1


# One edition for several profiles, and no paper twice


def test_publish_profiles_due_together_make_one_edition_with_a_section_each(room: StoreRoom) -> None:
    room.ingest([work(1, "agent"), work(2, "robot agent"), work(3, "robot")])
    room.subscribe(ADA, profile("Agents", "agent"), profile("Robots", "robot"), profile("None", "nothing"))
    assert room.publish() == PublishReport(1, 3)
    (edition,) = room.editions()
    sections = [(one.profile, [entry.paper.id for entry in one.entries], one.matched) for one in edition.sections]
    assert sections == [("Agents", named(1, 2), 2), ("Robots", named(3), 1)]


@pytest.mark.parametrize("is_first", [True, False])
def test_publish_with_a_new_profile_counts_the_papers_that_either_looked_at(room: StoreRoom, is_first: bool) -> None:
    new = profile("Robots", "robot", days=EVERY_DAY)
    room.ingest([work(1), work(2, "robot")])
    room.people(Subscriber(ADA, profiles=(DAILY,)))
    room.publish()
    room.people(Subscriber(ADA, profiles=(new, DAILY) if is_first else (DAILY, new)))
    room.ingest([work(3)], at(23, 10))
    room.publish(at(24))
    assert room.told(ADA)[1] == ("daily:2026-11-24", named(2, 3) if is_first else named(3, 2))
    assert [edition.considered for edition in room.editions()] == [2, 3]


def test_publish_daily_and_weekly_are_two_editions_without_a_common_paper(room: StoreRoom) -> None:
    room.ingest([work(1), work(2, "robot agent"), work(3, "robot")])
    room.subscribe(ADA, DAILY, profile("Week", "robot", cadence=Cadence.WEEKLY))
    room.publish()
    assert room.told(ADA) == [("daily:2026-11-23", named(1, 2)), ("weekly:2026-W48", named(3))]


def test_publish_profiles_at_different_hours_are_editions_of_the_same_issue(room: StoreRoom) -> None:
    room.subscribe(ADA, DAILY, profile("Late", "agent", "robot", at=hour("10:00"), days=EVERY_DAY))
    room.publish(at(22, 11))
    room.ingest([work(1), work(2, "robot")], at(23, 1))
    assert [room.publish(at(23, one)).editions for one in (8, 9, 10, 11)] == [1, 0, 1, 0]
    assert room.told(ADA) == [("daily:2026-11-23", named(1)), ("daily:2026-11-23", named(2))]
    assert len({edition.id for edition in room.editions()}) == 2


def test_publish_a_paper_that_comes_back_is_not_told_again(room: StoreRoom) -> None:
    paper = work(1, source="arxiv", version=1, abstract="Agents.")
    room.subscribe(ADA, DAILY)
    room.ingest([paper])
    room.publish()
    again = replace(paper, version=2, abstract="Better agents.", source="huggingface")
    room.ingest([again, replace(again, id="doi:10.48550/arxiv.2611.00001"), work(2)], at(23, 12))
    room.publish(at(24))
    told = room.told(ADA)
    assert told[1][1][-1:] == named(2)
    assert named(1)[0] not in told[1][1]


def test_publish_past_the_cap_names_titles_and_counts_the_rest_for_good(room: StoreRoom) -> None:
    many = [work(number, abstract="agent " * (number % 7 + 1)) for number in range(1, MAX_TITLES + 10)]
    room.ingest(many)
    room.subscribe(ADA, replace(DAILY, max_papers=3))
    assert room.publish() == PublishReport(1, MAX_TITLES + 3)
    ((section,),) = (edition.sections for edition in room.editions())
    assert [entry.place for entry in section.entries] == [Place.CARD] * 3 + [Place.TITLE] * MAX_TITLES
    assert [entry.score for entry in section.entries] == sorted((e.score for e in section.entries), reverse=True)
    assert section.matched == len(many)
    assert room.publish(at(24)) == NOTHING


def test_publish_keeps_to_min_score_exclusions_and_weights(room: StoreRoom) -> None:
    room.ingest([work(1), work(2, "survey agent"), work(3, "robot", abstract="agent"), work(4, "robot")])
    room.ingest([work(5, "paper", abstract="agent")])
    queries = (WeightedQuery("agent"), WeightedQuery("title:robot", 3.0))
    room.subscribe(ADA, replace(DAILY, queries=queries, exclude=("survey",), min_score=2.0))
    room.publish()
    assert room.told(ADA)[0][1] == named(3, 4, 1)
    first, *_ = room.editions()[0].sections[0].entries
    assert (first.queries, first.score) == (("title:robot", "agent"), 7.0)


def test_publish_a_near_copy_is_told_in_the_card_of_the_other_and_not_again(room: StoreRoom) -> None:
    abstract = " ".join(f"agent{number} in a sentence" for number in range(12))
    room.ingest([work(1, "agent", abstract=abstract), work(2, "an agent", abstract=abstract), work(3)])
    room.subscribe(ADA, DAILY)
    assert room.publish() == PublishReport(1, 3)
    entries = room.editions()[0].sections[0].entries
    assert sorted((entry.paper.title, entry.place) for entry in entries) == [
        ("agent 1", Place.CARD),
        ("agent 3", Place.CARD),
        ("an agent 2", Place.FOLDED),
    ]
    assert [entry.place for entry in entries] in (
        [Place.CARD, Place.FOLDED, Place.CARD],
        [*[Place.CARD] * 2, Place.FOLDED],
    )
    assert preview(room.store, room.store.subscribers.find(ADA).pk, at(24)) == []
    assert room.publish(at(24)) == NOTHING


# Alerts


def test_publish_alert_comes_at_once_and_not_again_with_the_digest(room: StoreRoom) -> None:
    room.subscribe(ADA, replace(DAILY, alert=("urgent",)))
    room.publish()
    room.ingest([work(1, "urgent agent"), work(2)], at(23, 10))
    assert room.publish(at(23, 10)) == PublishReport(1, 1)
    room.publish(at(24))
    first, second = room.editions()
    assert (first.cadence, first.issue, ids(first)) == (Cadence.IMMEDIATE, "immediate:000000000002", named(1))
    assert (second.cadence, ids(second)) == (Cadence.DAILY, named(2))


def test_publish_alert_and_digest_of_the_same_moment_share_no_paper(room: StoreRoom) -> None:
    room.ingest([work(1, "urgent agent"), work(2)])
    room.subscribe(ADA, replace(DAILY, alert=("urgent",)))
    room.publish()
    assert room.told(ADA) == [("immediate:000000000002", named(1)), ("daily:2026-11-23", named(2))]


def test_publish_immediate_profile_at_each_arrival_and_at_no_other_time(room: StoreRoom) -> None:
    room.subscribe(ADA, replace(DAILY, cadence=Cadence.IMMEDIATE, alert=("robot",)))
    assert room.publish() == NOTHING
    room.ingest([work(1)])
    assert [room.publish(at(23, 3)).editions, room.publish(at(23, 4)).editions] == [1, 0]
    room.ingest([work(2, "robot"), work(3, "nothing")])
    assert room.publish(at(23, 3)).papers == 1
    assert [issue for issue, _ in room.told(ADA)] == ["immediate:000000000001", "immediate:000000000003"]


def test_publish_alert_is_never_empty_nor_has_an_empty_section(room: StoreRoom) -> None:
    silent = replace(DAILY, name="Silent", alert=("nothing",), send_empty=True)
    room.subscribe(ADA, silent, replace(DAILY, name="Loud", alert=("urgent",)))
    room.publish()
    room.ingest([work(1)], at(23, 10))
    assert room.publish(at(23, 10)) == NOTHING
    room.ingest([work(2, "urgent")], at(23, 11))
    room.publish(at(23, 11))
    assert [section.profile for section in room.editions()[-1].sections] == ["Loud"]


# Preview


def test_preview_is_what_publish_then_writes_and_changes_nothing(room: StoreRoom) -> None:
    room.ingest([work(1, "urgent agent"), work(2), work(3, "robot"), work(4, "robot agent")])
    ada = room.subscribe(ADA, replace(DAILY, alert=("urgent",)), WEEKLY, profile("Robots", "robot", max_papers=1))
    before = room.store.editions.profiles_of(ada)
    shown = preview(room.store, ada, MONDAY)
    assert preview(room.store, ada, MONDAY) == shown
    assert room.store.editions.profiles_of(ada) == before
    assert room.editions() == []
    room.publish()
    assert shown == room.editions()
    assert [one.cadence for one in shown] == [Cadence.IMMEDIATE, Cadence.DAILY]


def test_preview_between_two_issues_is_the_coming_one_at_its_hour(room: StoreRoom) -> None:
    ada = room.subscribe(ADA, profile("Late", "robot", at=hour("10:00"), days=EVERY_DAY), DAILY)
    room.publish(at(23, 11))
    room.ingest([work(1), work(2, "robot")], at(23, 12))
    shown = preview(room.store, ada, at(23, 13))
    assert [(one.issue, one.composed_at, ids(one)) for one in shown] == [
        ("daily:2026-11-24", at(24, 8), named(1)),
        ("daily:2026-11-24", at(24, 10), named(2)),
    ]
    room.publish(at(24, 8))
    room.publish(at(24, 10))
    assert shown == room.editions()


def test_preview_with_nothing_new_is_nothing_unless_empty_ones_are_sent(room: StoreRoom) -> None:
    ada = room.subscribe(ADA, DAILY)
    ben = room.subscribe("ben@example.org", replace(DAILY, send_empty=True))
    assert preview(room.store, ada, MONDAY) == []
    (shown,) = preview(room.store, ben, MONDAY)
    assert [section.entries for section in shown.sections] == [()]


def test_preview_after_a_clock_that_was_ahead_is_the_first_issue_not_yet_composed(room: StoreRoom) -> None:
    ada = room.subscribe(ADA, DAILY)
    room.publish(at(26))
    room.ingest([work(1)])
    (shown,) = preview(room.store, ada, at(23))
    assert (shown.issue, shown.composed_at) == ("daily:2026-11-27", at(27, 8))


def test_publish_of_the_seeds_places_every_paper_that_has_the_word(room: StoreRoom) -> None:
    papers = seed_papers()
    room.ingest(papers)
    room.subscribe(ADA, profile("Models", '"language model"', "agent", max_papers=200))
    room.publish()
    (edition,) = room.editions()
    words = ("language model", "agent")
    plain = {paper.id for paper in papers if any(word in f"{paper.title} {paper.abstract}".lower() for word in words)}
    assert plain <= set(ids(edition)) < {paper.id for paper in papers}
    assert edition.considered == len(papers) == 82
