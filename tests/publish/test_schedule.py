"""When an issue is due: over daylight saving, skipped days, odd offsets, years and weeks, in every zone there is."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clocks import changes, every_zone, exists, first_instant, wall

from digestd.model import Cadence, Profile, Weekday
from digestd.publish.schedule import Slot, following, immediate_issue, instant, latest

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
HOURS = ("00:00", "00:30", "01:30", "02:30", "07:00")
ZONES = (
    "Europe/Berlin",  # the gap is at two
    "America/New_York",
    "America/Havana",  # at midnight
    "Africa/Cairo",  # at midnight, of a Friday
    "Australia/Lord_Howe",  # of half an hour
    "America/Santiago",  # at midnight, in the south
    "Asia/Kathmandu",  # none, and 5:45
    "Africa/Casablanca",  # twice a year, about Ramadan
)


def _profile(zone: str, at: str | time, cadence: Cadence = Cadence.DAILY, days: str = "mtwtfss") -> Profile:
    """Return a profile that has a slot on the days whose letter is not a dash."""
    chosen = tuple(day for day, letter in zip(Weekday, days, strict=True) if letter != "-")
    hour = time.fromisoformat(at) if isinstance(at, str) else at
    return Profile("Agents", (), cadence=cadence, at=hour, days=chosen, timezone=zone)


def _slots(profile: Profile, first: datetime, last: datetime) -> list[Slot]:
    """Return the slots after `first` up to `last`, each found from the one before."""
    found = [following(profile, first)]
    while found[-1].at <= last:
        found.append(following(profile, found[-1].at))
    return found[:-1]


def _noon(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(12), ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize("zone", ZONES)
def test_daily_slots_over_two_years_are_one_for_each_local_day(zone: str) -> None:
    days = [date(2026, 1, 1) + number * DAY for number in range(730)]
    for hour in HOURS:
        profile = _profile(zone, hour)
        slots = _slots(profile, _noon(days[0] - DAY, zone), _noon(days[-1], zone))
        assert [slot.issue for slot in slots] == [f"daily:{day}" for day in days], hour
        assert [slot.at for slot in slots] == [first_instant(day, profile.at, ZoneInfo(zone)) for day in days], hour


@pytest.mark.parametrize(
    ("days", "expected"), [("mtwtf--", 261), ("-----ss", 104), ("--w----", 52), ("m--t---", 105), ("mtwtfss", 365)]
)
def test_daily_slots_fall_on_the_days_asked_for(days: str, expected: int) -> None:
    profile = _profile("America/New_York", "02:30", days=days)
    slots = _slots(profile, _noon(date(2025, 12, 31), "UTC"), _noon(date(2026, 12, 31), "UTC"))
    shown = [date.fromisoformat(slot.issue.removeprefix("daily:")) for slot in slots]
    assert len(shown) == len(set(shown)) == expected
    assert {list(Weekday)[day.weekday()] for day in shown} == set(profile.days)


@pytest.mark.parametrize(
    ("zone", "day", "hour", "expected"),
    [
        ("Europe/Berlin", date(2026, 3, 29), "02:30", "2026-03-29T01:00"),  # 02:00 → 03:00
        ("Europe/Berlin", date(2026, 3, 29), "02:00", "2026-03-29T01:00"),
        ("Europe/Berlin", date(2026, 3, 29), "03:00", "2026-03-29T01:00"),
        ("Europe/Berlin", date(2026, 10, 25), "02:30", "2026-10-25T00:30"),  # 03:00 → 02:00
        ("America/Havana", date(2026, 3, 8), "00:30", "2026-03-08T05:00"),  # 00:00 → 01:00
        ("Australia/Lord_Howe", date(2026, 10, 4), "02:15", "2026-10-03T15:30"),  # 02:00 → 02:30
        ("Australia/Lord_Howe", date(2026, 4, 5), "01:45", "2026-04-04T14:45"),  # 02:00 → 01:30
        ("America/Toronto", date(1919, 3, 30), "23:45", "1919-03-31T04:30"),  # 23:30 → 00:30
        ("America/St_Johns", date(2006, 10, 29), "00:00", "2006-10-29T02:30"),  # 00:01 → 23:01 of the day before
    ],
)
def test_instant_of_a_skipped_or_repeated_hour_is_the_end_of_the_gap_or_the_first_passing(
    zone: str, day: date, hour: str, expected: str
) -> None:
    assert instant(day, time.fromisoformat(hour), ZoneInfo(zone)) == datetime.fromisoformat(f"{expected}+00:00")


def test_instant_with_an_offset_of_seconds_is_exact() -> None:
    zone = ZoneInfo("America/New_York")  # 4:56:02 behind until noon of 18 November 1883
    assert instant(date(1883, 11, 17), time(8), zone) == datetime(1883, 11, 17, 12, 56, 2, tzinfo=UTC)
    assert instant(date(1883, 11, 19), time(8), zone) == datetime(1883, 11, 19, 13, tzinfo=UTC)
    liberia = ZoneInfo("Africa/Monrovia")  # 44 minutes and 30 seconds behind until 7 January 1972: 00:00:00 → 00:44:30
    assert instant(date(1972, 1, 7), time(0, 10), liberia) == datetime(1972, 1, 7, 0, 44, 30, tzinfo=UTC)


@pytest.mark.parametrize("hour", HOURS)
@pytest.mark.parametrize(
    ("zone", "skipped"),
    [
        ("Pacific/Apia", date(2011, 12, 30)),
        ("Pacific/Fakaofo", date(2011, 12, 30)),
        ("Pacific/Kwajalein", date(1993, 8, 21)),
        ("Pacific/Kiritimati", date(1994, 12, 31)),
    ],
)
def test_daily_slots_over_a_skipped_day_leave_it_out(zone: str, skipped: date, hour: str) -> None:
    profile = _profile(zone, hour)
    days = [skipped + number * DAY for number in range(-3, 4)]
    slots = _slots(profile, _noon(days[0] - DAY, zone), _noon(days[-1], zone))
    assert [slot.issue for slot in slots] == [f"daily:{day}" for day in days if day != skipped]
    assert [wall(slot.at, ZoneInfo(zone)).time() for slot in slots] == [profile.at] * 6


def test_daily_slot_that_moves_to_the_next_day_is_still_its_own_days() -> None:
    profile = _profile("America/Toronto", "23:45")  # on 30 March 1919 the clocks went from 23:30 to 00:30
    slots = _slots(profile, datetime(1919, 3, 29, 12, tzinfo=UTC), datetime(1919, 4, 1, 12, tzinfo=UTC))
    assert [slot.issue for slot in slots] == ["daily:1919-03-29", "daily:1919-03-30", "daily:1919-03-31"]


def test_weekly_slot_on_a_skipped_day_comes_after_the_gap() -> None:
    profile = _profile("Pacific/Apia", "08:00", Cadence.WEEKLY, "----f--")
    friday = datetime(2011, 12, 30, 10, 0, tzinfo=UTC)  # midnight of Saturday there: there was no Friday
    assert latest(profile, friday) == Slot("weekly:2011-W52", friday)
    assert latest(profile, friday - TICK).issue == "weekly:2011-W51"
    assert following(profile, friday).issue == "weekly:2012-W01"


def test_weekly_slots_are_one_for_each_week_on_its_first_day() -> None:
    profile = _profile("Europe/Berlin", "02:30", Cadence.WEEKLY, "--w---s")
    slots = _slots(profile, datetime(2024, 12, 20, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC))
    local = [wall(slot.at, ZoneInfo("Europe/Berlin")) for slot in slots]
    assert {moment.isoweekday() for moment in local} == {3}
    assert {after.date() - before.date() for before, after in pairwise(local)} == {7 * DAY}
    assert [slot.issue for slot in slots] == sorted({slot.issue for slot in slots})


@pytest.mark.parametrize(
    ("day", "week"),
    [
        (date(2026, 12, 31), "2026-W53"),  # a Thursday
        (date(2027, 1, 1), "2026-W53"),
        (date(2027, 1, 4), "2027-W01"),
        (date(2024, 12, 30), "2025-W01"),
        (date(2022, 1, 2), "2021-W52"),
    ],
)
def test_weekly_issue_at_the_border_of_years_has_the_year_of_its_week(day: date, week: str) -> None:
    letters = "".join("x" if number == day.weekday() else "-" for number in range(7))
    profile = _profile("UTC", "08:00", Cadence.WEEKLY, letters)
    assert latest(profile, _noon(day, "UTC")).issue == f"weekly:{week}"


def test_latest_at_its_very_instant_is_the_slot_and_just_before_the_one_before() -> None:
    profile = _profile("UTC", "08:00")
    eight = datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert latest(profile, eight) == Slot("daily:2026-11-23", eight)
    assert latest(profile, eight - TICK) == Slot("daily:2026-11-22", eight - DAY)
    assert following(profile, eight) == Slot("daily:2026-11-24", eight + DAY)
    assert following(profile, eight - TICK) == Slot("daily:2026-11-23", eight)


def test_latest_after_a_clock_set_back_over_midnight_is_the_day_that_began_already() -> None:
    zone = "America/St_Johns"  # at 00:01 of 29 October 2006 the clocks went back to 23:01 of the day before
    again = datetime(2006, 10, 29, 3, 0, tzinfo=UTC)
    assert wall(again, ZoneInfo(zone)) == datetime(2006, 10, 28, 23, 30)  # noqa: DTZ001 - what the wall shows
    assert latest(_profile(zone, "00:00"), again).issue == "daily:2006-10-29"
    assert following(_profile(zone, "00:00"), again).issue == "daily:2006-10-30"


_HOURS = st.times().map(lambda hour: hour.replace(second=0, microsecond=0, fold=0))
_LETTERS = st.lists(st.booleans(), min_size=7, max_size=7).filter(any)


@st.composite
def _moments(draw: st.DrawFn) -> tuple[str, datetime]:
    """Draw a zone and a moment, mostly near a change of its offset."""
    zone = draw(st.sampled_from(every_zone()))
    near = changes(ZoneInfo(zone))
    days = st.sampled_from(near) if near else st.dates(date(1890, 1, 1), date(2037, 12, 31))
    moment = datetime.combine(draw(days | st.dates(date(1890, 1, 1), date(2100, 1, 1))), time(), UTC)
    return zone, moment + timedelta(seconds=draw(st.integers(-2 * 86_400, 2 * 86_400)))


@given(_moments(), _HOURS, _LETTERS, st.sampled_from([Cadence.DAILY, Cadence.WEEKLY]))
def test_slots_in_any_zone_at_any_moment_enclose_it_and_are_in_order(
    place: tuple[str, datetime], hour: time, chosen: list[bool], cadence: Cadence
) -> None:
    zone, now = place
    profile = _profile(zone, hour, cadence, "".join("x" if one else "-" for one in chosen))
    before, after = latest(profile, now), following(profile, now)
    assert before.at <= now < after.at
    assert before.issue < after.issue
    assert following(profile, before.at) == after
    assert latest(profile, after.at - TICK) == before
    assert latest(profile, after.at) == after


@given(_moments(), _HOURS)
def test_instant_in_any_zone_on_any_day_agrees_with_brute_force(place: tuple[str, datetime], hour: time) -> None:
    zone, now = place
    assert instant(now.date(), hour, ZoneInfo(zone)) == first_instant(now.date(), hour, ZoneInfo(zone))


@given(_moments(), _HOURS)
def test_daily_slots_in_any_zone_are_those_of_its_days(place: tuple[str, datetime], hour: time) -> None:
    zone, now = place
    slots = _slots(_profile(zone, hour), now - 5 * DAY, now + 5 * DAY)
    first = date.fromisoformat(slots[0].issue.removeprefix("daily:"))
    last = date.fromisoformat(slots[-1].issue.removeprefix("daily:"))
    days = [first + number * DAY for number in range((last - first).days + 1)]
    assert [slot.issue for slot in slots] == [f"daily:{day}" for day in days if exists(day, ZoneInfo(zone))]


def test_immediate_issue_counts_the_papers_and_sorts_as_they_do() -> None:
    assert immediate_issue(7, None) == "immediate:000000000007"
    issues = [immediate_issue(number, None) for number in (0, 9, 10, 99_999, 100_000, 10**11)]
    assert issues == sorted(set(issues))


def test_immediate_issue_of_papers_looked_at_before_comes_after_the_last_one() -> None:
    first = immediate_issue(7, None)
    looks = [first]
    for _ in range(12):
        looks.append(immediate_issue(7, looks[-1]))
    assert looks == sorted(set(looks))
    assert immediate_issue(8, looks[-1]) == "immediate:000000000008" > looks[-1]
    assert immediate_issue(7, "immediate:000000000009") == "immediate:000000000009.002"
