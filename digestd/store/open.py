"""The SQLite store as one thing."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from digestd.store.alerts import SqliteAlerts
from digestd.store.create import create
from digestd.store.disk import Disk
from digestd.store.editions import SqliteEditions
from digestd.store.grammar import SqliteGrammar
from digestd.store.guard import refuse_what_is_not_whole, was_left_behind
from digestd.store.history import SqliteHistory
from digestd.store.leanings import SqliteLeanings
from digestd.store.notices import SqliteNotices
from digestd.store.outbox import SqliteOutbox
from digestd.store.papers import SqlitePapers
from digestd.store.readers import SqliteReaders
from digestd.store.sections import SqliteSections
from digestd.store.signups import SqliteSignups
from digestd.store.sources import SqliteSources
from digestd.store.sqlite import BUSY_TIMEOUT, Connections
from digestd.store.stats import stats
from digestd.store.subscribers import SqliteSubscribers


class SqliteStore:
    """A `Store` in one database file; made when there never was one.

    Raises StoreUnusable for a file that is gone, not ours, damaged, or of another version. A large one is read
    whole for damage only with `thorough`, and after an end that nobody planned (docs/decisions/0007).
    """

    def __init__(
        self, path: Path, busy_timeout: float = BUSY_TIMEOUT, *, disk: Disk | None = None, thorough: bool = False
    ) -> None:
        create(path)
        refuse_what_is_not_whole(path)
        thorough = thorough or was_left_behind(path)
        self._connections = Connections(path, busy_timeout, disk=disk, thorough=thorough)
        self.papers = SqlitePapers(self._connections)
        self.subscribers = SqliteSubscribers(self._connections)
        self.editions = SqliteEditions(self._connections)
        self.alerts = SqliteAlerts(self._connections)
        self.sections = SqliteSections(self._connections)
        self.history = SqliteHistory(self._connections)
        self.leanings = SqliteLeanings(self._connections)
        self.outbox = SqliteOutbox(self._connections)
        self.readers = SqliteReaders(self._connections, self.subscribers)
        self.sources = SqliteSources(self._connections)
        self.signups = SqliteSignups(self._connections, self.subscribers)
        self.grammar = SqliteGrammar(self._connections, self.subscribers)
        self.notices = SqliteNotices(self._connections, self.subscribers)

    def at_once(self) -> AbstractContextManager[None]:
        """Let this thread's reads within raise StoreBusy where they would wait."""
        return self._connections.at_once()

    def stats(self) -> dict[str, object]:
        """Return how much is in the store."""
        return stats(self._connections)

    def close(self) -> None:
        """Close every connection."""
        self._connections.close()
