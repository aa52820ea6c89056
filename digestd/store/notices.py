"""Notices to the operator in SQLite: the letter and what it tells in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from digestd.letters import Letter, Told
from digestd.model import Origin, Subscriber, SubscriberState, canonical_address
from digestd.store.editions import letter_content
from digestd.store.sql import statements
from digestd.store.sqlite import Connections, from_ms, to_ms
from digestd.store.subscribers import SqliteSubscribers


class SqliteNotices:
    """The `Notices` of a SQLite store."""

    def __init__(self, connections: Connections, subscribers: SqliteSubscribers) -> None:
        self._connections = connections
        self._subscribers = subscribers
        self._sql = statements("notices")

    def told(self) -> list[Told]:
        with self._connections.read() as connection:
            rows = connection.execute(self._sql["told"]).fetchall()
        return [Told(row["key"], row["sentence"], from_ms(row["told_at"]), bool(row["lasts"])) for row in rows]

    def tell(
        self, address: str, letter: Letter, told: Sequence[Told], edition: Callable[[int, str], str], snapshot: str,
        now: datetime,
    ) -> None:  # fmt: skip
        with self._connections.write() as connection:
            row = connection.execute(self._sql["operator"], {"address": canonical_address(address)}).fetchone()
            if row is None:
                person = Subscriber(address, state=SubscriberState.PENDING)
                subscriber = self._subscribers.insert(connection, person, Origin.OPERATOR, now)
            else:
                subscriber = row["pk"]
            issue = f"notice:{to_ms(now)}"
            values = {
                "id": edition(subscriber, issue),
                "subscriber": subscriber,
                "issue": issue,
                "letter": letter_content(letter),
                "snapshot": snapshot,
                "now": to_ms(now),
            }
            number = connection.execute(self._sql["insert_letter"], values).fetchone()[0]
            connection.execute(self._sql["insert_outbox"], {"edition": number, "now": to_ms(now)})
            for one in told:
                kept = {"key": one.key, "sentence": one.sentence, "told_at": to_ms(one.told_at), "lasts": one.lasts}
                connection.execute(self._sql["keep"], kept)

    def newest(self) -> datetime | None:
        with self._connections.read() as connection:
            found = connection.execute(self._sql["newest"]).fetchone()[0]
        return from_ms(found) if found is not None else None

    def late(self, before: datetime) -> int:
        with self._connections.read() as connection:
            return int(connection.execute(self._sql["late"], {"before": to_ms(before)}).fetchone()[0])
