"""What is looked at before SQLite opens a database: signs of damage that SQLite itself passes over in silence.

SQLite takes an empty file for a new database, and a write-ahead log (WAL) that was cut short for the rest of a
crash: either way mail that was sent would be forgotten, and sent again. Nothing is written here, and no file that
this process has open is opened a second time: closing it would free the locks that SQLite holds on it.
"""

from __future__ import annotations

import fcntl
import os
import struct
import sys
from pathlib import Path

from digestd.errors import StoreUnusable

RESTORE = "restore a backup (`digestd db backup` makes them)"

# Of SQLite's "WAL-mode file format": the index in shared memory (FILE-shm) and the log (FILE-wal).
INDEX_HEADER = struct.Struct("=IIIBBHII8s8s")  # version, -, change, is made, -, page size, frames, pages, sums, salts
INDEX_DONE = 96  # where the number of frames stands that are in the database already
IN_USE_LOCK = 128  # the byte of FILE-shm on which every open connection holds a lock
LOG_HEADER = 32
LOG_SALTS = slice(16, 24)
FRAME_HEADER = 24


def beside(path: Path, ending: str) -> Path:
    """Return the file that stands beside a database under its name and an ending."""
    return path.with_name(f"{path.name}{ending}")


def refuse_what_is_not_whole(path: Path) -> None:
    """Raise StoreUnusable for a database that is empty, or whose log has lost what was committed to it."""
    if path.is_file() and path.stat().st_size == 0:
        raise StoreUnusable(f"{path}: the file is empty; {RESTORE}, or remove it if there never was a store")
    if not _is_open_here(path) and _log_lost_commits(path) and _log_lost_commits(path):
        raise StoreUnusable(
            f"{path}-wal: shorter than it was, so committed work is lost; {RESTORE}, or remove {path.name}-shm to"
            " go on without it and say `digestd outbox release` once you know what was sent"
        )


def was_left_behind(path: Path) -> bool:
    """Return whether whoever had the database open last did not close it, and nobody has it open now."""
    index = beside(path, "-shm")
    if sys.platform != "linux" or not index.exists() or _is_open_here(path):
        return False
    wanted = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, IN_USE_LOCK, 1, 0)
    try:
        with index.open("rb") as file:
            answer = fcntl.fcntl(file, fcntl.F_GETLK, wanted)
    except OSError:
        return False
    kind = int(struct.unpack("hhqqi4x", answer)[0])
    return kind == int(fcntl.F_UNLCK)


def _log_lost_commits(path: Path) -> bool:
    """Return whether the index, which names committed frames only, knows of frames that the log does not hold."""
    try:
        index = beside(path, "-shm").read_bytes()[: INDEX_DONE + 4]
    except OSError:
        return False  # closed in good order, or never open
    if len(index) < INDEX_DONE + 4:
        return False
    _, _, _, is_made, _, page_size, frames, _, _, salts = INDEX_HEADER.unpack_from(index)
    done = int.from_bytes(index[INDEX_DONE:], sys.byteorder)
    if not is_made or done >= frames:
        return False
    page_size = 65536 if page_size == 1 else page_size
    try:
        with beside(path, "-wal").open("rb") as file:
            head = file.read(LOG_HEADER)
            size = file.seek(0, os.SEEK_END)
    except FileNotFoundError:
        return beside(path, "-shm").exists()  # else it was closed between the two looks
    if len(head) == LOG_HEADER and head[LOG_SALTS] != salts:
        return False  # begun anew since
    return bool(size < LOG_HEADER + frames * (FRAME_HEADER + page_size))


def _is_open_here(path: Path) -> bool:
    """Return whether this process has the database open; where nobody can say, that it has."""
    try:
        wanted = path.stat()
        handles = list(Path("/proc/self/fd").iterdir())
    except OSError:
        return True
    for handle in handles:
        try:
            status = handle.stat()
        except OSError:
            continue
        if (status.st_dev, status.st_ino) == (wanted.st_dev, wanted.st_ino):
            return True
    return False
