"""Whether the templates of the operator's pages work: each is filled with something, before an operator opens it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from digestd.ingest.quarantine import Held
from digestd.model import (
    Origin,
    OutboxState,
    Paper,
    Profile,
    StoredPaper,
    Subscriber,
    SubscriberState,
    WeightedQuery,
)
from digestd.service.status import HOURS, Status
from digestd.service.why import Why
from digestd.store.base import Files, LedgerRow, OutboxRow, Past, StoredSubscriber
from digestd.web.operator.desk import Person
from digestd.web.operator.pages import FOLDER
from digestd.web.render import Renderer

_AT = datetime(2026, 5, 19, 6, 0, tzinfo=UTC)


def operator_samples(renderer: Renderer) -> Mapping[str, str]:
    """Return each of the operator's pages filled with samples, by what it shows. Raises TemplateError."""
    shared = {"up": "", "proof": "", "leaves": True, "moment": lambda at: f"{at:%Y-%m-%d %H:%M}", "said": ""}
    return {
        name: renderer.filled(f"{FOLDER}/{template}.html.j2", **shared, **values)
        for name, (template, values) in _samples().items()
    }


def _samples() -> dict[str, tuple[str, dict[str, object]]]:
    hours = tuple(number * number % 97 for number in range(HOURS))
    status = Status(
        at=_AT, is_served=True, held=None, today={"sent": 1204, "failed": 2}, ingested=Files(3, 310, 298, _AT),
        outbox={"ready": 40, "sent": 1204, "failed": 2, "uncertain": 1}, sent_by_hour=hours, due_by_hour=(0,) * HOURS,
        next_due=_AT, problems=(), found=(),
    )  # fmt: skip
    ill = replace(
        status, held="it is a copy", found=("2 files refused: see `digestd quarantine list`.",), next_due=None
    )
    row = OutboxRow(
        7, "0" * 32, "reader@example.org", "daily:2026-05-19", OutboxState.FAILED, 2, _AT, _AT, "550 5.1.1 unknown"
    )
    ledger = [LedgerRow(_AT, "deferred", 1, "rcpt", 451, "try later"), LedgerRow(_AT, "failed", 2, "rcpt", 550, "no")]
    profile = Profile("Agents", (WeightedQuery("agent"), WeightedQuery("robot*", 2.0)), ("medical",), ("tool",))
    person = Subscriber("reader@example.org", "A. Reader", "Europe/Berlin", (profile,))
    stored = StoredSubscriber(3, person, Origin.READER, Origin.READER)
    resting = replace(stored, subscriber=replace(person, state=SubscriberState.PAUSED), paused_until=_AT)
    past = Past(7, "0" * 32, "daily:2026-05-19", _AT, OutboxState.SENT, 9)
    paper = StoredPaper(1, 1, _AT, Paper("arXiv:2310.10637", "A Sample of Agents"))
    known = paper.paper
    told = Why(person.email, person.state, known.id, known.title, _AT, (), None, None, (), None, paper, ())
    held = (
        Held("digest.txt", _AT, 4021, "no format is recognised", "file"),
        Held("may.jsonl.bad-records", _AT, 88, "1 bad records; the others were taken", "bad records"),
    )
    alone: dict[str, object] = {"paper": "", "told": None, "wrong": ""}
    return {
        "overview": ("overview", {"status": status, "hours": HOURS}),
        "overview with findings": ("overview", {"status": ill, "hours": HOURS}),
        "outbox": ("outbox", {"rows": [row, replace(row, state=OutboxState.READY)], "more": 7, "state": ""}),
        "outbox, empty": ("outbox", {"rows": [], "more": None, "state": "failed"}),
        "edition": ("edition", {"row": row, "ledger": ledger}),
        "edition, new": ("edition", {"row": row, "ledger": []}),
        "people": ("people", {"people": [stored], "more": "reader@example.org", "q": "reader", "after": ""}),
        "people, none": ("people", {"people": [], "more": None, "q": "nobody", "after": ""}),
        "person": ("person", {"person": Person(stored, (past,)), **alone, "told": told, "paper": "2310.10637"}),
        "person, resting": ("person", {"person": Person(resting, ()), **alone, "wrong": "no paper 'x'"}),
        "quarantine": ("quarantine", {"files": held}),
        "quarantine, empty": ("quarantine", {"files": []}),
        "refused file": ("refused", {"name": "digest.txt", "reason": "no format", "beginning": "What is this?\n"}),
        "log in": ("login", {"wrong": "This is not the password."}),
    }
