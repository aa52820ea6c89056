"""What readers wanted more and less of, in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import datetime

from digestd.errors import NotFound
from digestd.match.learn import Leaning, Opinion, Term, Wish
from digestd.store.base.leanings import Learn, Said
from digestd.store.sql import statements
from digestd.store.sqlite import Connections, from_ms, to_ms


class SqliteLeanings:
    """The `Leanings` of a SQLite store."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._sql = statements("leanings")

    def of(self, subscribers: Iterable[int]) -> Mapping[int, Leaning]:
        with self._connections.read() as connection:
            rows = connection.execute(self._sql["of"], {"subscribers": json.dumps(list(subscribers))})
            return {row["subscriber"]: _leaning(row) for row in rows}

    def said(self, subscriber: int) -> Said:
        with self._connections.read() as connection:
            row = connection.execute(self._sql["said"], {"subscriber": subscriber}).fetchone()
        return Said(bool(row["active"]), _leaning(row), row["opinions"]) if row else Said(True, None, 0)

    def wishes(self, subscriber: int, edition: int) -> Mapping[int, Wish]:
        with self._connections.read() as connection:
            rows = connection.execute(self._sql["wishes"], {"subscriber": subscriber, "edition": edition})
            return {row["position"]: Wish(row["wish"]) for row in rows}

    def say(
        self, subscriber: int, edition: int, place: int, wish: Wish | None, now: datetime, learn: Learn, most: int
    ) -> bool:
        values: dict[str, object] = {"subscriber": subscriber, "edition": edition, "place": place, "most": most}
        values |= {"wish": wish, "now": to_ms(now)}
        with self._connections.write() as connection:
            row = connection.execute(self._sql["paper"], values).fetchone()
            if row is None:
                raise NotFound(f"no paper at place {place} of this edition")
            values["paper"] = row["paper"]
            if not connection.execute(self._sql["put" if wish else "take_back"], values).rowcount:
                return False
            connection.execute(self._sql["drop_oldest"], values)
            opinions = [_opinion(row) for row in connection.execute(self._sql["opinions"], values)]
            values["terms"] = json.dumps(learn(opinions, now).terms, ensure_ascii=False)
            connection.execute(self._sql["keep"], values)
        return True

    def switch(self, subscriber: int, now: datetime, *, active: bool) -> None:
        values = {"subscriber": subscriber, "active": int(active), "now": to_ms(now)}
        with self._connections.write() as connection:
            connection.execute(self._sql["switch"], values)

    def reset(self, subscriber: int) -> int:
        with self._connections.write() as connection:
            dropped = connection.execute(self._sql["reset_opinions"], {"subscriber": subscriber}).rowcount
            connection.execute(self._sql["reset_terms"], {"subscriber": subscriber})
        return dropped


def _leaning(row: sqlite3.Row) -> Leaning:
    return Leaning(tuple(Term(*term) for term in json.loads(row["terms"])), from_ms(row["learned_at"]))


def _opinion(row: sqlite3.Row) -> Opinion:
    return Opinion(Wish(row["wish"]), from_ms(row["said_at"]), row["title"], tuple(json.loads(row["categories"])))
