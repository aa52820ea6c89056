"""When an issue of a profile is due: cadence, local hour, days and time zone. Pure.

A slot is the local day and hour of one issue. An hour that daylight saving skips moves to the first instant
after the gap; one that it repeats counts at its first passing. A day that a zone skipped whole has no daily issue.
Issues of a cadence sort by their key, so a clock that steps back makes nothing due twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from digestd.model import Cadence, Profile, QuietHours, Weekday

DAY = timedelta(days=1)
WEEKDAYS = tuple(Weekday)


@dataclass(frozen=True, slots=True)
class Slot:
    """One issue's key, and the instant from which it is due, in UTC."""

    issue: str
    at: datetime


class Times(NamedTuple):
    """When a profile is published: all of it that the schedule looks at."""

    cadence: Cadence
    days: tuple[Weekday, ...]
    at: time
    timezone: str

    @classmethod
    def of(cls, profile: Profile) -> Times:
        """Return the times of a profile."""
        return cls(profile.cadence, profile.days, profile.at, profile.timezone)


def instant(day: date, hour: time, zone: ZoneInfo) -> datetime:
    """Return when a local hour of a day comes, in UTC."""
    local = datetime.combine(day, hour, zone)
    first = local.astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return first
    # In a gap, the offset before it puts the hour behind the gap and the offset after it puts it before:
    # the end of the gap lies between the two, and the zone's offset changes there.
    low, high = local.replace(fold=1).astimezone(UTC), first
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
    return high.replace(microsecond=0)


def around(profile: Profile, now: datetime) -> tuple[Slot, Slot]:
    """Return the slots of the profile's own cadence that came last, at or before `now`, and that comes next."""
    return _around(Times.of(profile), now)


def latest(profile: Profile, now: datetime) -> Slot:
    """Return the slot that came last."""
    return around(profile, now)[0]


def following(profile: Profile, now: datetime) -> Slot:
    """Return the slot that comes next."""
    return around(profile, now)[1]


@lru_cache(maxsize=4096)  # most readers of a tick share their hour with many others
def _around(profile: Times, now: datetime) -> tuple[Slot, Slot]:
    return _latest(profile, now), _following(profile, now)


def _latest(profile: Times, now: datetime) -> Slot:
    zone = ZoneInfo(profile.timezone)
    day = now.astimezone(zone).date() + DAY  # set back over midnight, a clock comes to the day before once more
    while True:
        slot = _slot(profile, day, zone)
        if slot is not None and slot.at <= now:
            return slot
        day -= DAY


def _following(profile: Times, now: datetime) -> Slot:
    zone = ZoneInfo(profile.timezone)
    day = now.astimezone(zone).date() - DAY
    while True:
        slot = _slot(profile, day, zone)
        if slot is not None and slot.at > now:
            return slot
        day += DAY


def quiet_until(quiet: QuietHours | None, timezone: str, now: datetime) -> datetime | None:
    """Return when the quiet hours that `now` falls into end, in UTC; None outside of them."""
    if quiet is None:
        return None
    zone = ZoneInfo(timezone)
    today = now.astimezone(zone).date()
    for day in (today - DAY, today, today + DAY):  # set back over midnight, a clock comes to the day before once more
        end = instant(day if quiet.begin < quiet.end else day + DAY, quiet.end, zone)
        if instant(day, quiet.begin, zone) <= now < end:
            return end
    return None


@lru_cache(maxsize=4096)
def day_of(timezone: str, now: datetime) -> tuple[datetime, datetime]:
    """Return when the local day of `now` began, and when the next one does, in UTC."""
    zone = ZoneInfo(timezone)
    day = now.astimezone(zone).date()
    return instant(day, time.min, zone), instant(day + DAY, time.min, zone)


def _slot(profile: Times, day: date, zone: ZoneInfo) -> Slot | None:
    """Return the slot that falls on a local day, if one does."""
    weekly = profile.cadence is Cadence.WEEKLY
    if WEEKDAYS[day.weekday()] not in (profile.days[:1] if weekly else profile.days):
        return None
    at = instant(day, profile.at, zone)
    if weekly:  # the week has its issue even where its day was skipped
        year, week, _ = day.isocalendar()
        return Slot(f"{Cadence.WEEKLY}:{year}-W{week:02}", at)
    return Slot(f"{Cadence.DAILY}:{day.isoformat()}", at) if _exists(day, at, zone) else None


def _exists(day: date, at: datetime, zone: ZoneInfo) -> bool:
    """Return whether a zone had that day, given its slot: Samoa had no 30 December 2011."""
    # A slot that moved to the next day is no proof: 23:45 does, where clocks go from 23:30 to 00:30.
    return any(moment.astimezone(zone).date() == day for moment in (at, instant(day, time.min, zone)))


def immediate_issue(newest: int, last: str | None) -> str:
    """Return the key of the alerts over everything up to the paper that arrived as number `newest`.

    It comes after `last`, the key before it. A profile that changed may look at the same papers a second time.
    """
    issue = f"{Cadence.IMMEDIATE}:{newest:012}"
    if last is None or last < issue:
        return issue
    looked, _, again = last.partition(".")
    return f"{looked}.{int(again or 1) + 1:03}"
