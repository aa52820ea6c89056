"""`status`: how things stand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import click

from digestd.cli.common import fail_unless, json_option, now_option, rounds
from digestd.cli.output import tell, tell_json, tell_marked
from digestd.model import OutboxState
from digestd.service.status import Status, chart, is_served, status_of
from digestd.service.watch import found_now
from digestd.subscribers.file import read_people

ON_THE_WAY = (OutboxState.READY, OutboxState.CLAIMED, OutboxState.SENDING, OutboxState.UNCERTAIN)


@click.command()
@now_option
@json_option
def status(now: datetime | None, as_json: bool) -> None:
    """Show what happened today, what waits, and what is due next. Exits with 1 when something needs you.

    \b
    Example:  digestd status
    """
    with rounds(now) as (made, _):
        settings = made.settings
        problems = read_people(settings.subscribers, settings).problems
        zone = ZoneInfo(settings.schedule.timezone)
        served = is_served(settings.paths.database)
        needed = tuple(one.sentence for one in found_now(settings, made.store, made.clock()))
        found = status_of(made.store, made.clock(), zone, is_served=served, problems=problems, found=needed)
    if as_json:
        tell_json(found)
    else:
        _show(found, zone)
    fail_unless(found.is_well)


def _show(found: Status, zone: ZoneInfo) -> None:
    how = ("at work", "green") if found.is_served else ("serve is not running", "yellow")
    tell_marked(*how, f"  {found.at.astimezone(zone):%A, %H:%M} {zone.key}")
    tell("")
    ingested, today = found.ingested, found.today
    last = f"; the last one {_ago(found.at, ingested.last_at)}" if ingested.last_at else "; none ever"
    files = _counted(ingested.files, "file")
    _row("ingested", f"{files} today, {ingested.new:,} new of {ingested.papers:,} papers{last}")
    _row("sent", ", ".join([f"{today.get('sent', 0):,} today", *_others(today)]))
    waiting = [f"{found.outbox.get(state, 0):,} {state}" for state in ON_THE_WAY if found.outbox.get(state)]
    _row("outbox", ", ".join(waiting) or "nothing waits")
    if found.next_due:
        _row("next", f"at {found.next_due.astimezone(zone):%H:%M on %A}")
    tell("")
    _row("sent", f"{chart(found.sent_by_hour)}▏{max(found.sent_by_hour):,} in the busiest of the last 24 hours")
    _row("due", f"{chart(found.due_by_hour)}▏{max(found.due_by_hour):,} in the busiest of the next 24 hours")
    troubles = [*([f"nothing is sent: {found.held}"] if found.held else []), *found.problems, *found.found]
    for number, trouble in enumerate(troubles):
        if not number:
            tell("")
        tell_marked("! ", "yellow", trouble)


def _row(name: str, text: str) -> None:
    tell(f"{name:<10}{text}")


def _others(today: Mapping[str, int]) -> list[str]:
    return [f"{count:,} {state}" for state, count in sorted(today.items()) if state != "sent" and count]


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _ago(now: datetime, then: datetime) -> str:
    minutes = int((now - then).total_seconds() // 60)
    if minutes < 1:
        return "just now"
    if minutes < 120:
        return f"{_counted(minutes, 'minute')} ago"
    return f"{minutes // 60} hours ago" if minutes < 48 * 60 else f"{minutes // 1440} days ago"
