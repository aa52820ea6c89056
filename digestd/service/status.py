"""How things stand, for a person at a terminal: what happened today, what waits, and what is due next."""

from __future__ import annotations

import fcntl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from digestd.store.base import Store
from digestd.store.base.history import Files

BARS = "▁▂▃▄▅▆▇█"
HOURS = 24
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Status:
    """What `digestd status` shows. Hours are counted in the operator's zone: `today` began at its midnight."""

    at: datetime
    is_served: bool
    held: str | None
    today: Mapping[str, int]
    ingested: Files
    outbox: Mapping[str, int]
    sent_by_hour: tuple[int, ...]
    due_by_hour: tuple[int, ...]
    next_due: datetime | None
    problems: tuple[str, ...]
    found: tuple[str, ...]

    @property
    def is_well(self) -> bool:
        """Whether nothing needs an operator."""
        return not (self.problems or self.held or self.found)


def status_of(
    store: Store, now: datetime, zone: ZoneInfo, *, is_served: bool, problems: tuple[str, ...],
    found: tuple[str, ...] = (),
) -> Status:  # fmt: skip
    """Return how things stand at `now`; `found` are sentences about what needs an operator."""
    local = now.astimezone(zone)
    midnight = datetime.combine(local.date(), datetime.min.time(), zone).astimezone(UTC)
    hour = now.replace(minute=0, second=0, microsecond=0)
    first = hour - (HOURS - 1) * HOUR
    past, today = store.history.attempts(first), store.history.attempts(midnight)
    coming = store.history.coming(now, hour + HOURS * HOUR)
    return Status(
        at=now,
        is_served=is_served,
        held=store.outbox.held(),
        today={state: sum(by_hour.values()) for state, by_hour in today.items()},
        ingested=store.history.files(midnight),
        outbox={state.value: count for state, count in store.outbox.counts().items()},
        sent_by_hour=tuple(past.get("sent", {}).get(first + number * HOUR, 0) for number in range(HOURS)),
        due_by_hour=tuple(coming.get(hour + number * HOUR, 0) for number in range(HOURS)),
        next_due=store.editions.next_due(now),
        problems=problems,
        found=found,
    )


def chart(counts: tuple[int, ...]) -> str:
    """Return counts as a line of bars, the highest a whole one; a blank for none."""
    most = max(counts, default=0)
    return "".join(BARS[max(0, -(-count * len(BARS) // most) - 1)] if count else " " for count in counts)


def is_served(database: Path) -> bool:
    """Return whether a `serve` is at work on the store."""
    try:
        with database.with_name(f"{database.name}.service-lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
