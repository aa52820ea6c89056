"""The SQLite store's ground: connect, pragmas, transactions, schema. No business logic.

One write at a time: writers of this process take turns at a lock, those of others at SQLite's own. Reads use a
connection per thread and never wait for a write (WAL). `synchronous=FULL` makes a commit durable.
"""

from __future__ import annotations

import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlite_utils import Database

from digestd.errors import StoreBusy, StoreError, StoreUnusable
from digestd.store.sql import read

APPLICATION_ID = 0x64676573  # "dges": tells our file from any other SQLite database
SCHEMA_VERSION = 1
BUSY_TIMEOUT = 30.0  # seconds; a backup or an operator's shell may hold the lock for a while


def to_ms(moment: datetime) -> int:
    """Return a moment as Unix milliseconds."""
    return round(moment.timestamp() * 1000)


def from_ms(ms: int) -> datetime:
    """Return the moment of Unix milliseconds, in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC)


class Connections:
    """The connections of one database file, and the only place where a transaction begins.

    Raises StoreUnusable for a file that is not ours, damaged, or of a newer program; such a file is not touched.
    """

    def __init__(self, path: Path, busy_timeout: float = BUSY_TIMEOUT) -> None:
        self.path = path
        self._busy_timeout = busy_timeout
        self._lock = threading.RLock()
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{path.parent}: cannot be made a folder for the database: {error.strerror}") from error
        try:
            with self._errors():
                self._writer = self._connect()
                self._prepare()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Hold the write connection inside a transaction: committed at the end, undone by an exception."""
        with self._lock, self._errors():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Hold this thread's read connection."""
        with self._errors():
            connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
            if connection is None:
                connection = self._connect()
                connection.execute("PRAGMA query_only = ON")
                self._local.connection = connection
            yield connection

    @contextmanager
    def tables(self) -> Iterator[Database]:
        """Hold this thread's read connection as a sqlite-utils database, whose rows are dictionaries."""
        with self.read() as connection:
            yield Database(connection, execute_plugins=False, recursive_triggers=False)

    def close(self) -> None:
        """Close every connection of every thread."""
        with self._lock:
            for connection in self._opened:
                connection.close()
            self._opened.clear()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=self._busy_timeout, isolation_level=None, check_same_thread=False
        )
        self._opened.append(connection)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cache_size = -32000")  # KiB
        return connection

    def _prepare(self) -> None:
        """Make an empty file our store; refuse one that is not ours."""
        application, version = self._stamps()
        tables = self._writer.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if application == 0 and version == 0 and tables == 0:
            self._writer.execute("PRAGMA journal_mode = WAL")
            self._create()
            application, version = self._stamps()
        if application != APPLICATION_ID:
            raise StoreUnusable(f"{self.path}: a database of another program; name another file as paths.database")
        if version > SCHEMA_VERSION:
            raise StoreUnusable(
                f"{self.path}: written by a newer digestd (schema {version}, this one knows {SCHEMA_VERSION});"
                " install that version, or restore a backup made before the upgrade"
            )
        damage = self._writer.execute("PRAGMA quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise StoreUnusable(f"{self.path}: damaged ({damage}); restore a backup of it")

    def _create(self) -> None:
        with self.write() as connection:
            if self._stamps() != (0, 0):
                return  # another process was first
            script = ""
            for line in read("schema.sql").splitlines(keepends=True):
                script += line
                if sqlite3.complete_statement(script):
                    connection.execute(script)
                    script = ""
            connection.execute("INSERT INTO secret VALUES ('signing key', ?)", (secrets.token_bytes(32),))
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _stamps(self) -> tuple[int, int]:
        application = self._writer.execute("PRAGMA application_id").fetchone()[0]
        return application, self._writer.execute("PRAGMA user_version").fetchone()[0]

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Say SQLite's failures in the words of our error tree; a mistake in our use of it stays what it is."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise StoreBusy(
                    f"{self.path}: another process has held the database for {self._busy_timeout:g} seconds"
                ) from error
            raise StoreError(f"{self.path}: {error}") from error
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise StoreUnusable(f"{self.path}: not a sound database ({error}); restore a backup of it") from error
            if isinstance(error, sqlite3.ProgrammingError):
                raise
            raise StoreError(f"{self.path}: {error}") from error
