"""Local time found by brute force: what an hour of a day in a zone is, without the program's own arithmetic."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

STEP = timedelta(minutes=15)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
WEEK = timedelta(days=7)


@cache
def every_zone() -> tuple[str, ...]:
    """Return the names of all zones; to find them takes a walk through the files of the system."""
    return tuple(sorted(available_timezones()))


def wall(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return what a clock on the wall shows."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def first_instant(day: date, hour: time, zone: ZoneInfo) -> datetime:
    """Return the first moment at which the wall clock shows `hour` of `day`, or else the first that shows more.

    Every offset in use within two days is tried, so that no rule about gaps and folds is needed.
    """
    wanted = datetime.combine(day, hour)
    around = datetime.combine(day, hour, UTC)
    offsets = {offset for near in range(-2, 3) for offset in _offsets(day + near * DAY, zone)}
    shown = [moment for moment in (around - offset for offset in offsets) if wall(moment, zone) == wanted]
    if shown:
        return min(shown)
    samples = (around + number * STEP for number in range(-120, 121))
    moment = next(moment for moment in samples if wall(moment, zone) > wanted) - STEP
    while wall(moment, zone) < wanted:
        moment += SECOND
    return moment


def exists(day: date, zone: ZoneInfo) -> bool:
    """Return whether the zone had any moment of that day."""
    return wall(first_instant(day, time.min, zone), zone).date() == day


@cache
def changes(zone: ZoneInfo, first: int = 1890, last: int = 2037) -> tuple[date, ...]:
    """Return the days, in UTC, on which a zone's offset changes; two changes within a week may pass for none."""
    weeks = [datetime(first, 1, 1, tzinfo=UTC) + number * WEEK for number in range((last - first) * 52)]
    offsets = [_offset(week, zone) for week in weeks]
    return tuple(
        next(day for day in (week + number * DAY for number in range(8)) if _offset(day + DAY, zone) != before).date()
        for week, (before, after) in zip(weeks, pairwise(offsets), strict=False)
        if before != after
    )


@lru_cache(maxsize=100_000)
def _offsets(day: date, zone: ZoneInfo) -> frozenset[timedelta]:
    """Return the offsets in use at the quarters of an hour of a day in UTC."""
    midnight = datetime.combine(day, time.min, UTC)
    return frozenset(_offset(midnight + number * STEP, zone) for number in range(96))


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()
