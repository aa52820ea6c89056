"""The inbox folder: which files may be taken, and how one is put away so that a crash never loses it.

A file leaves the inbox by a hard link under its new name and the removal of the old one, so at each moment it
stands under at least one of them; folders are synced, so that a file that left survives a power cut.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from itertools import count
from pathlib import Path

from digestd.match.text import clean

UNFINISHED = (".part", ".tmp", ".crdownload", ".swp", "~")  # what browsers, editors and copiers call half a file
REASON = ".reason"  # the ending of what explains a file in the quarantine
MAX_NAME = 180  # bytes; leaves room below the 255 of file systems for what is put behind a name


class Changed(Exception):
    """Another file, or another content, stands under the name than the one that was looked at."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What lies in the inbox under a name, as it was seen. `refused` says why it can never be taken, if it cannot."""

    path: Path
    status: os.stat_result
    refused: str | None = None

    def unrest(self, settle_seconds: float, now: float) -> float:
        """Return for how many seconds more it must lie untouched to be taken as whole; at most `settle_seconds`.

        The time of the last change is the kernel's: unlike that of the content no copier sets it back. One that
        lies in the future, because the clock was set back, says nothing and must not hold the file.
        """
        return max(0.0, settle_seconds - abs(now - self.status.st_ctime))


def scan(inbox: Path) -> Iterator[Arrival]:
    """Yield what lies in the inbox, that with the oldest content first.

    Folders, hidden files and names of unfinished files are passed over, but for what was delivered where the inbox is a
    Maildir too. A link, pipe or device comes with the reason to refuse it and is never opened.
    """
    folders = [inbox, inbox / "new"] if (inbox / "tmp").is_dir() else [inbox]  # a message is moved from `tmp` to `new`
    found = [(arrival.status.st_mtime, arrival.path.name, arrival) for each in folders for arrival in _lying(each)]
    yield from (arrival for _, _, arrival in sorted(found, key=lambda row: row[:2]))


def _lying(folder: Path) -> Iterator[Arrival]:
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name.endswith(UNFINISHED):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # taken away between the two calls
            if stat.S_ISDIR(status.st_mode):
                continue
            refused = None if stat.S_ISREG(status.st_mode) else f"it is {_kind(status.st_mode)}, not a regular file"
            yield Arrival(Path(entry.path), status, refused)


def still(path: Path, seen: os.stat_result) -> None:
    """Raise Changed when what stands at `path` is not what was seen there, and FileNotFoundError when nothing does."""
    if _version(path.lstat()) != _version(seen):
        raise Changed


def archive(
    files: Iterable[tuple[Path, os.stat_result]], folder: Path, day: date
) -> list[tuple[Path, OSError | Changed]]:
    """Move ingested files, each as it was seen, into the archive's folder of that day.

    Returns those that could not be moved, and stay, with what kept them: Changed where by now another file has the
    name. Each folder is synced once for all: first the new names are made durable, then the old ones are removed.
    """
    failed: list[tuple[Path, OSError | Changed]] = []
    linked: list[tuple[Path, Path, os.stat_result]] = []
    folder = folder / day.isoformat()
    for path, seen in files:
        try:
            if not linked:
                _make(folder)
            linked.append((path, _linked(path, folder, seen), seen))
        except (OSError, Changed) as error:
            failed.append((path, error))
    if linked:
        sync_folder(folder)
    left = set()
    for path, target, seen in linked:
        try:
            _leave(path, target, seen)
            left.add(path.parent)
        except (OSError, Changed) as error:
            failed.append((path, error))
    for place in left:
        sync_folder(place)
    return failed


def quarantine(path: Path, folder: Path, reason: str, seen: os.stat_result) -> Path:
    """Move a refused file into the quarantine, with a `.reason` beside it. Returns where it stands now.

    The reason is there before the file, so that no file stands there unexplained. Raises Changed as `archive` does.
    """
    while True:
        target, note = _explained(path, folder, reason)
        try:
            _move(path, target, seen)
        except FileExistsError:
            note.unlink()
        except (Changed, FileNotFoundError):
            note.unlink()
            raise
        else:
            return target


def quarantine_copy(path: Path, folder: Path, reason: str, max_bytes: int) -> None:
    """Copy a refused file that a person named into the quarantine, if it is not too large, with its `.reason`."""
    target, _ = _explained(path, folder, reason)
    with suppress(OSError):  # one may not be allowed to read it: the reason says it all
        if path.stat().st_size <= max_bytes:
            shutil.copy2(path, target)


def take_back(path: Path, inbox: Path) -> Path:
    """Move a file out of the quarantine into the inbox, and what explains it away. Returns where it stands now."""
    _make(inbox)
    while True:
        target = _free(inbox, path.name)
        with suppress(FileExistsError):
            _move(path, target, path.lstat())
            path.with_name(path.name + REASON).unlink(missing_ok=True)
            return target


def write_durably(path: Path, text: str) -> None:
    """Write a small file so that it is whole or not there, also after a power cut."""
    temporary = _partial(path)
    with temporary.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def put_beside(folder: Path, name: str, ending: str, text: str) -> None:
    """Write a text durably into a folder, under a name with an ending behind it: once, however often it is tried."""
    _make(folder)
    for target in _names(folder, name, ending):
        if not os.path.lexists(target):
            write_durably(target, text)
            return
        if _says(target, text):
            return


def shown(name: str | Path) -> str:
    """Return a file name as it may be shown: bytes that are not text and control characters made visible."""
    return clean(os.fsencode(name).decode("utf-8", errors="backslashreplace"))


def _explained(path: Path, folder: Path, reason: str) -> tuple[Path, Path]:
    """Write why a file is refused. Returns where it goes, and the note."""
    _make(folder)
    text = f"{shown(path.name)}: {reason}\n"
    for target in _names(folder, path.name):
        note = target.with_name(target.name + REASON)
        if os.path.lexists(target) or (os.path.lexists(note) and not _says(note, text)):
            continue
        if not os.path.lexists(note):  # else a try that broke off has written it
            write_durably(note, text)
        return target, note
    raise AssertionError("names have no end")


def _says(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode("utf-8", errors="backslashreplace")


def _make(folder: Path) -> None:
    """Make a folder durable, with those above it that are missing."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def _move(path: Path, target: Path, seen: os.stat_result) -> None:
    """Move one file to a name that nothing stands at. Raises FileExistsError where by now something does."""
    _link(path, target, seen)
    sync_folder(target.parent)
    _leave(path, target, seen)
    sync_folder(path.parent)


def _linked(path: Path, folder: Path, seen: os.stat_result) -> Path:
    """Give a file a free name in a folder, beside the one it has. Returns where it stands there."""
    same = folder / path.name
    with suppress(OSError):
        if os.path.samestat(same.lstat(), seen):  # a crash came between the new name and the removal of the old one
            return same
    while True:
        target = _free(folder, path.name)
        with suppress(FileExistsError):  # another process took the name: try the next one
            _link(path, target, seen)
            return target


def _link(path: Path, target: Path, seen: os.stat_result) -> None:
    still(path, seen)
    try:
        os.link(path, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError as error:  # another file system, or one without hard links
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS):
            raise
        _copy(path, target, seen)


def _leave(path: Path, target: Path, seen: os.stat_result) -> None:
    """Remove the old name of a file that has a new one, which is durable."""
    try:
        still(path, seen)  # what took the name meanwhile is not ingested: it stays
    except Changed:
        target.unlink(missing_ok=True)
        raise
    path.unlink()


def _copy(path: Path, target: Path, seen: os.stat_result) -> None:
    """Copy to another file system; of a pipe or a device nothing is there to be copied."""
    if stat.S_ISLNK(seen.st_mode):
        target.symlink_to(path.readlink())
    elif stat.S_ISREG(seen.st_mode):
        partial = _partial(target)
        shutil.copy2(path, partial, follow_symlinks=False)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(target)


def _partial(target: Path) -> Path:
    return target.with_name(f".{target.name}.{os.getpid()}.tmp")


def _free(folder: Path, name: str) -> Path:
    """Return a path in the folder that nothing stands at, and that no note explains."""
    free = (one for one in _names(folder, name) if not os.path.lexists(one) and not os.path.lexists(f"{one}{REASON}"))
    return next(free)


def _names(folder: Path, name: str, ending: str = "") -> Iterator[Path]:
    """Yield paths in the folder that a name may have there: as it is, as far as it fits, and numbered."""
    raw = os.fsencode(name)
    if len(raw) > MAX_NAME:  # not in the middle of a character: there are file systems that take only whole ones
        raw = raw[:MAX_NAME].decode("utf-8", errors="ignore").encode() or raw[:MAX_NAME]
    stem = os.fsdecode(raw)
    yield folder / f"{stem}{ending}"
    for number in count(2):
        yield folder / f"{stem}.{number}{ending}"


def _version(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _kind(mode: int) -> str:
    kinds = {stat.S_IFLNK: "a symbolic link", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")
