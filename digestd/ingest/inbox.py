"""The inbox folder: which files may be taken, and how one is put away so that a crash never loses it.

A file leaves the inbox by a hard link under its new name and the removal of the old one, so at each moment it
stands under at least one of them; folders are synced, so that a file that left survives a power cut.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from digestd.match.text import clean

UNFINISHED = (".part", ".tmp", ".crdownload", ".swp", "~")  # what browsers, editors and copiers call half a file
MAX_NAME = 180  # bytes; leaves room below the 255 of file systems for what is put behind a name


@dataclass(frozen=True, slots=True)
class Arrival:
    """What lies in the inbox under a name. `refused` says why it can never be taken, if it cannot."""

    path: Path
    age: float
    refused: str | None = None


def scan(inbox: Path, now: float) -> Iterator[Arrival]:
    """Yield what lies in the inbox, oldest first; `age` is the seconds since it last changed.

    Folders, hidden files and names of unfinished files are passed over. A link, pipe or device comes with the
    reason to refuse it and is never opened.
    """
    found: list[tuple[float, str, Arrival]] = []
    with suppress(FileNotFoundError), os.scandir(inbox) as entries:
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
            found.append((status.st_mtime, entry.name, Arrival(Path(entry.path), now - status.st_mtime, refused)))
    yield from (arrival for _, _, arrival in sorted(found, key=lambda row: row[:2]))


def archive(path: Path, folder: Path, day: date) -> Path:
    """Move an ingested file into the archive's folder of that day. Returns where it stands now."""
    return _move(path, folder / day.isoformat())


def quarantine(path: Path, folder: Path, reason: str, *, keep: bool = False) -> Path:
    """Move a refused file into the quarantine, or copy it with `keep`, with a `.reason` beside it.

    Returns where it stands now. The reason is there before the file, so that no file stands there unexplained.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = _free(folder, path.name)
    note = target.with_name(target.name + ".reason")
    write_durably(note, f"{shown(path.name)}: {reason}\n")
    if keep:
        with suppress(OSError):  # a pipe, or a file one may not read: the reason says it all
            if path.is_file():
                shutil.copy2(path, target)
        return target
    return _move(path, folder, target.name)


def write_durably(path: Path, text: str) -> None:
    """Write a small file so that it is whole or not there, also after a power cut."""
    temporary = path.with_name(f".{path.name[:MAX_NAME]}.{os.getpid()}.tmp")
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


def shown(name: str | Path) -> str:
    """Return a file name as it may be shown: bytes that are not text and control characters made visible."""
    return clean(os.fsencode(name).decode("utf-8", errors="backslashreplace"))


def _move(path: Path, folder: Path, name: str | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / (name or _free(folder, path.name).name)
    try:
        os.link(path, target, follow_symlinks=False)
    except OSError:  # another file system, or one without hard links
        if not path.is_symlink() and path.is_file():
            partial = target.with_name(f".{target.name}.{os.getpid()}.tmp")
            shutil.copy2(path, partial)
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            partial.replace(target)
        else:
            path.rename(target)
            return target
    sync_folder(folder)
    path.unlink()
    sync_folder(path.parent)
    return target


def _free(folder: Path, name: str) -> Path:
    """Return a path in the folder that nothing stands at, with the name as far as it fits."""
    raw = os.fsencode(name)
    stem = os.fsdecode(raw[:MAX_NAME]) if len(raw) > MAX_NAME else name
    target, number = folder / stem, 1
    while os.path.lexists(target) or os.path.lexists(f"{target}.reason"):
        number += 1
        target = folder / f"{stem}.{number}"
    return target


def _kind(mode: int) -> str:
    kinds = {stat.S_IFLNK: "a symbolic link", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")
