"""Publishing while things change: people pause and change their minds, others publish, papers arrive, a save fails."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from support.store_room import EVERY_DAY, MONDAY, SNAPSHOT, StoreRoom, at, hour, ids, named, profile, work

from digestd.model import Cadence, Snapshot, Subscriber, SubscriberState
from digestd.publish.stage import BATCH, PublishReport, preview, publish
from digestd.store.open import SqliteStore

ADA = "ada@example.org"
NOTHING = PublishReport(0, 0)
DAILY = profile(days=EVERY_DAY)
WEEKLY = profile("Week", cadence=Cadence.WEEKLY)


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


def test_publish_of_an_issue_already_composed_waits_for_the_next_hour(room: StoreRoom) -> None:
    room.subscribe(ADA, DAILY)
    room.ingest([work(1)])
    room.publish(at(23, 9))
    room.subscribe(ADA, replace(DAILY, max_papers=5))  # due at once: publishing finds out that nothing is open
    assert room.publish(at(23, 10)) == NOTHING
    assert room.store.editions.due(at(24, 7), 1, 10) == []
    assert [person.email for person in room.store.editions.due(at(24, 8), 1, 10)] == [ADA]


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

    def __init__(self, path: Path, happens: Callable[[], object]) -> None:
        super().__init__(path)
        keep = self.editions.keep

        def kept(snapshot: Snapshot) -> str:
            happens()
            return keep(snapshot)

        self.editions.keep = kept  # type: ignore[method-assign]


def _publish_while(room: StoreRoom, happens: Callable[[], object], now: datetime = MONDAY) -> PublishReport:
    store = _Meanwhile(room.path, happens)
    try:
        return publish(store, SNAPSHOT, now)
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
    room.ingest([work(1), work(2, "robot"), work(3, "graph")])
    room.subscribe(ADA, DAILY, profile("Other", "graph", days=EVERY_DAY))
    assert _publish_while(room, lambda: room.subscribe(ADA, profile("Other", "robot", days=EVERY_DAY))) == NOTHING
    room.publish()
    assert room.told(ADA) == [("daily:2026-11-23", named(1, 2))]


def test_publish_that_another_overtook_by_a_day_does_not_step_back(room: StoreRoom) -> None:
    room.ingest([work(1, "robot")])
    ada = room.subscribe(ADA, DAILY)

    def overtake() -> None:
        room.ingest([work(2)], at(24, 1))
        room.publish(at(24))

    assert _publish_while(room, overtake, at(23)) == NOTHING
    assert room.store.editions.profiles_of(ada).profiles[0].issue == "daily:2026-11-24"
    assert room.told(ADA) == [("daily:2026-11-24", named(2))]


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
