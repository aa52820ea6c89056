"""What every room may ask of the store, and what each method promises.

The methods are synchronous. One that changes something is one transaction: it happened whole and survives a
power cut when it returns, and did not happen at all when it raises. Any of them may raise `StoreBusy` (another
process holds the write lock for too long) or `StoreError` (the disk or the database failed).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from digestd.model import (
    Cadence,
    Edition,
    Entry,
    Origin,
    OutboxState,
    Paper,
    Phase,
    Profile,
    Snapshot,
    StoredPaper,
    Subscriber,
    SubscriberState,
)


@dataclass(frozen=True, slots=True)
class DigestFile:
    """A digest file as it was read. `sha256` is that of its content, in hexadecimal; `size` in bytes."""

    name: str
    format: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Counts:
    """What a digest file held. `papers` = `new` + `revised` + `duplicate`."""

    papers: int = 0
    new: int = 0
    revised: int = 0
    duplicate: int = 0


class Papers(Protocol):
    """The papers, and the digest files they came from."""

    def ingested(self, sha256: str) -> bool:
        """Return whether a digest file of this content has been ingested."""

    def add_file(
        self, file: DigestFile, papers: Iterable[Paper], bad: Callable[[], int], now: datetime
    ) -> Counts | None:
        """Take a digest file's papers, all or none; None when its content was ingested before.

        `papers` is consumed within the transaction, and an exception from it undoes the file. `bad` is asked
        at the end for the number of bad records.
        """

    def newest(self) -> int:
        """Return the `pk` of the paper that arrived last, 0 when there is none."""

    def between(self, after: int, upto: int, since: datetime | None = None) -> list[StoredPaper]:
        """Return the papers with `after < pk <= upto`, ingested at `since` or later, in order of arrival."""

    def first_since(self, since: datetime) -> int:
        """Return the smallest `pk` of the papers ingested at `since` or later; `newest() + 1` without any."""

    def find(self, name: str) -> list[StoredPaper]:
        """Return the papers a person may mean by an id, a key, an address, or a piece of the title (ten at most)."""

    def all(self) -> Iterator[StoredPaper]:
        """Return every paper in order of arrival."""


@dataclass(frozen=True, slots=True)
class StoredSubscriber:
    """A subscriber with its number, and who put it there and into its state."""

    pk: int
    subscriber: Subscriber
    state_by: Origin
    origin: Origin


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a synchronisation with the subscribers file changed, in subscribers."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class Roster:
    """The people of the subscribers file, as far as they could be read.

    Of a profile that was refused (by address and name) and of a person who was (by address), the last good
    version stays. `complete` is False when an entry could not even be told whose it is: then nobody is removed.
    """

    people: tuple[Subscriber, ...]
    refused_profiles: Mapping[str, frozenset[str]]
    refused_people: frozenset[str]
    complete: bool


class Subscribers(Protocol):
    """The people and their profiles."""

    def sync(self, roster: Roster, now: datetime) -> SyncReport:
        """Make the store's people of origin `file` equal to the roster's.

        People whom it no longer names are unsubscribed. Whoever left by their own wish stays unsubscribed.
        """

    def add(self, subscriber: Subscriber, origin: Origin, now: datetime) -> StoredSubscriber:
        """Add a subscriber, or their profiles to those they have.

        A paused person stays paused unless it is the reader who asks. Raises NotAllowed for one who left.
        """

    def set_state(self, address: str, state: SubscriberState, by: Origin, now: datetime) -> StoredSubscriber:
        """Change a subscriber's state.

        Raises NotFound, and NotAllowed when it would bring back somebody who left by their own wish or is
        suppressed; to remove such a person once more changes nothing.
        """

    def find(self, address: str) -> StoredSubscriber:
        """Return a subscriber by address, however it is written. Raises NotFound, naming the nearest known."""

    def all(self) -> Iterator[StoredSubscriber]:
        """Return every subscriber by address."""

    def numbered(self, pk: int) -> StoredSubscriber:
        """Return a subscriber by number. Raises NotFound."""


@dataclass(frozen=True, slots=True)
class DueProfile:
    """A profile whose cadence may be due. `issue` is the last one composed, `horizon` the newest paper it saw."""

    pk: int
    spec: int
    profile: Profile
    cadence: Cadence
    issue: str | None
    horizon: int | None


@dataclass(frozen=True, slots=True)
class DueSubscriber:
    """A subscriber with the profiles that may be due."""

    pk: int
    email: str
    name: str
    timezone: str
    profiles: tuple[DueProfile, ...]


@dataclass(frozen=True, slots=True)
class Advance:
    """One step of a profile's progress: from the issue `was` to `issue`, looked at papers up to `horizon`.

    `due_at` is when the next one is due; None where it waits for papers and not for an hour.
    """

    profile: int
    cadence: Cadence
    was: str | None
    issue: str | None
    horizon: int | None
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class ComposedSection:
    """A profile's part of an edition: its papers in order, and how many it matched in all."""

    due: DueProfile
    entries: tuple[tuple[StoredPaper, Entry], ...]
    matched: int


@dataclass(frozen=True, slots=True)
class Composed:
    """What publishing decided for one issue of one subscriber: steps of progress, and an edition unless empty."""

    subscriber: DueSubscriber
    advances: tuple[Advance, ...]
    issue: str
    cadence: Cadence
    edition_id: str | None
    considered: int
    sections: tuple[ComposedSection, ...]


@dataclass(frozen=True, slots=True)
class Saved:
    """What `Editions.save` wrote: `issues` counts the empty ones too, which only move the progress on."""

    issues: int
    editions: int
    papers: int


class Editions(Protocol):
    """What is due, and what was composed."""

    def key(self) -> bytes:
        """Return the store's signing key: 32 random bytes, made with the store."""

    def due(self, now: datetime, newest: int, limit: int) -> list[DueSubscriber]:
        """Return up to `limit` active subscribers with the profiles that are due at `now`, oldest first."""

    def profiles_of(self, subscriber: int) -> DueSubscriber:
        """Return one subscriber with the progress of every active profile, due or not. Raises NotFound."""

    def announced(self, subscribers: Sequence[int], after: int) -> dict[int, set[int]]:
        """Return for each subscriber the papers with `pk > after` that an edition has announced to them."""

    def keep(self, snapshot: Snapshot) -> str:
        """Keep a snapshot, once per content. Returns its SHA-256."""

    def save(self, composed: Sequence[Composed], snapshot: str, now: datetime) -> Saved:
        """Write editions with their papers and outbox rows, and the progress that goes with them.

        One transaction. An issue that another publisher composed meanwhile, or of whose papers another one has
        announced some, is passed over and stays as it was.
        """

    def load(self, pks: Sequence[int], token: Callable[[int, str], str]) -> dict[int, tuple[Edition, str]]:
        """Return editions by number, each with its snapshot's SHA-256; `token` makes the reader's token."""

    def snapshot(self, sha256: str) -> Snapshot:
        """Return a kept snapshot. Raises NotFound."""

    def announcement(self, subscriber: int, paper: int) -> tuple[int, Entry] | None:
        """Return the number of the edition that announced a paper to a subscriber, and its entry."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to send one edition. `attempts` counts this one too; `sha256` is of an earlier attempt's bytes."""

    edition: int
    edition_id: str
    address: str
    attempts: int
    composed_at: datetime
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Transition:
    """One arrow of the outbox, and the words for the ledger.

    `ledger` is what the ledger calls it (`deferred` for sending → ready), None to write no line. `counts` is
    False for an attempt that was not the edition's own (the relay was down): it is taken back.
    """

    edition: int
    source: OutboxState
    target: OutboxState
    at: datetime
    reason: str = ""
    not_before: datetime | None = None
    sha256: str | None = None
    phase: Phase | None = None
    code: int | None = None
    ledger: str | None = None
    counts: bool = True


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """An edition's way out, for a person."""

    edition: int
    edition_id: str
    email: str
    issue: str
    state: OutboxState
    attempts: int
    not_before: datetime
    changed_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One line of the ledger."""

    at: datetime
    state: str
    attempt: int
    phase: str | None
    code: int | None
    reply: str


class Outbox(Protocol):
    """Editions on their way out."""

    def exclusive(self) -> AbstractContextManager[None]:
        """Hold the right to deliver from this store; the system frees it when the process dies.

        Raises StoreBusy when another process has it. While it is held, a `claimed` or `sending` row of another
        owner can only be what a crash left.
        """

    def recover(self, owner: str, now: datetime, *, hold: bool) -> int:
        """Put right what a crash left: `claimed` becomes ready; `sending` ready again, or uncertain with `hold`.

        Returns how many were `sending`.
        """

    def claim(self, owner: str, now: datetime, limit: int) -> tuple[list[Claim], int]:
        """Claim up to `limit` ready editions whose time has come, and count the attempt.

        Those whose subscriber may no longer be mailed are cancelled instead. Returns the claims and the number
        of the cancelled.
        """

    def record(self, owner: str, transitions: Sequence[Transition]) -> list[bool]:
        """Make several transitions in one transaction, each only if its row is in `source` and ours.

        `claimed → sending` also needs a subscriber who is still active. Returns which of them were made.
        """

    def release(self, owner: str, now: datetime) -> None:
        """Give back what was claimed and not tried; the attempt does not count."""

    def counts(self) -> dict[OutboxState, int]:
        """Return how many editions are in each state."""

    def next_at(self) -> datetime | None:
        """Return when the earliest ready edition may be sent, None without any."""

    def rows(self, state: OutboxState | None, limit: int) -> list[OutboxRow]:
        """Return editions on their way out, the newest first; without a state, all that are not sent."""

    def row(self, edition: str) -> tuple[OutboxRow, list[LedgerRow]]:
        """Return one edition, by number or the beginning of its id, with its ledger. Raises NotFound."""

    def settle(
        self, edition: int, source: Collection[OutboxState], target: OutboxState, reason: str, now: datetime
    ) -> bool:
        """Move an edition by an operator's hand. Returns False when it is in none of the `source` states."""


class Store(Protocol):
    """The four parts of a store."""

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
    def outbox(self) -> Outbox:
        """The outbox."""

    def close(self) -> None:
        """Close every connection."""
