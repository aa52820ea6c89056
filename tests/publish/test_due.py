"""What is to be done now with a cadence: held alerts, quiet hours, and years in which every tick is made."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clocks import every_zone, exists

from digestd.model import Cadence, Profile, QuietHours, Weekday
from digestd.publish.due import AT_ONCE, AlertRules, Decision, Hours, Standing, decide
from digestd.publish.schedule import DAY, day_of, latest, quiet_until

HOURS = ("00:00", "00:30", "01:30", "02:30", "07:00")
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",
    "Africa/Cairo",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Asia/Kathmandu",
    "Africa/Casablanca",
)
NIGHT = QuietHours(time(22), time(7))
ALERT = Profile("Alerts", (), cadence=Cadence.IMMEDIATE)
TICK = 20  # seconds


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


def _alert(now: str, due_at: datetime | None = None, rules: AlertRules = AT_ONCE, **hours: object) -> Decision:
    standing = Standing("immediate:000000000001", due_at)
    return decide(ALERT, Cadence.IMMEDIATE, standing, 2, Hours("UTC", **hours), rules, _utc(now))  # type: ignore[arg-type]


# Alerts


def test_decide_alert_goes_at_once_and_then_waits_for_papers() -> None:
    assert _alert("2026-11-23T12:00") == Decision("immediate:000000000002", None)


def test_decide_alert_waits_for_company_and_goes_when_the_wait_is_over() -> None:
    rules = AlertRules(group_wait=timedelta(seconds=30))
    until = _utc("2026-11-23T12:00:30")
    assert _alert("2026-11-23T12:00", None, rules) == Decision(None, until)
    assert _alert("2026-11-23T12:00:30", until, rules) == Decision("immediate:000000000002", None)


def test_decide_alert_is_followed_by_its_interval() -> None:
    rules = AlertRules(group_interval=timedelta(minutes=5))
    assert _alert("2026-11-23T12:00", None, rules).again_at == _utc("2026-11-23T12:05")


def test_decide_alert_past_the_cap_waits_for_the_next_local_day() -> None:
    rules = AlertRules(per_day=3)
    assert _alert("2026-11-23T12:00", rules=rules, alerts_today=2).issue is not None
    assert _alert("2026-11-23T12:00", rules=rules, alerts_today=3) == Decision(None, _utc("2026-11-24T00:00"))


def test_decide_alert_in_quiet_hours_waits_for_their_end() -> None:
    assert _alert("2026-11-23T22:00", quiet=NIGHT) == Decision(None, _utc("2026-11-24T07:00"))
    assert _alert("2026-11-24T06:59", quiet=NIGHT) == Decision(None, _utc("2026-11-24T07:00"))
    assert _alert("2026-11-24T07:00", quiet=NIGHT).issue is not None
    assert _alert("2026-11-24T21:59", quiet=NIGHT).issue is not None


# Digests


def test_decide_late_digest_in_quiet_hours_waits_for_their_end_and_is_then_composed() -> None:
    profile = Profile("Agents", (), at=time(8), days=tuple(Weekday))
    hours, standing = Hours("UTC", NIGHT), Standing("daily:2026-11-20", _utc("2026-11-21T08:00"))
    held = decide(profile, Cadence.DAILY, standing, 2, hours, AT_ONCE, _utc("2026-11-24T03:00"))
    assert held == Decision(None, _utc("2026-11-24T07:00"))
    released = decide(profile, Cadence.DAILY, standing, 2, hours, AT_ONCE, _utc("2026-11-24T07:00"))
    assert released == Decision("daily:2026-11-23", _utc("2026-11-24T08:00"))


# Quiet hours


@pytest.mark.parametrize(
    ("quiet", "now", "end"),
    [
        ("22:00-07:00", "2026-11-23T21:59:59", None),
        ("22:00-07:00", "2026-11-23T22:00:00", "2026-11-24T07:00"),
        ("22:00-07:00", "2026-11-24T06:59:59", "2026-11-24T07:00"),
        ("22:00-07:00", "2026-11-24T07:00:00", None),
        ("12:00-13:30", "2026-11-24T12:00:00", "2026-11-24T13:30"),
        ("12:00-13:30", "2026-11-24T13:30:00", None),
        ("12:00-13:30", "2026-11-24T11:59:59", None),
    ],
)
def test_quiet_until_is_the_end_within_and_nothing_outside(quiet: str, now: str, end: str | None) -> None:
    assert quiet_until(QuietHours.read(quiet), "UTC", _utc(now)) == (_utc(end) if end else None)


def test_quiet_until_over_a_change_of_the_clocks_ends_at_the_local_hour() -> None:
    spring, autumn = _utc("2026-03-29T00:30"), _utc("2026-10-25T00:30")
    assert quiet_until(NIGHT, "Europe/Berlin", spring) == _utc("2026-03-29T05:00")
    assert quiet_until(NIGHT, "Europe/Berlin", autumn) == _utc("2026-10-25T06:00")
    assert quiet_until(None, "Europe/Berlin", spring) is None


_HOUR = st.times().map(lambda hour: hour.replace(second=0, microsecond=0, fold=0))
_MOMENT = st.datetimes(datetime(1990, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants it so
_ZONE = st.sampled_from(every_zone())


@given(_HOUR, _HOUR, _ZONE, _MOMENT)
def test_quiet_until_in_any_zone_ends_within_a_day_outside_the_hours(
    begin: time, end: time, zone: str, now: datetime
) -> None:
    if begin == end:
        return
    quiet = QuietHours(begin, end)
    until = quiet_until(quiet, zone, now)
    local = now.astimezone(ZoneInfo(zone)).time()
    day = [now.astimezone(ZoneInfo(zone)) + step for step in (timedelta(hours=-26), timedelta(hours=26))]
    if day[0].utcoffset() == day[1].utcoffset():  # away from a change the wall alone says it
        assert (until is not None) == (local in quiet)
    if until is not None:
        assert now < until <= now + timedelta(hours=27)
        assert quiet_until(quiet, zone, until) is None or until.astimezone(ZoneInfo(zone)).time() in quiet


@given(_ZONE, _MOMENT)
def test_day_of_in_any_zone_holds_its_moment(zone: str, now: datetime) -> None:
    first, last = day_of(zone, now)
    assert last - first <= timedelta(hours=49)
    if first <= now:  # set back over midnight, a clock comes to the day before once more
        assert now < last


# Years of ticks


def _year(profiles: Sequence[Profile], ticks: Iterator[int]) -> list[list[str]]:
    """Return the issues of each profile when it is looked at at each tick (Unix seconds) at which it is due."""
    issues: list[list[str]] = [[] for _ in profiles]
    waiting = [(0.0, number) for number in range(len(profiles))]
    for tick in ticks:
        while waiting[0][0] <= tick:
            due_at, number = heapq.heappop(waiting)
            profile, told = profiles[number], issues[number]
            standing = Standing(told[-1] if told else None, datetime.fromtimestamp(due_at, UTC))
            now = datetime.fromtimestamp(tick, UTC)
            decision = decide(profile, profile.cadence, standing, 1, Hours(profile.timezone), AT_ONCE, now)
            if decision.issue is not None:
                told.append(decision.issue)
            assert decision.again_at is not None
            assert decision.again_at > now
            heapq.heappush(waiting, (decision.again_at.timestamp(), number))
    return issues


def _days(first: date, last: date, zone: str) -> list[str]:
    days = (first + number * DAY for number in range((last - first).days + 1))
    return [f"daily:{day}" for day in days if exists(day, ZoneInfo(zone))]


def _every_day(zone: str, hour: str) -> Profile:
    return Profile("Agents", (), at=time.fromisoformat(hour), days=tuple(Weekday), timezone=zone)


@pytest.mark.slow
def test_year_of_every_tick_in_eight_zones_at_five_hours_is_one_issue_for_each_local_day() -> None:
    profiles = [_every_day(zone, hour) for zone in ZONES for hour in HOURS]
    first, last = int(_utc("2025-12-31T12:00").timestamp()), int(_utc("2027-01-01T12:00").timestamp())
    for profile, told in zip(profiles, _year(profiles, iter(range(first, last, TICK))), strict=True):
        days = _days(date(2026, 1, 1), date(2026, 12, 31), profile.timezone)
        assert len(days) == 365
        assert [issue for issue in told if issue.startswith("daily:2026")] == days
        assert len(set(told)) == len(told)


# A clock that is set forward in the one moment between two ticks in which an hour passes skips two of them at once:
# as after downtime, that is one edition with everything. Here it is set at other moments.


@pytest.mark.slow
@pytest.mark.parametrize("step", [3_600, -3_600, 86_400, -86_400])
def test_year_with_a_clock_that_steps_is_still_one_issue_for_each_local_day(step: int) -> None:
    """The clock is wrong for two days out of every nine, from another quarter of an hour each time."""
    profiles = [_every_day(zone, hour) for zone in ZONES for hour in ("00:30", "07:00")]
    first, last = int(_utc("2025-12-30T12:07").timestamp()), int(_utc("2027-01-02T12:07").timestamp())

    def ticks() -> Iterator[int]:
        for moment in range(first, last, 5 * 60):
            yield moment + step * ((moment - first) % (9 * 86_400 + 2_700) < 2 * 86_400)

    for profile, told in zip(profiles, _year(profiles, ticks()), strict=True):
        year = [one for one in told if one.startswith("daily:2026")]
        assert year == _days(date(2026, 1, 1), date(2026, 12, 31), profile.timezone)


@given(
    _ZONE,
    _HOUR,
    st.datetimes(datetime(1995, 1, 1), datetime(2036, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.lists(st.sampled_from([-1, 0, 0, 1, 24]), min_size=30, max_size=30),
    st.sampled_from([1, -1]),
)
def test_month_in_any_zone_through_steps_of_the_clock_is_one_issue_for_each_local_day(
    zone: str, hour: time, begin: datetime, steps: list[int], sign: int
) -> None:
    profile = Profile("Agents", (), at=hour, days=tuple(Weekday), timezone=zone)
    start = int(latest(profile, begin).at.timestamp()) + 12 * 3_600

    def ticks() -> Iterator[int]:
        for number in range(40 * 24):  # at both ends the clock is right
            day = number // 24
            wrong = steps[day - 5] if 5 <= day < 35 else 0
            yield start + (number + sign * wrong) * 3_600

    (told,) = _year([profile], ticks())
    first, last = date.fromisoformat(told[0][6:]), date.fromisoformat(told[-1][6:])
    assert told == _days(first, last, zone)
    assert (last - first).days >= 38
