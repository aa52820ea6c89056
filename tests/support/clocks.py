"""Local time found by brute force: what an hour of a day in a zone is, without the program's own arithmetic."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

STEP = timedelta(minutes=15)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
WEEK = timedelta(days=7)


def wall(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return what a clock on the wall shows."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def first_instant(day: date, hour: time, zone: ZoneInfo) -> datetime:
    """Return the first moment at which the wall clock shows `hour` of `day`, or else the first that shows more.

    Every offset in use within 30 hours is tried, so that no rule about gaps and folds is needed.
    """
    wanted = datetime.combine(day, hour)
    around = datetime.combine(day, hour, UTC)
    samples = [around + number * STEP for number in range(-120, 121)]
    offsets = {_offset(moment, zone) for moment in samples}
    shown = [moment for moment in (around - offset for offset in offsets) if wall(moment, zone) == wanted]
    if shown:
        return min(shown)
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


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()
