"""What happened and what is to come, in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime

from digestd.store.base.history import Files
from digestd.store.sql import statements
from digestd.store.sqlite import Connections, from_ms, to_ms

HOUR = 3_600_000  # ms


class SqliteHistory:
    """The `History` of a SQLite store."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._sql = statements("history")

    def attempts(self, since: datetime) -> Mapping[str, Mapping[datetime, int]]:
        found: dict[str, dict[datetime, int]] = {}
        with self._connections.read() as connection:
            bounds = {"pk": self._first_line(connection, to_ms(since)), "since": to_ms(since)}
            for state, hour, count in connection.execute(self._sql["attempts"], bounds):
                found.setdefault(state, {})[from_ms(hour * HOUR)] = count
        return found

    def files(self, since: datetime) -> Files:
        with self._connections.read() as connection:
            counted = connection.execute(self._sql["files"], {"since": to_ms(since)}).fetchone()
            last = connection.execute(self._sql["last_file"]).fetchone()[0]
        files, papers, new = counted
        return Files(files, papers, new, from_ms(last) if last is not None else None)

    def coming(self, now: datetime, until: datetime) -> Mapping[datetime, int]:
        bounds = {"now": to_ms(now), "until": to_ms(until)}
        with self._connections.read() as connection:
            return {from_ms(hour * HOUR): count for hour, count in connection.execute(self._sql["coming"], bounds)}

    def _first_line(self, connection: sqlite3.Connection, since: int) -> int:
        """Return the number of the first line of the ledger at `since` or later."""
        low, high = 1, connection.execute(self._sql["last_line"]).fetchone()[0] + 1
        while low < high:
            middle = (low + high) // 2
            line = connection.execute(self._sql["line_from"], {"pk": middle}).fetchone()
            if line is None or line["at"] >= since:
                high = middle
            else:
                low = line["pk"] + 1
        return int(low)
