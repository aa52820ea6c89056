"""Parts of editions in SQLite."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime

from digestd.model import Cadence
from digestd.store.base import PlacedSection
from digestd.store.sql import statements
from digestd.store.sqlite import Connections, to_ms
from digestd.store.subscribers import profile_of


class SqliteSections:
    """The `Sections` of a SQLite store."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._sql = statements("sections")

    def of(self, subscriber: int, paper: int) -> PlacedSection | None:
        with self._connections.read() as connection:
            return _section(connection.execute(self._sql["of"], {"subscriber": subscriber, "paper": paper}).fetchone())

    def after(self, profile: int, cadence: Cadence, moment: datetime) -> PlacedSection | None:
        values = {"profile": profile, "cadence": cadence, "moment": to_ms(moment)}
        with self._connections.read() as connection:
            return _section(connection.execute(self._sql["after"], values).fetchone())


def _section(row: sqlite3.Row | None) -> PlacedSection | None:
    if row is None:
        return None
    return PlacedSection(
        profile=profile_of(row["name"], row["content"]),
        issue=row["issue"],
        matched=row["matched"],
        placed=row["placed"],
        looked=row["looked"],
        hits=json.loads(row["hits"]),
        card=row["card"],
    )
