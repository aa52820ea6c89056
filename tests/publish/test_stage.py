"""Publishing on a real store: what is due becomes editions, each paper told once, each issue composed once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from support.editions import seed_papers
from support.store_room import EVERY_DAY, MONDAY, SNAPSHOT, StoreRoom, at, hour, ids, named, opened, profile, work

from digestd.model import Cadence, Place, Snapshot, Subscriber, SubscriberState, Weekday, WeightedQuery
from digestd.publish.compose import MAX_TITLES
from digestd.publish.stage import BATCH, PublishReport, preview, publish
from digestd.store.open import SqliteStore

ADA = "ada@example.org"
NOTHING = PublishReport(0, 0)
DAILY = profile(days=EVERY_DAY)
WEEKLY = profile("Week", cadence=Cadence.WEEKLY)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[StoreRoom]:
    with opened(tmp_path / "digestd.db") as made:
        yield made


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
    queries = (WeightedQuery("agent"), WeightedQuery("title:robot", 3.0))
    room.subscribe(ADA, replace(DAILY, queries=queries, exclude=("survey",), min_score=2.0))
    room.publish()
    assert room.told(ADA)[0][1] == named(3, 4, 1)
    first, *_ = room.editions()[0].sections[0].entries
    assert (first.queries, first.score) == (("title:robot", "agent"), 7.0)


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


# People who pause, change their minds, or leave


@pytest.mark.parametrize("state", [one for one in SubscriberState if one is not SubscriberState.ACTIVE])
def test_publish_to_nobody_who_is_not_active(room: StoreRoom, state: SubscriberState) -> None:
    room.subscribe(ADA, replace(DAILY, alert=("agent",)), WEEKLY)
    room.state(ADA, state)
    room.ingest([work(1)])
    assert room.publish() == NOTHING


def test_publish_after_a_pause_catches_up_in_one_edition(room: StoreRoom) -> None:
    room.subscribe(ADA, DAILY)
    room.publish()
    room.state(ADA, SubscriberState.PAUSED)
    for day in range(24, 30):
        room.ingest([work(day)], at(day, 1))
        assert room.publish(at(day)) == NOTHING
    room.state(ADA, SubscriberState.ACTIVE)
    assert room.publish(at(29, 10)) == PublishReport(1, 6)
    assert room.publish(at(30)) == NOTHING


def test_publish_after_the_hour_was_changed_repeats_no_issue(room: StoreRoom) -> None:
    room.subscribe(ADA, DAILY)
    room.ingest([work(1)])
    room.publish(at(23, 9))
    room.subscribe(ADA, replace(DAILY, at=hour("12:00")))
    room.ingest([work(2)], at(23, 10))
    assert [room.publish(at(23, one)).editions for one in (9, 12, 13)] == [0, 0, 0]
    assert [room.publish(at(24, one)).editions for one in (9, 12, 13)] == [0, 1, 0]
    room.subscribe(ADA, replace(DAILY, at=hour("06:00")))
    room.ingest([work(3)], at(24, 14))
    assert [room.publish(at(24, 15)).editions, room.publish(at(25, 6)).editions] == [0, 1]
    assert room.told(ADA) == [(f"daily:2026-11-{22 + number}", named(number)) for number in (1, 2, 3)]


def test_publish_to_an_hour_moved_forward_composes_the_open_issue(room: StoreRoom) -> None:
    room.subscribe(ADA, replace(DAILY, at=hour("20:00")))
    room.publish(at(22, 21))
    room.ingest([work(1)], at(23, 1))
    assert room.publish(at(23)) == NOTHING
    room.subscribe(ADA, DAILY)
    assert room.publish(at(23)).editions == 1


def test_publish_in_a_time_zone_further_west_skips_the_day_already_told(room: StoreRoom) -> None:
    room.subscribe(ADA, replace(DAILY, timezone="Pacific/Auckland"))
    room.publish(at(23, 20))  # Tuesday there
    assert room.store.editions.profiles_of(1).profiles[0].issue == "daily:2026-11-24"
    room.subscribe(ADA, replace(DAILY, timezone="Pacific/Honolulu"))
    room.ingest([work(1)], at(23, 21))
    assert [room.publish(at(day, 19)).editions for day in (24, 25)] == [0, 1]
    assert room.told(ADA) == [("daily:2026-11-25", named(1))]


@pytest.mark.parametrize("after", list(Cadence))
@pytest.mark.parametrize("before", list(Cadence))
@pytest.mark.parametrize("alert", [(), ("urgent",)])
def test_publish_after_the_cadence_was_changed_and_changed_back_tells_each_paper_once(
    room: StoreRoom, before: Cadence, after: Cadence, alert: tuple[str, ...]
) -> None:
    first, second = replace(DAILY, cadence=before, alert=alert), replace(DAILY, cadence=after)
    ben = profile("Ben's", days=EVERY_DAY)
    room.subscribe("ben@example.org", ben)
    number = 0
    for day in range(23, 29):
        for moment in (at(day, 7), at(day, 9), at(day, 10)):
            room.subscribe(ADA, second if number % 2 else first, now=moment)
            room.ingest([work(2 * number), work(2 * number + 1, "urgent agent")], moment)
            number += 1
            room.publish(moment)
    room.publish(at(10, month=12))
    told = [one for _, papers in room.told(ADA) for one in papers]
    assert sorted(told) == named(*range(2 * number))
    issues = [issue for issue, _ in room.told("ben@example.org")]
    assert issues == [f"daily:2026-11-{day}" for day in range(22, 29)] + ["daily:2026-12-10"]


def test_publish_after_a_change_of_cadence_goes_on_where_the_old_one_stood(room: StoreRoom) -> None:
    room.subscribe(ADA, WEEKLY)
    room.publish()
    room.ingest([work(1)], at(23, 10))
    room.state(ADA, SubscriberState.PAUSED)
    room.subscribe("ben@example.org", DAILY)
    weeks_later = MONDAY + timedelta(days=20)
    room.state(ADA, SubscriberState.ACTIVE)
    room.subscribe(ADA, replace(WEEKLY, cadence=Cadence.DAILY), now=weeks_later)
    room.publish(weeks_later)
    assert room.told(ADA) == [("daily:2026-12-11", named(1))]  # the last working day before a Sunday


def test_publish_after_alerts_were_taken_away_and_given_back_stops_nobody(room: StoreRoom) -> None:
    room.ingest([work(1, "urgent"), work(2, "robot")])
    room.subscribe(ADA, replace(DAILY, alert=("urgent",)))
    room.publish()
    room.subscribe(ADA, DAILY)
    room.subscribe(ADA, replace(DAILY, alert=("robot",)))
    room.subscribe("ben@example.org", profile("Robots", "robot"))
    room.publish()
    assert room.told(ADA) == [("immediate:000000000002", named(1)), ("immediate:000000000002.002", named(2))]
    assert room.told("ben@example.org") == [("daily:2026-11-23", named(2))]


def test_publish_to_a_profile_that_was_removed_and_came_back_catches_up(room: StoreRoom) -> None:
    ada = Subscriber(ADA, profiles=(DAILY,))
    other = Subscriber(ADA, profiles=(profile("Other", "robot"),))
    room.people(ada)
    room.ingest([work(1)])
    room.publish()
    room.people(other)
    room.ingest([work(2)], at(24, 1))
    assert room.publish(at(24)) == NOTHING
    room.people(ada)
    assert room.publish(at(24)) == PublishReport(1, 1)


def test_publish_after_a_change_of_queries_looks_at_new_papers_only(room: StoreRoom) -> None:
    room.ingest([work(1), work(2, "robot")])
    room.subscribe(ADA, DAILY)
    room.publish()
    room.subscribe(ADA, profile("Agents", "robot", days=EVERY_DAY))
    room.ingest([work(3, "robot"), work(4)], at(23, 10))
    room.publish(at(24))
    assert room.told(ADA)[1] == ("daily:2026-11-24", named(3))


# Several publishers, and what happens meanwhile


def test_publish_takes_more_people_than_a_batch(room: StoreRoom) -> None:
    people = BATCH + 7
    room.ingest([work(1)])
    room.people(*(Subscriber(f"r{number}@example.org", profiles=(DAILY,)) for number in range(people)))
    batches: list[int] = []
    assert publish(room.store, SNAPSHOT, MONDAY, batches.append) == PublishReport(people, people)
    assert batches == [BATCH, 7]


def test_publish_that_is_stopped_leaves_the_rest_due(room: StoreRoom) -> None:
    room.ingest([work(1)])
    room.subscribe(ADA, DAILY)
    assert publish(room.store, SNAPSHOT, MONDAY, stop=lambda: True) == NOTHING
    assert publish(room.store, SNAPSHOT, MONDAY, stop=lambda: False) == PublishReport(1, 1)


def test_publish_by_several_at_once_makes_one_edition_each(room: StoreRoom) -> None:
    room.ingest([work(number) for number in range(5)])
    room.people(*(Subscriber(f"r{number}@example.org", profiles=(DAILY, WEEKLY)) for number in range(50)))
    reports: list[PublishReport] = []
    start = threading.Barrier(4)

    def run() -> None:
        store = SqliteStore(room.path)
        start.wait()
        reports.append(publish(store, SNAPSHOT, MONDAY))
        store.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    room.publish()
    assert sum(report.editions for report in reports) == 50
    assert [ids(edition) for edition in room.editions()] == [named(*range(5))] * 50


class _Meanwhile(SqliteStore):
    """A store in which something happens just before the editions are written."""

    def __init__(self, path: Path, happens: object) -> None:
        super().__init__(path)
        keep = self.editions.keep

        def kept(snapshot: Snapshot) -> str:
            happens()  # type: ignore[operator]
            return keep(snapshot)

        self.editions.keep = kept  # type: ignore[method-assign]


def _publish_while(room: StoreRoom, happens: object, now: object = MONDAY) -> PublishReport:
    store = _Meanwhile(room.path, happens)
    try:
        return publish(store, SNAPSHOT, now)  # type: ignore[arg-type]
    finally:
        store.close()


def test_publish_that_another_overtook_writes_nothing(room: StoreRoom) -> None:
    room.ingest([work(1)])
    room.subscribe(ADA, DAILY)
    assert _publish_while(room, room.publish) == NOTHING
    assert room.told(ADA) == [("daily:2026-11-23", named(1))]


def test_publish_of_a_paper_that_another_profile_told_meanwhile_is_passed_over(room: StoreRoom) -> None:
    room.subscribe(ADA, replace(WEEKLY, at=hour("10:00")), DAILY)
    room.subscribe("ben@example.org", replace(WEEKLY, at=hour("10:00")))
    room.publish(at(22))
    room.ingest([work(1), work(2)], at(23, 1))
    # At ten both are due; the other publisher's clock says nine, and only the daily one is.
    _publish_while(room, lambda: room.publish(at(23, 9)), at(23, 10))
    room.publish(at(23, 11))
    assert room.told(ADA) == [("daily:2026-11-23", named(1, 2))]
    assert room.told("ben@example.org") == [("weekly:2026-W48", named(1, 2))]


def test_publish_papers_that_arrive_meanwhile_are_for_the_next_issue(room: StoreRoom) -> None:
    room.ingest([work(1)])
    room.subscribe(ADA, DAILY)
    _publish_while(room, lambda: room.ingest([work(2)]))
    assert room.told(ADA) == [("daily:2026-11-23", named(1))]
    room.publish(at(24))
    assert room.told(ADA)[1] == ("daily:2026-11-24", named(2))


def test_publish_profile_that_changes_meanwhile_is_composed_as_it_is_then(room: StoreRoom) -> None:
    room.ingest([work(1), work(2, "robot")])
    room.subscribe(ADA, DAILY)
    _publish_while(room, lambda: room.subscribe(ADA, profile("Agents", "robot", days=EVERY_DAY)))
    room.publish()
    assert room.told(ADA) == [("daily:2026-11-23", named(2))]


def test_publish_that_fails_while_writing_leaves_the_issue_due(room: StoreRoom) -> None:
    room.ingest([work(1)])
    room.subscribe(ADA, DAILY)

    def cut() -> None:
        raise OSError("power cut")

    with pytest.raises(OSError, match="power cut"):
        _publish_while(room, cut)
    assert room.editions() == []
    assert room.publish() == PublishReport(1, 1)


def test_publish_edition_of_the_same_issue_has_the_same_id_in_every_try(room: StoreRoom) -> None:
    room.ingest([work(1)])
    ada = room.subscribe(ADA, DAILY)
    (shown,) = preview(room.store, ada, MONDAY)
    room.publish(MONDAY + timedelta(minutes=5))
    assert room.editions()[0].id == shown.id


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
    ada = room.subscribe(ADA, DAILY, profile("Late", "robot", at=hour("10:00"), days=EVERY_DAY))
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
