"""What needs an operator, and when to say it: pure rules, from what is so to sentences, and from those to a notice.

A notice is one mail for all that is new, is due to be said again, or is over. What is found is said once in a while
(`operator.repeat_hours`), however often it comes and goes; docs/operations.md lists the rules for people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from digestd.letters import Told

DAY = timedelta(days=1)
# Greylisting ends within the hour, and what a mailbox defers for longer is a handful; all of it is a broken relay.
LATE = timedelta(hours=4)
FEW_LATE, SHARE_LATE = 10, 0.01  # editions, and their share of a day's attempts
# Large receivers put senders under review from 5 % of refused mail; below ten the share says nothing.
FEW_FAILED, SHARE_FAILED = 10, 0.05
ROOM = 2  # times the floor below which nothing is sent: a notice must leave before that
MEGABYTE = 1_000_000
KEYS = frozenset({"quiet", "quarantine", "waiting", "uncertain", "refused", "disk"})


@dataclass(frozen=True, slots=True)
class Facts:
    """How things stand. `newest` is when the newest paper came, `quarantined` when each refused file was put aside.

    `sent` and `failed` are of the last day; `late` editions wait for longer than LATE. `free` and `floor` are bytes.
    `troubles` are sentences of the service about itself, by name.
    """

    newest: datetime | None = None
    quarantined: tuple[datetime, ...] = ()
    late: int = 0
    uncertain: int = 0
    sent: int = 0
    failed: int = 0
    free: int = 0
    floor: int = 0
    troubles: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What needs an operator. `at` is the moment of what is said once; None for what lasts, and has an end."""

    key: str
    sentence: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """What to tell now, and all that the operator has then been told."""

    found: tuple[Finding, ...]
    over: tuple[str, ...]
    told: tuple[Told, ...]


def findings(facts: Facts, now: datetime, zone: ZoneInfo, quiet_days: int) -> tuple[Finding, ...]:
    """Return what needs an operator at `now`, each with its own key."""
    found = [Finding(name, sentence) for name, sentence in sorted((facts.troubles or {}).items())]
    if facts.newest is not None:
        last = facts.newest.astimezone(zone).date()
        days = working_days_between(last, now.astimezone(zone).date())
        if days >= quiet_days:
            found.append(Finding("quiet", f"No new paper since {last:%A, %d %B %Y}: {days} working days without any."))
    if facts.quarantined:
        said = f"{_counted(len(facts.quarantined), 'file')} refused: see `digestd quarantine list`."
        found.append(Finding("quarantine", said, max(facts.quarantined)))
    attempts = facts.sent + facts.failed
    if facts.late > max(FEW_LATE, SHARE_LATE * attempts):
        said = f"{_counted(facts.late, 'edition')} not sent for more than {LATE // timedelta(hours=1)} hours"
        found.append(Finding("waiting", f"{said}: see `digestd outbox list --state ready`."))
    if facts.uncertain:
        said = f"{_counted(facts.uncertain, 'edition')} may or may not have arrived"
        found.append(Finding("uncertain", f"{said}: see `digestd outbox list`."))
    if facts.failed >= FEW_FAILED and facts.failed > SHARE_FAILED * attempts:
        share = f"{facts.failed / attempts:.0%}"
        said = f"{facts.failed:,} of {attempts:,} editions of the last day were refused for good ({share})"
        found.append(Finding("refused", f"{said}: see `digestd outbox list --state failed`."))
    if facts.free < ROOM * facts.floor:
        free, floor = facts.free // MEGABYTE, facts.floor // MEGABYTE
        said = f"Only {free:,} MB are free on the disk of the store; below {floor:,} MB nothing is taken or sent."
        found.append(Finding("disk", said))
    return tuple(found)


def working_days_between(first: date, last: date) -> int:
    """Return how many days from Monday to Friday lie between two days, without both."""
    between = max(0, (last - first).days - 1)
    weeks, rest = divmod(between, 7)
    return 5 * weeks + sum((first + timedelta(days=number)).weekday() < 5 for number in range(1, rest + 1))


def notice(found: Sequence[Finding], told: Sequence[Told], now: datetime, repeat: timedelta) -> Notice | None:
    """Return what to tell the operator at `now`, None when that is nothing.

    What is open is told again after `repeat`, and so is what came back: whatever comes and goes all day is two mails
    a day. A `told_at` in the future is of a clock that ran ahead, and holds nothing back.
    """
    known = {one.key: one for one in told}
    open_now = {one.key for one in found}

    def is_due(one: Finding) -> bool:
        before = known.get(one.key)
        if before is None:
            return True
        is_news = one.at is None or one.at > before.told_at or before.told_at > now
        return is_news and not timedelta(0) <= now - before.told_at < repeat

    due = tuple(one for one in found if is_due(one))
    over = tuple(one for one in told if one.lasts and one.key not in open_now)
    if not (due or over):
        return None
    after = known | {one.key: Told(one.key, one.sentence, now, lasts=one.at is None) for one in due}
    after |= {one.key: Told(one.key, one.sentence, one.told_at, lasts=False) for one in over}
    return Notice(due, tuple(one.sentence for one in over), tuple(after.values()))


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
