"""Ingest: a digest file is taken whole or not at all; one that cannot be taken is put away with its reason.

Small files share a transaction and what is synced to the disk. A file is put into the archive only after its papers
are committed. A crash between the two leaves it in the inbox, where its content is known by its hash and it is
archived without being counted again.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from io import BufferedReader
from pathlib import Path

from digestd.errors import FileRefused
from digestd.ingest import formats, reading
from digestd.ingest.inbox import (
    Arrival,
    Changed,
    archive,
    put_beside,
    quarantine,
    quarantine_copy,
    scan,
    shown,
    still,
)
from digestd.model import BadRecord, Paper
from digestd.store.base import DigestFile, Gathered, Papers

UNREADABLE = frozenset({errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENXIO, errno.ENOTDIR, errno.ENAMETOOLONG})
TOGETHER = 200  # files that are committed and put away together: what is synced to the disk is synced once for them
HEAVY = 4_000_000  # bytes of files that are enough for one commit
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
    `bad` counts the bad records, `bad_records` names them. `repairs` says what was put right in its text.
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
    repairs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Reading:
    """A file that was read: its papers wait to be added, where its report does not say everything already."""

    report: FileReport
    arrival: Arrival | None = None
    gathered: Gathered | None = None

    @property
    def size(self) -> int:
        return self.gathered.file.size if self.gathered else 0

    def close(self) -> None:
        if self.gathered:
            self.gathered.spool.close()


def read_file(
    path: Path, max_bytes: int, name: str | None = None, repairs: list[str] | None = None
) -> Iterator[Paper | BadRecord]:
    """Yield the records of one digest file without storing anything, as the format `name` if given.

    At the end `repairs` is given the sentences about what was put right in its text.

    Raises FileRefused for a file that cannot be taken as a whole, FileNotFoundError for one that is not there.
    """
    repaired = repairs if repairs is not None else []
    with _opened(path, max_bytes) as (file, status):
        text = reading.Text(file, max_bytes)
        yield from _records(formats.chosen(text.head, name), text, status)
        repaired.extend(text.repairs)


def ingest_file(papers: Papers, path: Path, max_bytes: int, now: datetime, name: str | None = None) -> FileReport:
    """Ingest one file where it stands, and leave it there. Raises nothing for a bad file: it is `refused`."""
    try:
        reading = _read(papers, path, max_bytes, name)
    except FileRefused as error:
        return FileReport(shown(path), refused=str(error))
    except FileNotFoundError:
        return FileReport(shown(path), refused="no such file")
    except Changed:
        return FileReport(shown(path), refused="it changed while it was read")
    (report,) = _added(papers, [reading], now)
    return report


def ingest_given(papers: Papers, path: Path, folders: Folders, now: datetime, name: str | None = None) -> FileReport:
    """Ingest a file that a person named: it stays where it is, and one that is refused is copied to quarantine.

    Of one that is too large only the reason is put there.
    """
    report = ingest_file(papers, path, folders.max_bytes, now, name)
    if report.refused and path.is_file():
        quarantine_copy(path, folders.quarantine, report.refused, folders.max_bytes)
    return report


def ingest_inbox(
    papers: Papers,
    folders: Folders,
    clock: Callable[[], datetime],
    wait: Callable[[float], None] | None = None,
    left: Callable[[float], None] | None = None,
) -> Iterator[FileReport]:
    """Ingest what lies in the inbox and put each file away, yielding a report for each.

    Small files are taken many at a time. A file that changed within `settle_seconds` is waited for with `wait`;
    without that it is left for the next time, and `left` is told in how many seconds it may be taken. A file that
    cannot be put away stays, and keeps no other from being ingested: the first OSError is raised at the end.
    """
    troubles: list[OSError] = []
    held: list[_Reading] = []
    weight = 0
    try:
        for arrival in scan(folders.inbox):
            unrest = 0.0 if arrival.refused else arrival.unrest(folders.settle_seconds, time.time())
            if unrest and wait is None:
                if left is not None:
                    left(unrest)
                continue
            if unrest and wait is not None:
                wait(unrest)
            try:
                taken = _taken(papers, arrival, folders)
            except OSError as error:
                if os.path.lexists(arrival.path):  # else somebody took it away
                    troubles.append(error)
                continue
            if taken is None:
                continue
            held.append(taken)
            weight += taken.size
            if len(held) >= TOGETHER or weight >= HEAVY:
                yield from _settled(papers, held, folders, clock(), troubles)
                held.clear()
                weight = 0
        yield from _settled(papers, held, folders, clock(), troubles)
    finally:
        for one in held:
            one.close()
    if troubles:
        raise troubles[0]


def _taken(papers: Papers, arrival: Arrival, folders: Folders) -> _Reading | None:
    """Read what arrived, or say why it is refused; None for a file that is still being written, or gone."""
    name = shown(arrival.path.name)
    try:
        still(arrival.path, arrival.status)
        if arrival.refused:
            return _Reading(FileReport(name, refused=arrival.refused), arrival)
        try:
            reading = _read(papers, arrival.path, folders.max_bytes, None, arrival.status)
        except FileRefused as error:
            still(arrival.path, arrival.status)  # half a file is not to be blamed while the other half arrives
            return _Reading(FileReport(name, refused=str(error)), arrival)
        return replace(reading, report=replace(reading.report, file=name), arrival=arrival)
    except (Changed, FileNotFoundError):
        return None


def _settled(
    papers: Papers, held: Sequence[_Reading], folders: Folders, now: datetime, troubles: list[OSError]
) -> Iterator[FileReport]:
    """Add the papers of files that were read, put the files away, and yield what became of each.

    What keeps a file from being put away is added to `troubles`.
    """
    failed: list[tuple[Path, OSError | Changed]] = []
    for one in held:
        if one.report.bad and one.arrival:
            try:  # before its content counts as known, or a crash could leave them unsaid
                _list_bad_records(one.report, folders.quarantine, one.arrival.path.name)
            except OSError as error:
                failed.append((one.arrival.path, error))
    reports = _added(papers, held, now)
    leaving: list[Arrival] = []
    stay = {path for path, _ in failed}
    for one, report in zip(held, reports, strict=True):
        if one.arrival is None or one.arrival.path in stay:
            continue
        try:
            if report.refused:
                quarantine(one.arrival.path, folders.quarantine, report.refused, one.arrival.status)
            else:
                leaving.append(one.arrival)
        except (OSError, Changed) as error:
            failed.append((one.arrival.path, error))
    failed += archive([(one.path, one.status) for one in leaving], folders.archive, now.date())
    # A file that is gone is nobody's trouble, and another that has its name is for the next time.
    troubles += [why for path, why in failed if isinstance(why, OSError) and os.path.lexists(path)]
    yield from reports


def _list_bad_records(report: FileReport, folder: Path, name: str) -> None:
    named = "".join(f"line {bad.line}: {bad.reason}: {bad.excerpt}\n" for bad in report.bad_records)
    more = report.bad - len(report.bad_records)
    put_beside(folder, name, ".bad-records", named + (f"and {more} more\n" if more else ""))


def _added(papers: Papers, readings: Sequence[_Reading], now: datetime) -> list[FileReport]:
    """Add what was read, all or none, and return what became of each file."""
    gathered = [one.gathered for one in readings if one.gathered]
    try:
        counts = iter(papers.add(gathered, now) if gathered else ())
    finally:
        for one in readings:
            one.close()
    reports = []
    for one in readings:
        report = one.report
        if one.gathered:
            count = next(counts)
            report = replace(report, **asdict(count)) if count else FileReport(report.file, repeated=True)
        reports.append(report)
    return reports


def _read(papers: Papers, path: Path, max_bytes: int, name: str | None, seen: os.stat_result | None = None) -> _Reading:
    """Read a file to its end. With `seen` that very file is meant: no link is followed to another."""
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
        if bad and not found:  # a feed without entries is a day without papers
            raise FileRefused(f"no paper was found in it: line {bad[0].line}: {bad[0].reason}")
        with suppress(FileNotFoundError):  # its name is gone, its content is whole
            still(path.resolve() if seen is None else path, status)

    with _opened(path, max_bytes, follow=seen is None) as (file, status):
        sha256, size = reading.fingerprint(file)
        if papers.ingested(sha256):
            return _Reading(FileReport(shown(path), repeated=True))
        text = reading.Text(file, max_bytes)
        kind = formats.chosen(text.head, name)
        described = DigestFile(shown(path.name), kind.NAME, size, sha256)
        gathered = papers.gather(described, good(_records(kind, text, status)), lambda: count)
        report = FileReport(shown(path), bad=count, bad_records=tuple(bad), repairs=tuple(text.repairs))
        return _Reading(report, None, gathered)


def _records(kind: formats.Format, text: reading.Text, status: os.stat_result) -> Iterator[Paper | BadRecord]:
    """Yield the records of a text. Raises FileRefused where a format was named of which there is nothing in it.

    Taken as a file without papers it would count as ingested, and its papers never come.
    """
    nothing = True
    for record in kind.parse(text.lines(), _modified(status)):
        nothing = False
        yield record
    if nothing and not kind.recognise(text.head):
        raise FileRefused(f"nothing in it is of the format {kind.NAME}; without --format its own is found")


@contextmanager
def _opened(path: Path, max_bytes: int, *, follow: bool = True) -> Iterator[tuple[BufferedReader, os.stat_result]]:
    """Open a regular file and no other, without waiting for the other end of a pipe."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))
    except OSError as error:
        if error.errno not in UNREADABLE:
            raise
        raise FileRefused(f"it cannot be read: {(error.strerror or str(error)).lower()}") from None
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise FileRefused("it is not a regular file")
    with os.fdopen(handle, "rb") as file:
        if status.st_size > max_bytes:
            raise FileRefused(f"it is too large: {status.st_size:,} bytes, at most {max_bytes:,} are taken")
        yield file, status


def _modified(status: os.stat_result) -> date:
    return datetime.fromtimestamp(status.st_mtime, UTC).date()
