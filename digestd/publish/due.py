"""What is to be done now with one cadence of a profile: compose an issue, wait for a moment, or neither. Pure.

Alerts are grouped as Alertmanager groups its own: the first news waits `group_wait` for company, and what comes
within `group_interval` of an alert waits for the interval's end. What is held is not lost: its papers are looked at
when the hold ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from digestd.model import Cadence, Profile, QuietHours
from digestd.publish.schedule import around, day_of, immediate_issue, quiet_until


@dataclass(frozen=True, slots=True)
class AlertRules:
    """How alerts are grouped, how many mails of them a person gets in a local day at most, and if digests list them."""

    group_wait: timedelta = timedelta()
    group_interval: timedelta = timedelta()
    per_day: int = 20
    listed: bool = False


AT_ONCE = AlertRules()


class Standing(NamedTuple):
    """How far a cadence of a profile has come: the last issue composed, and when it is due, or held until.

    `due_at` is None for alerts that are held by nothing and wait for papers.
    """

    issue: str | None
    due_at: datetime | None


class Hours(NamedTuple):
    """A person's day: the IANA zone, the quiet hours, and how many alerts were composed since local midnight."""

    timezone: str
    quiet: QuietHours | None = None
    alerts_today: int = 0


class Decision(NamedTuple):
    """The issue to compose now, None to compose nothing; and when to look again, None when there are new papers."""

    issue: str | None
    again_at: datetime | None


def decide(
    profile: Profile, cadence: Cadence, standing: Standing, newest: int, hours: Hours, rules: AlertRules, now: datetime
) -> Decision:
    """Decide about a cadence whose hour has come or, of `immediate`, for which papers up to `newest` have."""
    quiet_end = quiet_until(hours.quiet, hours.timezone, now)
    if cadence is not Cadence.IMMEDIATE:
        last, coming = around(profile, now)
        if standing.issue is not None and last.issue <= standing.issue:
            return Decision(None, coming.at)
        return Decision(None, quiet_end) if quiet_end else Decision(last.issue, coming.at)
    if quiet_end:
        return Decision(None, quiet_end)
    if rules.group_wait and standing.due_at is None:
        return Decision(None, now + rules.group_wait)
    if hours.alerts_today >= rules.per_day:
        return Decision(None, day_of(hours.timezone, now)[1])
    again_at = now + rules.group_interval if rules.group_interval else None
    return Decision(immediate_issue(newest, standing.issue), again_at)
