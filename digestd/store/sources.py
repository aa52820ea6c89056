"""The sources in SQLite."""

from __future__ import annotations

from dataclasses import asdict

from digestd.store.base import SourceState
from digestd.store.sql import statements
from digestd.store.sqlite import Connections, from_ms, to_ms


class SqliteSources:
    """The `Sources` of a SQLite store."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._sql = statements("sources")

    def state(self, name: str) -> SourceState | None:
        with self._connections.read() as connection:
            row = connection.execute(self._sql["source"], {"name": name}).fetchone()
        if row is None:
            return None
        told = dict(row)
        return SourceState(**told | {"checked_at": from_ms(told["checked_at"]), "next_at": from_ms(told["next_at"])})

    def keep(self, state: SourceState) -> None:
        values = asdict(state) | {"checked_at": to_ms(state.checked_at), "next_at": to_ms(state.next_at)}
        with self._connections.write() as connection:
            connection.execute(self._sql["keep"], values)
