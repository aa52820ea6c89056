"""The SQLite store's ground: connect, pragmas, transactions, and its failures in our own words. No business logic.

One write at a time: writers of this process take turns at a lock, those of others at SQLite's own. Reads use a
connection per thread and never wait for a write (WAL). `synchronous=FULL` makes a commit durable. Once the disk
has failed a read, a write or a sync, nothing more is written: what reached the disk only a new process can tell.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from digestd.errors import StoreBusy, StoreError, StoreFailed, StoreFull, StoreUnusable
from digestd.store.disk import Disk
from digestd.store.guard import RESTORE

if TYPE_CHECKING:
    from sqlite_utils import Database

APPLICATION_ID = 0x64676573  # "dges": tells our file from any other SQLite database
SCHEMA_VERSION = 1
BUSY_TIMEOUT = 30.0  # seconds; a backup or an operator's shell may hold the lock for a while
ALWAYS_CHECKED = 32_000_000  # bytes; up to this size a whole check takes 0.2 s, so every opening makes one

Result = TypeVar("Result")


def to_ms(moment: datetime) -> int:
    """Return a moment as Unix milliseconds."""
    return round(moment.timestamp() * 1000)


def from_ms(ms: int) -> datetime:
    """Return the moment of Unix milliseconds, in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Hold a write transaction: committed at the end, undone by an exception."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def stand_still(connection: sqlite3.Connection) -> None:
    """Let a connection that only reads see one state of the store until it is closed."""
    connection.execute("BEGIN")


@contextmanager
def told(path: Path, busy_timeout: float = BUSY_TIMEOUT) -> Iterator[None]:
    """Say SQLite's failures in the words of our error tree; a mistake in our use of it stays what it is."""
    try:
        yield
    except sqlite3.ProgrammingError:
        raise
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0)
        kind = code & 0xFF
        if kind in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise StoreBusy(f"{path}: another process has held the database for {busy_timeout:g} seconds") from error
        if kind == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_SHMSIZE:
            raise StoreFull(f"{path}: the disk is full") from error
        if kind == sqlite3.SQLITE_IOERR:
            name = getattr(error, "sqlite_errorname", "")
            raise StoreFailed(f"{path}: the disk failed ({error}, {name}); see what the kernel says of it") from error
        if kind in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise StoreUnusable(f"{path}: not a sound database ({error}); {RESTORE}") from error
        raise StoreError(f"{path}: {error}") from error


def refuse_what_is_not_ours(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of the schema. Raises StoreUnusable for another program's database and a newer one."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if application != APPLICATION_ID:
        raise StoreUnusable(f"{path}: a database of another program; name another file as paths.database")
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA_VERSION:
        raise StoreUnusable(
            f"{path}: written by a newer digestd (schema {version}, this one knows {SCHEMA_VERSION});"
            f" install that version, or {RESTORE} of before the upgrade"
        )
    return version


def damage(connection: sqlite3.Connection) -> str | None:
    """Return what is wrong with the database's structure, None when it is sound. Reads all of it."""
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    return None if found == "ok" else str(found)


class Connections:
    """The connections of one database file that is there, and the only place where a transaction begins.

    Raises StoreUnusable for a file that is not ours, damaged, or of another version; such a file is not touched.
    The whole of it is read for damage with `thorough`, and always while it is small.
    """

    def __init__(
        self, path: Path, busy_timeout: float = BUSY_TIMEOUT, *, disk: Disk | None = None, thorough: bool = True
    ) -> None:
        self.path = path
        self.disk = disk or Disk(path)
        self._busy_timeout = busy_timeout
        self._lock = threading.RLock()
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._failure: StoreFailed | None = None
        try:
            with self._errors():
                self._writer = self._connect(busy_timeout)
                # What the pages said that a statement of many rows changes is noted in memory: random ids of a
                # thousand editions made 2,500 writes. A million rows in one statement take 80 MB.
                self._writer.execute("PRAGMA temp_store = MEMORY")
                self._refuse(thorough)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def write(self, *, needs_room: bool = False) -> Iterator[sqlite3.Connection]:
        """Hold the write connection inside a transaction: committed at the end, undone by an exception.

        New work is not begun while the disk is nearly full: with `needs_room` that raises StoreFull.
        """
        if needs_room:
            self.disk.require()
        with self._lock, self._errors():
            if self._failure:
                raise self._failure
            with transaction(self._writer) as connection:
                yield connection

    def settle(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Do what must be written down in a transaction, if need be in the room that the ballast leaves."""
        try:
            with self.write() as connection:
                return work(connection)
        except StoreFull:
            if not self.disk.give_up_ballast():
                raise
        with self.write() as connection:
            return work(connection)

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Hold this thread's read connection."""
        with self._errors():
            connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
            if connection is None:
                connection = self._local.connection = self._reading(self._busy_timeout)
            yield connection

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Let this thread's reads within raise StoreBusy where they would wait for another process.

        They have a connection of their own: telling one to wait and not to wait took as long as what is asked of it.
        """
        if not hasattr(self._local, "quick"):
            with self._errors():
                self._local.quick = self._reading(0)
        other = getattr(self._local, "connection", None)
        self._local.connection = self._local.quick
        try:
            yield
        finally:
            self._local.connection = other

    @contextmanager
    def tables(self) -> Iterator[Database]:
        """Hold this thread's read connection as a sqlite-utils database, whose rows are dictionaries."""
        from sqlite_utils import Database  # a tenth of a second, for what a few commands ask

        with self.read() as connection:
            yield Database(connection, execute_plugins=False, recursive_triggers=False)

    def close(self) -> None:
        """Close every connection of every thread."""
        with self._lock:
            for connection in self._opened:
                connection.close()
            self._opened.clear()

    def _reading(self, busy_timeout: float) -> sqlite3.Connection:
        connection = self._connect(busy_timeout)
        connection.execute("PRAGMA query_only = ON")
        return connection

    def _connect(self, busy_timeout: float) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode=rw",  # never make a file: only `create` does, and knows when
            uri=True,
            timeout=busy_timeout,
            isolation_level=None,
            check_same_thread=False,
        )
        self._opened.append(connection)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cache_size = -32000")  # KiB
        return connection

    def _refuse(self, thorough: bool) -> None:
        version = refuse_what_is_not_ours(self._writer, self.path)
        if version < SCHEMA_VERSION:
            raise StoreUnusable(
                f"{self.path}: schema {version}, this digestd needs {SCHEMA_VERSION}; make a copy with"
                " `digestd db backup FILE`, then run `digestd db migrate`"
            )
        if thorough or self.path.stat().st_size <= ALWAYS_CHECKED:
            found = damage(self._writer)
            if found:
                raise StoreUnusable(f"{self.path}: damaged ({found}); {RESTORE}")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            with told(self.path, self._busy_timeout):
                yield
        except StoreFailed as error:
            self._failure = error
            raise
