"""Ingest: one digest file, one transaction; a file that cannot be taken is put away with its reason.

A file is put into the archive only after its papers are committed. A crash between the two leaves it in the
inbox, where its content is known by its hash and it is archived without being counted again.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import BinaryIO

from digestd.errors import FileRefused
from digestd.ingest import formats, reading
from digestd.ingest.inbox import Arrival, archive, quarantine, scan, shown, write_durably
from digestd.model import BadRecord, Paper
from digestd.store.base import Counts, DigestFile, Papers

KEPT_BAD_RECORDS = 1_000  # named one by one; a file with more is counted, not listed


@dataclass(frozen=True, slots=True)
class Folders:
    """Where files lie, and the limits of one: `max_bytes`, and the seconds it must have been at rest."""

    inbox: Path
    archive: Path
    quarantine: Path
    max_bytes: int
    settle_seconds: float


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file.

    `refused` says why the whole file was put into quarantine; `repeated` that its content was known already.
    `bad` counts the bad records, `bad_records` names them.
    """

    file: str
    papers: int = 0
    new: int = 0
    revised: int = 0
    duplicate: int = 0
    bad: int = 0
    bad_records: tuple[BadRecord, ...] = ()
    repeated: bool = False
    refused: str | None = None


class _Changed(Exception):
    """The file changed while it was read: it is not at rest yet."""


def read_file(path: Path, max_bytes: int, name: str | None = None) -> Iterator[Paper | BadRecord]:
    """Yield the records of one digest file without storing anything.

    Raises FileRefused for a file that cannot be taken as a whole.
    """
    with _opened(path, max_bytes) as (file, status):
        yield from _records(file, status, name)


def ingest_file(papers: Papers, path: Path, max_bytes: int, now: datetime, name: str | None = None) -> FileReport:
    """Ingest one file where it stands, and leave it there. Raises nothing for a bad file: it is `refused`."""
    try:
        return _ingest(papers, path, max_bytes, now, name)
    except FileRefused as error:
        return FileReport(shown(path), refused=str(error))
    except FileNotFoundError:
        return FileReport(shown(path), refused="no such file")
    except _Changed:
        return FileReport(shown(path), refused="it changed while it was read")


def ingest_given(papers: Papers, path: Path, folders: Folders, now: datetime, name: str | None = None) -> FileReport:
    """Ingest a file that a person named: it stays where it is, and one that is refused is copied to quarantine."""
    report = ingest_file(papers, path, folders.max_bytes, now, name)
    if report.refused and path.is_file() and path.stat().st_size <= folders.max_bytes:
        quarantine(path, folders.quarantine, report.refused, keep=True)
    return report


def ingest_inbox(
    papers: Papers,
    folders: Folders,
    clock: Callable[[], datetime],
    wait: Callable[[float], None] | None = None,
) -> Iterator[FileReport]:
    """Ingest what lies in the inbox and put each file away, yielding a report for each.

    A file that changed within `settle_seconds` is left for the next time, or waited for with `wait`.
    """
    for arrival in scan(folders.inbox, time.time()):
        missing = folders.settle_seconds - arrival.age
        if missing > 0 and not arrival.refused:
            if wait is None:
                continue
            wait(min(missing, folders.settle_seconds))  # a file from the future waits no longer than a new one
        report = _take(papers, arrival, folders, clock())
        if report:
            yield report


def _take(papers: Papers, arrival: Arrival, folders: Folders, now: datetime) -> FileReport | None:
    path = arrival.path
    try:
        if arrival.refused:
            raise FileRefused(arrival.refused)
        report = _ingest(papers, path, folders.max_bytes, now, None)
    except _Changed:
        return None
    except FileNotFoundError:
        return None  # somebody took it away
    except FileRefused as error:
        quarantine(path, folders.quarantine, str(error))
        return FileReport(shown(path.name), refused=str(error))
    stored = archive(path, folders.archive, now.date())
    if report.bad:
        listing = folders.quarantine / f"{stored.name}.bad-records"
        folders.quarantine.mkdir(parents=True, exist_ok=True)
        write_durably(listing, "".join(f"line {bad.line}: {bad.reason}: {bad.excerpt}\n" for bad in report.bad_records))
    return replace(report, file=shown(path.name))


def _ingest(papers: Papers, path: Path, max_bytes: int, now: datetime, name: str | None) -> FileReport:
    bad: list[BadRecord] = []
    count = 0

    def good(records: Iterator[Paper | BadRecord]) -> Iterator[Paper]:
        nonlocal count
        found = False
        for record in records:
            if isinstance(record, Paper):
                found = True
                yield record
            else:
                count += 1
                if count <= KEPT_BAD_RECORDS:
                    bad.append(record)
        if not found:
            first = f": line {bad[0].line}: {bad[0].reason}" if bad else ""
            raise FileRefused(f"no paper was found in it{first}")
        _still(path, status)

    with _opened(path, max_bytes) as (file, status):
        sha256, size = reading.fingerprint(file)
        if papers.ingested(sha256):
            return FileReport(shown(path), repeated=True)
        kind = formats.named(name) if name else formats.detect(reading.head(file))
        described = DigestFile(shown(path.name), kind.NAME, size, sha256)
        records = kind.parse(reading.lines(file), _modified(status))
        counts: Counts | None = papers.add_file(described, good(records), lambda: count, now)
        if counts is None:
            return FileReport(shown(path), repeated=True)
    return FileReport(
        shown(path), counts.papers, counts.new, counts.revised, counts.duplicate, bad=count, bad_records=tuple(bad)
    )


def _records(file: BinaryIO, status: os.stat_result, name: str | None) -> Iterator[Paper | BadRecord]:
    head = reading.head(file)
    kind = formats.named(name) if name else formats.detect(head)
    yield from kind.parse(reading.lines(file), _modified(status))


@contextmanager
def _opened(path: Path, max_bytes: int) -> Iterator[tuple[BinaryIO, os.stat_result]]:
    """Open a regular file and no other, without waiting for the other end of a pipe."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise FileRefused(f"it cannot be read: {(error.strerror or str(error)).lower()}") from None
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise FileRefused("it is not a regular file")
    with os.fdopen(handle, "rb") as file:
        if status.st_size > max_bytes:
            raise FileRefused(f"it is too large: {status.st_size:,} bytes, at most {max_bytes:,} are taken")
        yield file, status


def _still(path: Path, before: os.stat_result) -> None:
    """Raise _Changed when the file of that name is not the one that was opened, or grew since."""
    try:
        now = path.stat()
    except FileNotFoundError:
        return
    if (now.st_ino, now.st_size, now.st_mtime_ns) != (before.st_ino, before.st_size, before.st_mtime_ns):
        raise _Changed


def _modified(status: os.stat_result) -> date:
    return datetime.fromtimestamp(status.st_mtime, UTC).date()
