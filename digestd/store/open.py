"""The SQLite store as one thing."""

from __future__ import annotations

from pathlib import Path

from digestd.store.editions import SqliteEditions
from digestd.store.outbox import SqliteOutbox
from digestd.store.papers import SqlitePapers
from digestd.store.sqlite import BUSY_TIMEOUT, Connections
from digestd.store.subscribers import SqliteSubscribers


class SqliteStore:
    """A `Store` in one database file; made when the file does not exist.

    Raises StoreUnusable for a file that is not ours, damaged, or of a newer program.
    """

    def __init__(self, path: Path, busy_timeout: float = BUSY_TIMEOUT) -> None:
        self._connections = Connections(path, busy_timeout)
        self.papers = SqlitePapers(self._connections)
        self.subscribers = SqliteSubscribers(self._connections)
        self.editions = SqliteEditions(self._connections)
        self.outbox = SqliteOutbox(self._connections)

    def close(self) -> None:
        """Close every connection."""
        self._connections.close()
