"""What every room may ask of the store, and what each method promises.

The methods are synchronous. One that changes something is one transaction: it happened whole and survives a
power cut when it returns, and did not happen at all when it raises. Any of them may raise `StoreBusy` (another
process holds the write lock for too long) or `StoreError` (the disk or the database failed).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from digestd.store.base.alerts import Alerts, Waiting
from digestd.store.base.editions import (
    Advance,
    Announced,
    Composed,
    ComposedSection,
    DueProfile,
    DueSubscriber,
    Editions,
    Saved,
)
from digestd.store.base.grammar import Grammar
from digestd.store.base.history import Files, History
from digestd.store.base.leanings import Leanings, Said
from digestd.store.base.notices import Notices
from digestd.store.base.outbox import Claim, LedgerRow, Outbox, OutboxRow, Transition
from digestd.store.base.papers import Counts, DigestFile, Gathered, Papers
from digestd.store.base.readers import Past, Readers
from digestd.store.base.sections import PlacedSection, Sections
from digestd.store.base.signups import Asked, Limits, Signup, Signups
from digestd.store.base.sources import Sources, SourceState
from digestd.store.base.subscribers import Roster, StoredSubscriber, Subscribers, SyncReport

__all__ = [
    "Advance",
    "Alerts",
    "Announced",
    "Asked",
    "Claim",
    "Composed",
    "ComposedSection",
    "Counts",
    "DigestFile",
    "DueProfile",
    "DueSubscriber",
    "Editions",
    "Files",
    "Gathered",
    "Grammar",
    "History",
    "Leanings",
    "LedgerRow",
    "Limits",
    "Notices",
    "Outbox",
    "OutboxRow",
    "Papers",
    "Past",
    "PlacedSection",
    "Readers",
    "Roster",
    "Said",
    "Saved",
    "Sections",
    "Signup",
    "Signups",
    "SourceState",
    "Sources",
    "Store",
    "StoredSubscriber",
    "Subscribers",
    "SyncReport",
    "Transition",
    "Waiting",
]


class Store(Protocol):
    """The parts of a store."""

    @property
    def papers(self) -> Papers:
        """The papers."""

    @property
    def subscribers(self) -> Subscribers:
        """The people."""

    @property
    def editions(self) -> Editions:
        """The editions."""

    @property
    def alerts(self) -> Alerts:
        """The immediate profiles."""

    @property
    def sections(self) -> Sections:
        """The parts of editions."""

    @property
    def leanings(self) -> Leanings:
        """What readers wanted more and less of."""

    @property
    def outbox(self) -> Outbox:
        """The outbox."""

    @property
    def readers(self) -> Readers:
        """What readers may ask about themselves."""

    @property
    def sources(self) -> Sources:
        """What is remembered of the sources."""

    @property
    def signups(self) -> Signups:
        """What was asked for on the subscribe page."""

    @property
    def grammar(self) -> Grammar:
        """How search words are read."""

    @property
    def notices(self) -> Notices:
        """What the operator is told."""

    @property
    def history(self) -> History:
        """What happened, and what is to come."""

    def at_once(self) -> AbstractContextManager[None]:
        """Let this thread's reads within raise StoreBusy where they would wait for another process."""

    def stats(self) -> dict[str, object]:
        """Return how much is in the store: numbers by name, those of states as a mapping."""

    def close(self) -> None:
        """Close every connection."""
