"""Fetch what is due, one source after the other, into the inbox, whole or not at all.

What a source answered is in the inbox before its state is kept: a crash between the two fetches it once more, and
ingest knows its content again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from digestd.config.tables import Source
from digestd.errors import DigestdError
from digestd.ingest.inbox import sync_folder
from digestd.ingest.reading import fingerprint
from digestd.ingest.sources.fetch import FetchFailed, Limits, Lookup, Request, Stop, Stopped, fetch, go_on, look_up
from digestd.ingest.sources.plan import address, next_delay
from digestd.store.base import Sources, SourceState

PAUSE = 3.0  # seconds between two requests to one host; arXiv asks for as many


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What a fetch came to: `file` is what lies in the inbox now, None where there is nothing new."""

    source: str
    address: str
    file: str | None
    size: int
    said: str
    next_at: datetime
    failed: bool


@dataclass(frozen=True, slots=True)
class Fetcher:
    """What a round of fetching needs."""

    sources: Sequence[Source]
    states: Sources
    inbox: Path
    agent: str
    limits: Limits
    clock: Callable[[], datetime]
    wait: Callable[[float], None]
    lookup: Lookup = look_up

    def due(self, names: Sequence[str] = ()) -> list[Source]:
        """Return the sources to be fetched now: those of the given names, or those whose time has come.

        Raises DigestdError for a name that no source has.
        """
        known = {source.name: source for source in self.sources}
        if missing := [name for name in names if name not in known]:
            there = ", ".join(known) or "none"
            raise DigestdError(f"{missing[0]!r} is no source of the configuration; there are {there}")
        return [known[name] for name in names] if names else [one for one in self.sources if self._is_due(one)]

    def round(self, names: Sequence[str] = (), stop: Stop = go_on) -> Iterator[SourceReport]:
        """Fetch what is due, or the named sources at once, yielding a report for each; one failing stops no other.

        Raises DigestdError for a name that no source has, and OSError for an inbox that cannot be written to.
        """
        asked: set[str | None] = set()
        for source in self.due(names):
            host = urlsplit(address(source)).hostname
            if host in asked:
                self.wait(PAUSE)
            asked.add(host)
            if stop():
                return
            try:
                report = self._fetched(source, stop)
            except Stopped:
                return
            yield report

    def _is_due(self, source: Source) -> bool:
        state = self.states.state(source.name)
        if state is None or state.address != address(source):
            return True
        # a clock that was set back must not silence a source for as long
        now = self.clock()
        return now >= state.next_at or now < state.checked_at - timedelta(hours=1)

    def _fetched(self, source: Source, stop: Stop) -> SourceReport:
        now, where = self.clock(), address(source)
        known = self.states.state(source.name)
        if known is None or known.address != where:
            known = SourceState(source.name, where, now, now)
        partial = self.inbox / f".{source.name}.{os.getpid()}.part"
        file, size, pause = None, 0, None
        try:
            self.inbox.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as target:
                asked = Request(where, self.agent, known.etag, known.modified, source.allow_private)
                answer = fetch(asked, target, self.limits, now, self.lookup, stop)
                target.flush()
                os.fsync(target.fileno())
            with partial.open("rb") as written:
                sha256, size = fingerprint(written)
            if answer.unchanged or sha256 == known.sha256 or not size:
                said = "nothing new"
            else:
                file = f"{source.name}-{now:%Y%m%dT%H%M%SZ}.digest"
                partial.rename(self.inbox / file)
                sync_folder(self.inbox)
                said, known = f"{size:,} bytes", replace(known, sha256=sha256)
            state = replace(known, etag=answer.etag, modified=answer.modified, failures=0, said=said)
        except FetchFailed as error:
            pause = error.pause
            state = replace(known, failures=known.failures + 1, said=str(error))
        finally:
            partial.unlink(missing_ok=True)
        delay = next_delay(timedelta(hours=source.every_hours), state.failures, pause)
        state = replace(state, checked_at=now, next_at=now + delay)
        self.states.keep(state)
        return SourceReport(source.name, where, file, size, state.said, state.next_at, state.failures > 0)
