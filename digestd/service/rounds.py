"""The stages with the real things in their hands: what `run-once` does once and `serve` again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from digestd.config import Settings
from digestd.deliver.policy import LONGEST_WAIT
from digestd.deliver.stage import DeliverReport, deliver
from digestd.errors import DigestdError
from digestd.ingest.sources.stage import SourceReport
from digestd.ingest.stage import FileReport, ingest_inbox
from digestd.model import Outcome, Snapshot
from digestd.publish.alerts import Warm
from digestd.publish.stage import PublishReport, publish
from digestd.service import build
from digestd.service.findings import Finding, Notice
from digestd.service.mend import mend
from digestd.service.press_room import PressRoom
from digestd.service.watch import found_now, tell_operator
from digestd.store.base import Claim, Store, SyncReport
from digestd.subscribers.file import read_people

Clock = Callable[[], datetime]
FORGOTTEN_AT_ONCE = 50  # of who never confirmed; the next tick takes the next ones
# While editions are composed, presses begin at so many: one is then ready when they are as many as it is worth.
BEGUN, EXPECTED = 2_000, 10_000  # the second is how many they are told of
MANY = 5_000  # editions ready; a process that makes messages takes its time to start, and some 80 MB


@dataclass(frozen=True, slots=True)
class People:
    """What a synchronisation changed, and the problems that were found in the subscribers file."""

    report: SyncReport
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rounds:
    """One configuration at work on one store.

    `snapshot` is what editions are rendered with from now on. Without one, the templates on disk are read and
    checked at each publishing, so that a broken one is said before an edition is composed with it. `warm` is what
    stays compiled from one publishing to the next.
    """

    settings: Settings
    store: Store
    clock: Clock = build.utc_now
    snapshot: Snapshot | None = None
    warm: Warm = field(default_factory=Warm)

    def sync_people(self) -> People:
        """Take over the subscribers file."""
        reading = read_people(self.settings.subscribers, self.settings)
        return People(self.store.subscribers.sync(reading.roster, self.clock()), reading.problems)

    def ingest(
        self, wait: Callable[[float], None] | None = None, left: Callable[[float], None] | None = None
    ) -> Generator[FileReport]:
        """Ingest what lies in the inbox, as `ingest_inbox` does. Raises DigestdError when a folder cannot be used."""
        try:
            yield from ingest_inbox(self.store.papers, build.folders(self.settings), self.clock, wait, left)
        except OSError as error:
            place = error.filename2 or error.filename or self.settings.paths.inbox
            raise DigestdError(f"{place}: {(error.strerror or str(error)).lower()}") from error

    def fetch(self, names: Sequence[str] = (), stop: Callable[[], bool] = lambda: False) -> Generator[SourceReport]:
        """Fetch the sources that are due, or those named, into the inbox. Raises DigestdError as `ingest` does."""
        try:
            yield from build.fetcher(self.settings, self.store, self.clock).round(names, stop)
        except OSError as error:
            place = error.filename or self.settings.paths.inbox
            raise DigestdError(f"{place}: {(error.strerror or str(error)).lower()}") from error

    def realign(self, *, stepped_back: bool = False) -> int:
        """Put right what a clock left that ran ahead, as `Editions.realign` does."""
        return self.store.editions.realign(self.clock(), stepped_back=stepped_back)

    def next_due(self, after: datetime) -> timedelta | None:
        """Return how long it is until something is due that was not at `after`; None when nothing is to come."""
        coming = self.store.editions.next_due(after)
        return max(coming - self.clock(), timedelta()) if coming else None

    def has_mail(self) -> bool:
        """Return whether `deliver` would find anything to do."""
        return self.store.outbox.has_work(self.clock(), LONGEST_WAIT)

    def look(self, troubles: Mapping[str, str] | None = None) -> tuple[tuple[Finding, ...], Notice | None]:
        """Return what needs an operator now, and what they are told of it with the next mail. Raises StoreError."""
        now = self.clock()
        found = found_now(self.settings, self.store, now, troubles)
        return found, tell_operator(self.settings, self.store, self.snapshot, now, found)

    def publish(
        self,
        progress: Callable[[int], None] | None = None,
        stop: Callable[[], bool] | None = None,
        room: PressRoom | None = None,
    ) -> PublishReport:
        """Compose what is due now, until `stop` says yes. Raises TemplateError before anything is composed.

        From a store without any paper nothing is published: nobody's first issue is spent on an empty one. Where
        `room` is to make many messages, it begins with them meanwhile.
        """
        now = self.clock()
        self.store.subscribers.wake(now)
        mend(self.settings, self.store, self.snapshot, now)
        for unanswered in self.store.signups.stale(now, FORGOTTEN_AT_ONCE):
            self.store.readers.forget(unanswered, now)
        self.realign()
        if self.store.papers.newest() == 0:
            return PublishReport()
        snapshot = self.snapshot or build.checked_snapshot(self.settings)
        rules = build.alert_rules(self.settings)
        near = self.settings.matching.near_duplicates
        learning = self.settings.matching.learning
        composed = _telling(room, self._coming, progress) if room else progress
        return publish(self.store, snapshot, now, composed, stop, self.warm, rules, near, learning=learning)

    def _coming(self, most: int) -> list[int]:
        return self.store.outbox.coming(self.clock(), most)

    async def deliver(
        self,
        *,
        stop: asyncio.Event | None = None,
        told: Callable[[Claim, Outcome], None] | None = None,
        room: PressRoom | None = None,
    ) -> DeliverReport:
        """Send what is ready; where that is much, its messages are made in processes beside this one, of `room`."""
        outlets, post = build.outlets(self.settings), build.post(self.settings)
        with room or PressRoom(self.settings) as presses:
            if presses.is_at_work or len(self._coming(MANY)) == MANY:
                post = replace(post, press=presses.print)
            return await deliver(self.store, outlets, post, self.clock, build.jitter, stop=stop, told=told)


def _telling(
    room: PressRoom, coming: Callable[[int], list[int]], progress: Callable[[int], None] | None
) -> Callable[[int], None]:
    """Return what is to be told of each batch, so that the presses learn what comes, each edition once."""
    known = 0

    def told(people: int) -> None:
        nonlocal known
        if known < EXPECTED:
            editions = coming(EXPECTED)
            if len(editions) >= BEGUN:
                room.expect(editions[known:])
                known = len(editions)
        if progress:
            progress(people)

    return told
