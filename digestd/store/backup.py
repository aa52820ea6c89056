"""A copy of the store while others use it: whole, checked, durable, and held until an operator releases it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from digestd.errors import StoreError, StoreUnusable
from digestd.ingest.inbox import sync_folder
from digestd.store.guard import beside, refuse_what_is_not_whole
from digestd.store.mark import new_token
from digestd.store.sql import statements
from digestd.store.sqlite import damage, refuse_what_is_not_ours, stand_still, told

PAGES = 2_000  # copied at a time, between two reports of progress


def back_up(path: Path, target: Path, progress: Callable[[int, int], None] | None = None) -> int:
    """Copy the database at `path`, of whatever version, to `target`. Returns the copy's size in bytes.

    It is the state of one moment; writers go on meanwhile. `progress` is told how many pages are copied, and how
    many there are. Raises StoreError when `target` exists or cannot be written, StoreUnusable when the database, or
    the copy of it, is damaged; nothing stands at `target` then.
    """
    refuse_what_is_not_whole(path)
    if not path.is_file():
        raise StoreError(f"{path}: there is no store to make a backup of")
    partial = beside(target, f".{os.getpid()}.partial")
    try:
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))  # it holds addresses, and a key
        try:
            with told(path):
                _copy(path, partial, progress)
            _sync(partial)
            os.link(partial, target)  # unlike a rename it takes nobody's place
        finally:
            partial.unlink(missing_ok=True)
        sync_folder(target.absolute().parent)
    except FileExistsError:
        raise StoreError(f"{target}: exists; a backup takes no other file's place") from None
    except OSError as error:
        raise StoreError(f"{target}: the backup cannot be written: {error.strerror}") from error
    return target.stat().st_size


def _copy(path: Path, partial: Path, progress: Callable[[int, int], None] | None) -> None:
    def copied(status: int, remaining: int, total: int) -> None:
        if progress:
            progress(total - remaining, total)

    source = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
    with closing(source), closing(sqlite3.connect(partial, isolation_level=None)) as copy:
        source.execute("PRAGMA query_only = ON")
        stand_still(source)  # else each commit of others would begin the copying anew
        refuse_what_is_not_ours(source, path)
        source.backup(copy, pages=PAGES, progress=copied)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, with no log beside it
        copy.execute(statements("instance")["set_token"], {"token": new_token()})
        found = damage(copy)
        if found:
            raise StoreUnusable(f"{path}: damaged ({found}); no backup is made of it")


def _sync(file: Path) -> None:
    handle = os.open(file, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
