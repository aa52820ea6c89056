"""Sign-ups in SQLite, each with its letter in the same transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta

from digestd.errors import NotAllowed, NotFound
from digestd.letters import Letter
from digestd.model import Origin, Subscriber, SubscriberState, canonical_address
from digestd.store.base import Asked, Limits, Signup
from digestd.store.base.signups import KEPT_FOR, VALID_FOR
from digestd.store.editions import letter_content
from digestd.store.sql import statements
from digestd.store.sqlite import Connections, from_ms, to_ms
from digestd.store.subscribers import SqliteSubscribers, profile_of

HOUR, DAY, MONTH = timedelta(hours=1), timedelta(days=1), timedelta(days=30)
IN_A_DAY, IN_A_MONTH = 1, 3  # questions to one mailbox


class SqliteSignups:
    """The `Signups` of a SQLite store."""

    def __init__(self, connections: Connections, subscribers: SqliteSubscribers) -> None:
        self._connections = connections
        self._subscribers = subscribers
        self._sql = statements("signups")

    def too_many(self, asked: Asked, limits: Limits, now: datetime) -> bool:
        keys = {"network": asked.network, "domain": _domain(asked)}
        bounds = (
            ("of_network", HOUR, limits.network),
            ("of_domain", DAY, limits.domain),
            ("of_everybody", DAY, limits.everybody),
        )
        with self._connections.read() as connection:
            return any(self._count(connection, name, now - span, keys) >= most for name, span, most in bounds)

    def ask(
        self, asked: Asked, letter: Callable[[int], Letter], edition: Callable[[int, str], str], snapshot: str,
        now: datetime,
    ) -> int | None:  # fmt: skip
        mailbox = {"mailbox": asked.mailbox}
        with self._connections.write() as connection:
            if (
                self._count(connection, "since", now - DAY, mailbox) >= IN_A_DAY
                or self._count(connection, "since", now - MONTH, mailbox) >= IN_A_MONTH
            ):
                return None
            address = {"address": canonical_address(asked.email)}
            known = connection.execute(self._sql["by_address"], address).fetchone()
            if known is not None and not _may_be_asked(known):
                return None
            if known is None:
                person = Subscriber(asked.email, timezone=asked.profile.timezone, state=SubscriberState.PENDING)
                subscriber = self._subscribers.insert(connection, person, Origin.READER, now)
            else:
                subscriber = known["pk"]
            values = {
                "subscriber": subscriber,
                "mailbox": asked.mailbox,
                "domain": _domain(asked),
                "network": asked.network,
                "name": asked.profile.name,
                "spec": self._subscribers.put_spec(connection, asked.profile),
                "now": to_ms(now),
            }
            pk = int(connection.execute(self._sql["insert"], values).fetchone()[0])
            self._send(connection, subscriber, pk, letter(pk), edition, snapshot, now)
        return pk

    def find(self, pk: int, now: datetime) -> Signup:
        with self._connections.read() as connection:
            return _signup(self._row(connection, pk), now)

    def confirm(
        self, pk: int, letter: Letter, edition: Callable[[int, str], str], snapshot: str, now: datetime
    ) -> Signup:
        with self._connections.write() as connection:
            row = self._row(connection, pk)
            signup = _signup(row, now)
            if not signup.is_open:
                return signup
            if _is_barred(row):
                raise NotAllowed(f"{signup.email} is suppressed, or was removed by the operator")
            person = {"pk": signup.subscriber, "timezone": signup.profile.timezone, "now": to_ms(now)}
            connection.execute(self._sql["confirm"], {"pk": pk, "now": to_ms(now)})
            connection.execute(self._sql["activate"], person)
            self._subscribers.put_beside(connection, signup.subscriber, signup.profile)
            self._send(connection, signup.subscriber, pk, letter, edition, snapshot, now)
        return signup

    def refuse(self, pk: int, now: datetime) -> None:
        with self._connections.write() as connection:
            connection.execute(self._sql["refuse"], {"pk": pk, "now": to_ms(now)})

    def stale(self, now: datetime, limit: int) -> list[int]:
        values = {"before": to_ms(now - KEPT_FOR), "limit": limit}
        with self._connections.read() as connection:
            return [row["subscriber"] for row in connection.execute(self._sql["stale"], values)]

    def _count(self, connection: sqlite3.Connection, name: str, since: datetime, keys: dict[str, str]) -> int:
        return int(connection.execute(self._sql[name], {**keys, "since": to_ms(since)}).fetchone()[0])

    def _row(self, connection: sqlite3.Connection, pk: int) -> sqlite3.Row:
        row = connection.execute(self._sql["find"], {"pk": pk}).fetchone()
        if row is None:
            raise NotFound(f"no sign-up of number {pk}")
        assert isinstance(row, sqlite3.Row)
        return row

    def _send(
        self, connection: sqlite3.Connection, subscriber: int, signup: int, letter: Letter,
        edition: Callable[[int, str], str], snapshot: str, now: datetime,
    ) -> None:  # fmt: skip
        issue = f"{letter.kind}:{signup}"
        values = {
            "id": edition(subscriber, issue),
            "subscriber": subscriber,
            "issue": issue,
            "kind": letter.kind,
            "letter": letter_content(letter),
            "snapshot": snapshot,
            "now": to_ms(now),
        }
        number = connection.execute(self._sql["insert_letter"], values).fetchone()[0]
        connection.execute(self._sql["insert_outbox"], {"edition": number, "now": to_ms(now)})


def _signup(row: sqlite3.Row, now: datetime) -> Signup:
    is_confirmed = row["confirmed_at"] is not None
    in_time = now < from_ms(row["asked_at"]) + VALID_FOR
    return Signup(
        pk=row["pk"],
        subscriber=row["subscriber"],
        email=row["email"],
        profile=profile_of(row["name"], row["content"]),
        is_open=in_time and not is_confirmed and row["refused_at"] is None and not row["is_older"],
        is_confirmed=is_confirmed,
    )


def _domain(asked: Asked) -> str:
    return asked.mailbox.rpartition("@")[2]


def _is_barred(row: sqlite3.Row) -> bool:
    """Return whether only the operator can bring this person back."""
    removed = row["state"] == SubscriberState.UNSUBSCRIBED and row["state_by"] == Origin.OPERATOR
    return bool(removed or row["state"] == SubscriberState.SUPPRESSED)


def _may_be_asked(row: sqlite3.Row) -> bool:
    """Return whether this person may be sent a question: not after "do not ask me again", or leaving unconfirmed."""
    left = row["state"] == SubscriberState.PENDING and row["left_at"] is not None
    return not (left or row["has_refused"] or _is_barred(row))
