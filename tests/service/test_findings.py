"""What needs an operator, rule by rule, and when it is told: a timeline of notices."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from digestd.letters import Told
from digestd.service.findings import Facts, Finding, findings, notice, working_days_between

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)  # a Thursday
REPEAT = timedelta(hours=24)
FULL = 1_000_000_000


def since(days: float) -> datetime:
    return NOW - timedelta(days=days)


@pytest.mark.parametrize(
    ("facts", "keys"),
    [
        (Facts(), ()),
        (Facts(newest=since(0)), ()),
        (Facts(newest=since(3)), ()),  # Monday: two working days
        (Facts(newest=since(6)), ("quiet",)),  # Friday: three, and a weekend
        (Facts(quarantined=(since(0.5),)), ("quarantine",)),
        (Facts(late=10), ()),
        (Facts(late=11), ("waiting",)),
        (Facts(late=5_000, sent=1_000_000), ()),
        (Facts(late=10_001, sent=1_000_000), ("waiting",)),
        (Facts(uncertain=1), ("uncertain",)),
        (Facts(sent=0, failed=9), ()),
        (Facts(sent=190, failed=10), ()),  # one in twenty
        (Facts(sent=189, failed=10), ("refused",)),
        (Facts(sent=1_000_000, failed=40_000), ()),
        (Facts(free=200, floor=100), ()),
        (Facts(free=199, floor=100), ("disk",)),
        (Facts(free=0, floor=0), ()),
        (Facts(troubles={"configuration": "line 3"}), ("configuration",)),
        (Facts(uncertain=1, late=11, troubles={"ingest": "x"}), ("ingest", "waiting", "uncertain")),
    ],
)
def test_findings_of_facts(facts: Facts, keys: tuple[str, ...]) -> None:
    found = findings(facts, NOW, BERLIN, quiet_days=3)
    assert tuple(one.key for one in found) == keys
    assert all(one.sentence for one in found)


def test_findings_say_what_was_found_and_where_to_look() -> None:
    facts = Facts(newest=since(6), quarantined=(since(0.5),), late=1_234, uncertain=2, sent=80, failed=20)
    said = "\n".join(one.sentence for one in findings(facts, NOW, BERLIN, quiet_days=3))
    assert "since Friday, 20 November 2026: 3 working days" in said
    assert "1 file refused: see `digestd quarantine list`" in said
    assert "1,234 editions not sent for more than 4 hours" in said
    assert "2 editions may or may not have arrived" in said
    assert "20 of 100 editions of the last day were refused for good (20%)" in said


def test_findings_count_days_where_the_operator_is() -> None:
    late_on_friday = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)  # Saturday in Berlin
    on_wednesday = datetime(2026, 11, 25, 22, 30, tzinfo=UTC)
    assert not findings(Facts(newest=late_on_friday), on_wednesday, BERLIN, quiet_days=3)
    assert findings(Facts(newest=late_on_friday), on_wednesday + timedelta(hours=1), BERLIN, quiet_days=3)


@pytest.mark.parametrize("first", [date(2026, 11, 16) + timedelta(days=number) for number in range(7)])
def test_working_days_between_are_those_that_one_counts(first: date) -> None:
    for span in range(40):
        days = (first + timedelta(days=number) for number in range(1, span))
        assert working_days_between(first, first + timedelta(days=span)) == sum(day.weekday() < 5 for day in days)
    assert working_days_between(first, first - timedelta(days=9)) == 0


class Timeline:
    """An operator who is told; each `at` is an evaluation after so many hours, and returns what was told."""

    def __init__(self) -> None:
        self.told: Mapping[str, Told] = {}

    def at(self, hours: float, *found: Finding) -> tuple[list[str], list[str]] | None:
        """Return the keys that were told, and the sentences that were said to be over; None without a mail."""
        made = notice(found, tuple(self.told.values()), NOW + timedelta(hours=hours), REPEAT)
        if made is None:
            return None
        self.told = {one.key: one for one in made.told}
        return [one.key for one in made.found], list(made.over)


DISK, UNCERTAIN = Finding("disk", "full"), Finding("uncertain", "two")


def test_notice_groups_what_is_found_and_says_it_again_only_after_the_repeat_and_once_that_it_is_over() -> None:
    line = Timeline()
    assert line.at(0) is None
    assert line.at(1, DISK, UNCERTAIN) == (["disk", "uncertain"], [])
    assert line.at(2, DISK, UNCERTAIN) is None
    assert line.at(24.9, DISK, UNCERTAIN) is None
    assert line.at(25, DISK, UNCERTAIN) == (["disk", "uncertain"], [])
    assert line.at(30, DISK) == ([], ["two"])
    assert line.at(31, DISK) is None
    assert line.at(49, DISK) == (["disk"], [])
    assert line.at(50) == ([], ["full"])
    assert line.at(51) is None


def test_notice_of_what_comes_and_goes_is_held_for_the_repeat() -> None:
    line = Timeline()
    mails = [line.at(minutes / 60, *([DISK] if minutes % 2 else [])) for minutes in range(24 * 60)]
    assert [mail for mail in mails if mail] == [(["disk"], []), ([], ["full"])]
    assert line.at(25, DISK) == (["disk"], [])


def test_notice_of_what_is_new_does_not_wait_for_the_repeat_of_another() -> None:
    line = Timeline()
    line.at(0, DISK)
    assert line.at(1, DISK, UNCERTAIN) == (["uncertain"], [])


def test_notice_of_refused_files_is_told_once_and_has_no_all_clear() -> None:
    line = Timeline()
    first = Finding("quarantine", "1 file", NOW)
    second = Finding("quarantine", "2 files", NOW + timedelta(hours=3))
    assert line.at(1, first) == (["quarantine"], [])
    assert line.at(26, first) is None
    assert line.at(27) is None
    line = Timeline()
    line.at(1, first)
    assert line.at(3, second) is None
    assert line.at(25, second) == (["quarantine"], [])
    assert line.at(50, second) is None


def test_notice_is_not_held_back_by_a_clock_that_ran_ahead() -> None:
    line = Timeline()
    line.at(1_000, DISK)
    assert line.at(1, DISK) == (["disk"], [])
