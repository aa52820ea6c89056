"""What may be asked about issues that are due, and editions that were composed.

Values that are made for every edition are named tuples: a frozen dataclass takes twice as long to make.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from digestd.model import Cadence, Edition, Entry, LeftOut, Paper, Profile, QuietHours, Snapshot, StoredPaper


class DueProfile(NamedTuple):
    """A profile whose cadence may be due. `issue` is the last one composed, `horizon` the newest paper it saw.

    `due_at` is None of alerts that wait for papers and are held by nothing.
    """

    pk: int
    spec: int
    profile: Profile
    cadence: Cadence
    issue: str | None
    horizon: int | None
    due_at: datetime | None = None


class DueSubscriber(NamedTuple):
    """A subscriber with the profiles that may be due."""

    pk: int
    email: str
    name: str
    timezone: str
    profiles: tuple[DueProfile, ...]
    quiet_hours: QuietHours | None = None


class Advance(NamedTuple):
    """One step of a profile's progress: from the issue `was` to `issue`, looked at papers up to `horizon`.

    `due_at` is when the next one is due; None where it waits for papers and not for an hour.
    """

    profile: int
    cadence: Cadence
    was: str | None
    issue: str | None
    horizon: int | None
    due_at: datetime | None


class ComposedSection(NamedTuple):
    """A profile's part of an edition: its papers in order, and how many it matched in all.

    `looked` is how many papers it looked at, `hits` how many of them each of its queries hits.
    """

    due: DueProfile
    entries: tuple[tuple[StoredPaper, Entry], ...]
    matched: int
    looked: int
    hits: tuple[tuple[str, int], ...]
    left_out: LeftOut


class Announced(NamedTuple):
    """That a paper was announced to a subscriber: as which revision, at once or not, and for which profile."""

    revision: int
    cadence: Cadence
    profile: int


class Composed(NamedTuple):
    """What publishing decided for one issue of one subscriber: steps of progress, and an edition unless empty.

    `already` are revisions of papers, `quiet_since` is as in `Edition`.
    """

    subscriber: DueSubscriber
    advances: tuple[Advance, ...]
    issue: str
    cadence: Cadence
    edition_id: str | None
    considered: int
    sections: tuple[ComposedSection, ...]
    already: tuple[int, ...] = ()
    quiet_since: datetime | None = None


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

    def next_due(self, after: datetime) -> datetime | None:
        """Return when the first profile of an active subscriber is due after a moment; None when none is."""

    def alerts_since(self, since: Mapping[int, datetime]) -> dict[int, int]:
        """Return for each subscriber how many alerts were composed for them since the moment given."""

    def realign(self, now: datetime, *, stepped_back: bool) -> int:
        """Put right what a clock left that ran ahead. Returns how many cadences were.

        One that would be due later than any schedule can mean is looked at anew. `stepped_back` says that the clock
        did so just now: then every hold of alerts is, and no edition that is ready waits any longer.
        """

    def profiles_of(self, subscriber: int) -> DueSubscriber:
        """Return one subscriber with the progress of every active profile, due or not. Raises NotFound."""

    def announced(self, subscribers: Sequence[int], after: int) -> dict[int, dict[int, Announced]]:
        """Return for each subscriber the papers with `pk > after` that an edition has announced to them, in order."""

    def revisions(self, pks: Sequence[int]) -> tuple[Paper, ...]:
        """Return what papers said, a revision each."""

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
