"""Publishing that waits: alerts that are grouped, capped and held, pauses that end, and clocks that ran ahead."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from support.store_room import EVERY_DAY, MONDAY, SNAPSHOT, StoreRoom, at, named, profile, work

from digestd.model import Cadence, Origin, QuietHours, Subscriber, SubscriberState
from digestd.publish.due import AlertRules
from digestd.publish.stage import publish

ADA = "ada@example.org"
ALERT = profile("Alerts", cadence=Cadence.IMMEDIATE)
DAILY = profile(days=EVERY_DAY)


def _round(room: StoreRoom, now: datetime, rules: AlertRules) -> int:
    return publish(room.store, SNAPSHOT, now, rules=rules).editions


def test_alerts_within_the_wait_are_one_and_due_when_it_ends(room: StoreRoom) -> None:
    rules = AlertRules(group_wait=timedelta(seconds=30))
    room.subscribe(ADA, ALERT)
    for number in (1, 2):
        room.ingest([work(number)])
        assert _round(room, MONDAY + timedelta(seconds=number), rules) == 0
    end = MONDAY + timedelta(seconds=31)
    assert room.store.editions.next_due(MONDAY) == end
    assert _round(room, end - timedelta(milliseconds=1), rules) == 0
    assert _round(room, end, rules) == 1
    assert room.told(ADA) == [("immediate:000000000002", named(1, 2))]


def test_alerts_within_the_interval_are_one_at_its_end_and_an_empty_look_holds_nothing(room: StoreRoom) -> None:
    rules = AlertRules(group_interval=timedelta(minutes=5))
    room.subscribe(ADA, ALERT)
    room.ingest([work(1, "robot")])
    assert _round(room, MONDAY, rules) == 0
    room.ingest([work(2)])
    assert _round(room, MONDAY, rules) == 1
    room.ingest([work(3), work(4)])
    assert _round(room, MONDAY + timedelta(minutes=4), rules) == 0
    assert _round(room, MONDAY + timedelta(minutes=5), rules) == 1
    assert [papers for _, papers in room.told(ADA)] == [named(2), named(3, 4)]


def test_alerts_past_the_cap_come_with_the_next_days_first(room: StoreRoom) -> None:
    rules = AlertRules(per_day=2)
    room.subscribe(ADA, ALERT)
    for number in range(1, 5):
        room.ingest([work(number)])
        _round(room, MONDAY + timedelta(minutes=number), rules)
    assert [papers for _, papers in room.told(ADA)] == [named(1), named(2)]
    assert _round(room, at(23, 23, 59), rules) == 0
    assert _round(room, at(24, 0), rules) == 1
    assert [papers for _, papers in room.told(ADA)][2:] == [named(3, 4)]


def test_alerts_in_quiet_hours_are_held_and_released_and_the_digest_does_not_repeat_them(room: StoreRoom) -> None:
    person = Subscriber(ADA, profiles=(ALERT, DAILY), quiet_hours=QuietHours.read("22:00-07:00"))
    room.people(person)
    room.publish()
    room.ingest([work(1)], at(23, 22))
    room.ingest([work(2)], at(24, 3))
    assert [room.publish(at(24, hour)).editions for hour in (0, 3, 6)] == [0, 0, 0]
    assert room.publish(at(24, 7)).editions == 1
    assert room.publish(at(24, 8)).editions == 0
    assert room.told(ADA) == [("immediate:000000000002", named(1, 2))]


def test_digest_missed_while_down_is_held_in_quiet_hours_and_not_dropped(room: StoreRoom) -> None:
    room.people(Subscriber(ADA, profiles=(DAILY,), quiet_hours=QuietHours.read("22:00-07:00")))
    room.ingest([work(1)])
    room.publish()
    room.ingest([work(2)])
    assert room.publish(at(26, 3)).editions == 0
    assert room.store.editions.due(at(26, 6, 59), 2, 10) == []
    assert room.publish(at(26, 7)).editions == 1
    assert room.told(ADA)[1] == ("daily:2026-11-25", named(2))
    assert room.publish(at(26, 8)).editions == 0


def test_pause_until_a_date_ends_by_itself_with_one_edition_over_all_of_it(room: StoreRoom) -> None:
    room.subscribe(ADA, DAILY)
    room.ingest([work(1)])
    room.publish()
    paused = room.store.subscribers.set_state(ADA, SubscriberState.PAUSED, Origin.READER, at(23), at(27))
    assert (paused.paused_until, paused.state_by) == (at(27), Origin.READER)
    for day in range(23, 27):
        room.ingest([work(day)], at(day, 10))
        assert room.store.subscribers.wake(at(day, 23, 59)) == 0
        assert room.publish(at(day, 23, 59)).editions == 0
    assert room.store.subscribers.wake(at(27)) == 1
    assert room.store.subscribers.wake(at(27)) == 0
    woken = room.store.subscribers.find(ADA)
    assert (woken.subscriber.state, woken.paused_until) == (SubscriberState.ACTIVE, None)
    assert room.publish(at(27)).editions == 1
    assert room.told(ADA)[1] == ("daily:2026-11-27", named(23, 24, 25, 26))


def test_pause_without_a_date_goes_on_and_a_second_one_sets_another_date(room: StoreRoom) -> None:
    room.subscribe(ADA, DAILY)
    change = room.store.subscribers.set_state
    change(ADA, SubscriberState.PAUSED, Origin.OPERATOR, MONDAY)
    assert room.store.subscribers.wake(at(30)) == 0
    assert change(ADA, SubscriberState.PAUSED, Origin.OPERATOR, MONDAY, at(25)).paused_until == at(25)
    assert change(ADA, SubscriberState.ACTIVE, Origin.OPERATOR, MONDAY).paused_until is None
    assert change(ADA, SubscriberState.UNSUBSCRIBED, Origin.OPERATOR, MONDAY, at(25)).paused_until is None


# Clocks


def test_clock_that_was_ten_years_ahead_leaves_no_gap_and_repeats_nothing(room: StoreRoom) -> None:
    room.subscribe(ADA, DAILY, profile("Week", "robot", cadence=Cadence.WEEKLY))
    room.ingest([work(1), work(2, "robot")])
    room.publish()
    ahead = MONDAY.replace(year=2036)
    room.ingest([work(3)], ahead)
    assert room.publish(ahead).editions == 1
    assert room.publish(at(23, 10)).editions == 0, "not noticed yet: nothing is due"
    assert room.store.editions.realign(at(23, 10), stepped_back=False) == 2
    room.ingest([work(4), work(5, "robot")], at(23, 11))
    assert room.publish(at(23, 11)).editions == 0
    assert room.publish(at(24)).editions == 1
    assert room.publish(at(30)).editions == 1
    issues = [issue for issue, _ in room.told(ADA)]
    assert issues[2:] == [f"daily:{ahead.date()}", "daily:2026-11-24", "weekly:2026-W49"]
    assert room.store.editions.realign(at(30), stepped_back=False) == 0


def test_clock_that_steps_back_frees_held_alerts_and_what_is_ready(room: StoreRoom) -> None:
    rules = AlertRules(group_interval=timedelta(hours=1))
    room.subscribe(ADA, ALERT)
    room.ingest([work(1)])
    assert _round(room, at(24), rules) == 1
    room.ingest([work(2)])
    assert _round(room, at(23), rules) == 0
    assert len(room.store.outbox.coming(at(23), 10)) == 0
    assert room.store.editions.realign(at(23), stepped_back=True) == 1
    assert len(room.store.outbox.coming(at(23), 10)) == 1
    assert _round(room, at(23), rules) == 1


# What a tick costs


@pytest.mark.parametrize("state", [SubscriberState.PAUSED, SubscriberState.UNSUBSCRIBED, SubscriberState.PENDING])
def test_due_walks_over_nobody_who_rests(room: StoreRoom, state: SubscriberState) -> None:
    room.subscribe(ADA, DAILY, ALERT)
    room.state(ADA, state)
    with room.store.editions._connections.read() as connection:
        assert connection.execute("SELECT sum(wanted) FROM progress").fetchone()[0] == 0
        room.subscribe("ben@example.org", DAILY)
        room.people()
        room.state(ADA, SubscriberState.UNSUBSCRIBED)
        assert connection.execute("SELECT sum(wanted) FROM progress").fetchone()[0] == 1


def test_due_follows_states_and_profiles_as_they_come_and_go(room: StoreRoom) -> None:
    def wanted() -> list[str]:
        return sorted(each.profile.name for one in room.store.editions.due(at(30), 0, 10) for each in one.profiles)

    other = profile("Other", days=EVERY_DAY)
    room.people(Subscriber(ADA, profiles=(DAILY, other)))
    assert wanted() == ["Agents", "Other"]
    room.people(Subscriber(ADA, profiles=(other,)))
    assert wanted() == ["Other"]
    room.state(ADA, SubscriberState.PAUSED)
    room.people(Subscriber(ADA, profiles=(DAILY, other)))
    assert wanted() == []
    room.state(ADA, SubscriberState.ACTIVE)
    assert wanted() == ["Agents", "Other"]


def test_tick_that_finds_nothing_due_reads_indexes_only(room: StoreRoom) -> None:
    """The plans say so; the time is measured by `benchmarks/schedule.py` with 100,000 people."""
    sql = room.store.editions._sql
    with room.store.editions._connections.read() as connection:
        for name in ("due", "next_due", "is_ahead"):
            values = {"now": 0, "newest": 0, "limit": 500, "after": 0, "latest": 0}
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql[name]}", values)]
            assert not [step for step in plan if step.startswith("SCAN") and "progress" in step], plan
            assert any("INDEX progress_due_at" in step for step in plan), plan
