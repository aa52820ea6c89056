"""Search words that are no longer read, in SQLite: what is followed and the letter about it in one transaction."""

from __future__ import annotations

from collections.abc import Callable

from digestd.letters import Letter
from digestd.model import Profile, SubscriberState
from digestd.store.editions import letter_content
from digestd.store.sql import statements
from digestd.store.sqlite import Connections
from digestd.store.subscribers import SqliteSubscribers, profile_of

MAILED = (SubscriberState.ACTIVE, SubscriberState.PAUSED)


class SqliteGrammar:
    """The `Grammar` of a SQLite store."""

    def __init__(self, connections: Connections, subscribers: SqliteSubscribers) -> None:
        self._connections = connections
        self._subscribers = subscribers
        self._sql = statements("grammar")

    def last(self) -> str:
        with self._connections.read() as connection:
            row = connection.execute(self._sql["last"]).fetchone()
        return str(row["name"]) if row else ""

    def read_with(self, name: str) -> None:
        with self._connections.write() as connection:
            connection.execute(self._sql["read_with"], {"name": name})

    def in_use(self, after: int, limit: int) -> list[tuple[int, Profile]]:
        with self._connections.read() as connection:
            rows = connection.execute(self._sql["in_use"], {"after": after, "limit": limit}).fetchall()
        return [(row["pk"], profile_of("", row["content"])) for row in rows]

    def mend(
        self, spec: int, better: Profile, letter: Letter, edition: Callable[[int, str], str], snapshot: str, now: int
    ) -> int:
        with self._connections.write() as connection:
            followers = connection.execute(self._sql["followers"], {"spec": spec}).fetchall()
            for row in followers:
                self._subscribers.put_instead(connection, row["subscriber"], row["name"], better)
                if row["state"] not in MAILED:
                    continue
                issue = f"mistake:{row['pk']}-{now}"
                values = {
                    "id": edition(row["subscriber"], issue),
                    "subscriber": row["subscriber"],
                    "issue": issue,
                    "letter": letter_content(letter),
                    "snapshot": snapshot,
                    "now": now,
                }
                number = connection.execute(self._sql["insert_letter"], values).fetchone()[0]
                connection.execute(self._sql["insert_outbox"], {"edition": number, "now": now})
        return len({row["subscriber"] for row in followers})
