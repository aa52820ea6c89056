"""What is learnt of a relay and of a domain, without either."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from digestd.deliver import pace
from digestd.deliver.pace import (
    ACCEPTED_FOR_MORE,
    FIRST,
    FIRST_REST,
    LONGEST_REST,
    SLOW_START,
    TROUBLES,
    Domains,
    Pace,
)

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def test_pace_begins_with_few_and_grows_by_one_for_so_many_messages_up_to_the_most() -> None:
    it = Pace(FIRST + 2)
    assert it.allowed == FIRST
    for _ in range(SLOW_START - 1):
        it.accepted()
    assert it.allowed == FIRST
    it.accepted()
    assert it.allowed == FIRST + 1
    for _ in range(10 * SLOW_START):
        it.accepted()
    assert it.allowed == FIRST + 2


def test_pace_is_halved_by_trouble_down_to_one_and_grows_again_slowly() -> None:
    it = Pace(2)
    for _ in range(SLOW_START - 1):
        it.accepted()
    it.troubled()
    it.accepted()  # what came before the trouble no longer counts
    assert it.allowed == 1
    it.troubled()
    assert it.allowed == 1
    for _ in range(ACCEPTED_FOR_MORE - 1):
        it.accepted()
    assert it.allowed == 1
    it.accepted()
    assert it.allowed == 2


def test_domain_rests_after_refusals_in_a_row_and_twice_as_long_each_time() -> None:
    it, now = Domains(), NOW
    for _ in range(TROUBLES - 1):
        it.refused("a@Example.org", now)
    assert it.rests_until("b@example.org", now) is None
    it.refused("c@example.org", now)
    assert it.rests_until("b@example.org", now) == now + FIRST_REST
    assert it.rests_until("b@example.net", now) is None
    it.refused("d@example.org", now)  # it was on its way already
    assert it.rests_until("b@example.org", now) == now + FIRST_REST
    now += FIRST_REST
    assert it.rests_until("b@example.org", now) is None
    it.refused("b@example.org", now)
    assert it.rests_until("b@example.org", now) == now + 2 * FIRST_REST


def test_domain_rest_is_never_longer_than_the_longest() -> None:
    it, now = Domains(), NOW
    for _ in range(40):
        it.refused("a@example.org", now)
        now = it.rests_until("a@example.org", now) or now
    it.refused("a@example.org", now)
    assert it.rests_until("a@example.org", now) == now + LONGEST_REST


def test_domain_that_takes_a_message_has_no_troubles() -> None:
    it = Domains()
    for _ in range(TROUBLES - 1):
        it.refused("a@example.org", NOW)
    it.accepted("b@example.org")
    it.refused("a@example.org", NOW)
    assert it.rests_until("a@example.org", NOW + timedelta(seconds=1)) is None


def test_domains_in_trouble_are_bounded(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(pace, "MOST_DOMAINS", 3)
    it = Domains()
    for number in range(10):
        for _ in range(TROUBLES):
            it.refused(f"a@d{number}.example", NOW)
    resting = [number for number in range(10) if it.rests_until(f"x@d{number}.example", NOW)]
    assert resting == [7, 8, 9]
