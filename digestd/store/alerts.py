"""Immediate profiles in SQLite, many at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from digestd.model import Profile
from digestd.store.base import Waiting
from digestd.store.sql import statements
from digestd.store.sqlite import Connections
from digestd.store.subscribers import profile_of


class SqliteAlerts:
    """The `Alerts` of a SQLite store."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._sql = statements("alerts")

    def waiting(self, newest: int) -> list[Waiting]:
        with self._connections.read() as connection:
            return [Waiting(*row) for row in connection.execute(self._sql["waiting"], {"newest": newest})]

    def profiles(self, specs: Iterable[int]) -> Mapping[int, Profile]:
        with self._connections.read() as connection:
            rows = connection.execute(self._sql["specs"], {"pks": json.dumps(list(specs))})
            return {row["pk"]: profile_of("", row["content"]) for row in rows}

    def pass_over(self, waiting: Sequence[Waiting], newest: int) -> int:
        with self._connections.write() as connection:
            rows = ({**one._asdict(), "newest": newest} for one in waiting)
            return connection.executemany(self._sql["pass_over"], rows).rowcount
