"""Looking after the service: how things stand becomes findings, and a notice to the operator where it is time for one.

The notice is a letter like any other: composed here, in the outbox with what it tells, sent by the deliver stage.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from digestd.config import Settings
from digestd.ingest.inbox import REASON
from digestd.letters import Letter, LetterKind
from digestd.model import OutboxState, Snapshot
from digestd.publish.tokens import edition_id
from digestd.service import build
from digestd.service.findings import DAY, LATE, Facts, Finding, Notice, findings, notice
from digestd.store.base import Store
from digestd.store.disk import MEGABYTE, Disk


def found_now(
    settings: Settings, store: Store, now: datetime, troubles: Mapping[str, str] | None = None
) -> tuple[Finding, ...]:
    """Return what needs an operator; `troubles` are what the service knows of itself. Raises StoreError."""
    floor = settings.disk.min_free_mb * MEGABYTE
    since = now - max(DAY, _repeat(settings))
    past = store.history.attempts(now - DAY)
    facts = Facts(
        newest=store.notices.newest(),
        quarantined=tuple(moment for moment in _refused(settings.paths.quarantine) if moment > since),
        late=store.notices.late(now - LATE),
        uncertain=store.outbox.counts().get(OutboxState.UNCERTAIN, 0),
        sent=sum(past.get(OutboxState.SENT, {}).values()),
        failed=sum(past.get(OutboxState.FAILED, {}).values()),
        free=Disk(settings.paths.database).free(),
        floor=floor,
        troubles=troubles,
    )
    return findings(facts, now, ZoneInfo(settings.schedule.timezone), settings.operator.quiet_days)


def tell_operator(
    settings: Settings, store: Store, snapshot: Snapshot | None, now: datetime, found: tuple[Finding, ...]
) -> Notice | None:
    """Put a notice into the outbox where it is time for one; returns what it tells. Raises StoreError."""
    address = settings.operator.address
    told = notice(found, store.notices.told(), now, _repeat(settings)) if address else None
    if address is None or told is None:
        return None
    letter = Letter(LetterKind.NOTICE, (), (), "", found=tuple(one.sentence for one in told.found), over=told.over)
    name = partial(edition_id, store.editions.key(), profiles=())
    store.notices.tell(
        address, letter, told.told, name, store.editions.keep(snapshot or build.checked_snapshot(settings)), now
    )
    return told


def _repeat(settings: Settings) -> timedelta:
    return timedelta(hours=settings.operator.repeat_hours)


def _refused(folder: Path) -> Iterable[datetime]:
    """Yield when each file of the quarantine was refused: when its reason was written."""
    try:
        reasons = [path for path in folder.iterdir() if path.name.endswith(REASON)]
    except OSError:  # there is none before the first file is refused
        return
    for reason in reasons:
        try:
            yield datetime.fromtimestamp(reason.lstat().st_mtime, UTC)
        except OSError:  # taken out at this moment
            continue
