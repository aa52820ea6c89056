"""Readers' own questions in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from digestd.errors import NotFound
from digestd.model import OutboxState, Profile
from digestd.store.base.readers import Past
from digestd.store.sql import statements
from digestd.store.sqlite import Connections, from_ms, to_ms
from digestd.store.subscribers import SqliteSubscribers

FORGOTTEN = "the reader asked to be forgotten"
_NOTHING = Profile("", ())  # what a forgotten profile follows


class SqliteReaders:
    """The `Readers` of a SQLite store."""

    def __init__(self, connections: Connections, subscribers: SqliteSubscribers) -> None:
        self._connections = connections
        self._subscribers = subscribers
        self._sql = statements("readers")

    def history(self, subscriber: int, limit: int) -> list[Past]:
        with self._connections.read() as connection:
            rows = connection.execute(self._sql["history"], {"subscriber": subscriber, "limit": limit}).fetchall()
        return [
            Past(
                row["pk"],
                row["id"],
                row["issue"],
                from_ms(row["composed_at"]),
                OutboxState(row["state"]),
                row["papers"],
            )
            for row in rows
        ]

    def edition(self, subscriber: int, id: str) -> int:
        with self._connections.read() as connection:
            row = connection.execute(self._sql["edition"], {"subscriber": subscriber, "id": id}).fetchone()
        if row is None:
            raise NotFound(f"no edition {id} of this reader")
        return int(row["pk"])

    def export(self, subscriber: int) -> Mapping[str, Any]:
        parts = ("profiles", "editions", "papers", "attempts", "signups", "opinions", "leanings")
        with self._connections.read() as connection:
            person = connection.execute(self._sql["person"], {"subscriber": subscriber}).fetchone()
            if person is None:
                raise NotFound(f"no subscriber of number {subscriber}")
            found = {
                part: [_shown(row) for row in connection.execute(self._sql[part], {"subscriber": subscriber})]
                for part in parts
            }
        return {"subscriber": _shown(person), **found}

    def forget(self, subscriber: int, now: datetime) -> None:
        def change(connection: sqlite3.Connection) -> None:
            values = {"subscriber": subscriber, "now": to_ms(now), "reason": FORGOTTEN}
            for row in connection.execute(self._sql["cancel"], values).fetchall():
                connection.execute(self._sql["write_ledger"], {**values, **dict(row)})
            specs = [row["spec"] for row in connection.execute(self._sql["specs"], values)]
            values["spec"] = self._subscribers.put_spec(connection, _NOTHING)
            for what in (
                "progress",
                "profiles",
                "sections",
                "queries",
                "signups",
                "opinions",
                "leanings",
                "editions",
                "person",
            ):
                connection.execute(self._sql[f"forget_{what}"], values)
            connection.execute(self._sql["drop_specs"], {"specs": json.dumps(specs)})

        self._connections.settle(change)


def _shown(row: sqlite3.Row) -> dict[str, Any]:
    """Return a row as a person reads it: moments with their zone, what is JSON as what it says."""
    shown: dict[str, Any] = {}
    for name in row.keys():  # noqa: SIM118 - a row yields its values
        value = row[name]
        if name == "at" or name.endswith(("_at", "_until")):
            value = from_ms(value).isoformat() if value is not None else None
        elif name in ("content", "letter", "queries", "terms") and value is not None:
            value = json.loads(value)
        shown[name] = value
    return shown
