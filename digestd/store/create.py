"""The first start: make a store, whole or not at all, and never in the place of one that was there.

It is made under another name and takes its own by a rename, so no crash leaves half of one. The mark beside it is
written before the rename: from then on a missing database is one that was lost, not one that never was.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from digestd import __version__
from digestd.errors import StoreError, StoreUnusable
from digestd.ingest.inbox import sync_folder
from digestd.store.guard import RESTORE, beside
from digestd.store.mark import mark_file, new_token, read_mark, write_mark
from digestd.store.sql import read, split
from digestd.store.sqlite import APPLICATION_ID, SCHEMA_VERSION, told, transaction

ENDINGS = ("", "-wal", "-shm", "-journal")


def create(path: Path) -> None:
    """Make an empty store at `path` unless a file is there.

    Raises StoreUnusable when a store was there and is gone, StoreError when the folder cannot be used.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{path.parent}: cannot be made a folder for the database: {error.strerror}") from error
    if os.path.lexists(path):
        return
    try:
        with _alone_in(path.parent), told(path):
            if not os.path.lexists(path):  # else another process was first
                _create(path)
    except OSError as error:
        raise StoreError(f"{error.filename or path}: the store cannot be made: {error.strerror}") from error


def _create(path: Path) -> None:
    fresh = beside(path, ".new")
    mark = read_mark(path)
    is_only_unnamed = mark is not None and fresh.exists() and fresh.stat().st_ino == mark.inode
    if not is_only_unnamed:
        _refuse_what_is_left(path)
        for ending in ENDINGS:
            beside(fresh, ending).unlink(missing_ok=True)
        _fill(fresh, token := new_token())
        write_mark(path, token, inode=fresh.stat().st_ino)
    fresh.rename(path)
    sync_folder(path.parent)


def _refuse_what_is_left(path: Path) -> None:
    for left in (mark_file(path), *(beside(path, ending) for ending in ENDINGS)):
        if os.path.lexists(left):
            raise StoreUnusable(
                f"{path}: it is gone, but {left.name} says that there was a store; {RESTORE},"
                f" or remove {left.name} to begin with an empty one"
            )


def _fill(fresh: Path, token: str) -> None:
    with closing(sqlite3.connect(fresh, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        with transaction(connection):
            for statement in split(read("schema.sql")):
                connection.execute(statement)
            connection.execute("INSERT INTO secret VALUES ('signing key', ?)", (secrets.token_bytes(32),))
            connection.execute("INSERT INTO instance (token) VALUES (?)", (token,))
            connection.execute("INSERT INTO grammar (name) VALUES (?)", (__version__,))  # no word is older than this
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("PRAGMA journal_mode = WAL")


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Let no other process make a store in this folder meanwhile."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
