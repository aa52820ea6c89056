"""The outbox and the ledger in SQLite: one UPDATE for each arrow, guarded by the state it comes from."""

from __future__ import annotations

import fcntl
import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import lru_cache

from digestd.errors import DeliveredElsewhere, NotFound, StoreError, StoreHeld
from digestd.model import OutboxState
from digestd.store.base import Claim, LedgerRow, OutboxRow, Transition
from digestd.store.instance import Instance
from digestd.store.sql import statements
from digestd.store.sqlite import Connections, from_ms, to_ms

CRASHED = "the line or the program ended while the message was on its way; the relay may have it"
SET_ASIDE = "the program ended three times with nothing else in hand; `outbox retry` tries it again"
MOST_TRIES = 3  # alone in hand: fewer would now and then blame an innocent one for a kill from outside
LEFT = "the reader left before it was sent"
MIN_PREFIX = 6  # characters of an id; less is a number, or says too little


_PAST_ALL = 2**63 - 1  # the largest number of a row
_STEP = 8  # by how many rows the statements of batches differ
# Rows that concern no edition.
_NONE_BEGUN: tuple[object, ...] = (0, "", 0)
_NO_STEP: tuple[object, ...] = (0, "", "", 0, 0, "", 0)
_NOTHING_TOLD: tuple[object, ...] = (0, 0, "", 0, "", 0, "")


class _NotAll(Exception):
    """One transition of a batch could not be made."""


class SqliteOutbox:
    """The `Outbox` of a SQLite store."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._sql = statements("outbox")
        self._instance = Instance(connections)
        self._has_turned = False  # whether this run has taken the store's token, which it does before it sends

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        path = self._connections.path
        try:
            lock = path.with_name(f"{path.name}.delivery-lock").open("w")
        except OSError as error:
            raise StoreError(f"{error.filename}: cannot be opened: {error.strerror}") from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DeliveredElsewhere(
                    f"{path}: another digestd delivers from this store; what is ready will be sent by it"
                ) from None
            reason = self.held()
            if reason:
                raise StoreHeld(
                    f"{path}: nothing is sent from this store, because {reason}; when no other digestd sends what"
                    " waits in it, `digestd outbox release` lets it go"
                )
            self._has_turned = False
            try:
                yield
            finally:
                if self._has_turned:
                    with suppress(StoreError):  # then the token of this run stays; the next one takes a new one
                        self._instance.renew()

    def held(self) -> str | None:
        return self._instance.strange()

    def adopt(self) -> None:
        self._instance.renew()

    def recover(self, owner: str, now: datetime, *, hold: bool) -> int:
        def put_right(connection: sqlite3.Connection) -> int:
            left = connection.execute(self._sql["left_behind"], {"owner": owner}).fetchall()
            for row in left:
                self._put_right(connection, row, owner, now, hold=hold, alone=len(left) == 1)
            return sum(row["state"] == OutboxState.SENDING for row in left)

        return self._connections.settle(put_right)

    def _put_right(
        self, connection: sqlite3.Connection, row: sqlite3.Row, owner: str, now: datetime, *, hold: bool, alone: bool
    ) -> None:
        """Move on what a crash left in hand, `alone` or with others: ready again, or, where that led nowhere, aside."""
        crashes = max(1, row["crashes"]) + alone  # in company it is suspect, and goes alone from now on
        was_sending = row["state"] == OutboxState.SENDING
        target, reason = OutboxState.READY, CRASHED if was_sending else None
        if was_sending:
            self._write(connection, row["edition"], now, OutboxState.UNCERTAIN, CRASHED)
        if was_sending and hold:
            target = OutboxState.UNCERTAIN
        elif crashes > MOST_TRIES:
            target, reason = OutboxState.FAILED, SET_ASIDE
            self._write(connection, row["edition"], now, OutboxState.FAILED, SET_ASIDE)
        connection.execute(
            self._sql["recover"],
            {
                "edition": row["edition"],
                "state": target,
                "reason": reason,
                "crashes": crashes,
                "not_before": to_ms(now) if was_sending else None,
                "owner": owner,
                "now": to_ms(now),
            },
        )

    def bring_forward(self, now: datetime, longest: timedelta) -> int:
        values = {"now": to_ms(now), "latest": to_ms(now + longest)}
        return self._connections.settle(
            lambda connection: connection.execute(self._sql["bring_forward"], values)
        ).rowcount

    def has_work(self, now: datetime, longest: timedelta) -> bool:
        with self._connections.read() as connection:
            bounds = {"now": to_ms(now), "latest": to_ms(now + longest)}
            return bool(connection.execute(self._sql["has_work"], bounds).fetchone()[0])

    def claim(self, owner: str, now: datetime, limit: int) -> tuple[list[Claim], int]:
        bounds = {"now": to_ms(now), "limit": limit}
        token = None
        with self._connections.write(needs_room=True) as connection:
            suspect = connection.execute(self._sql["suspect"], bounds).fetchall()
            rows = suspect or connection.execute(self._sql["next"], bounds).fetchall()
            wanted = [row for row in rows if not row["is_unwanted"]]
            for row in rows if len(wanted) < len(rows) else ():
                if row["is_unwanted"]:
                    self._cancel(connection, row["edition"], now)
            editions = json.dumps([row["edition"] for row in wanted])
            connection.execute(self._sql["claim"], {"owner": owner, "now": to_ms(now), "editions": editions})
            if wanted and not self._has_turned:
                token = self._instance.turn(connection)
        if token is not None:
            self._has_turned = True
            self._instance.confirm(token)
        claims = [
            Claim(edition, key, email, attempts + 1, from_ms(composed_at), sha256, crashes > 0)
            for edition, key, email, attempts, composed_at, sha256, crashes, _ in wanted
        ]
        return claims, len(rows) - len(wanted)

    def _cancel(self, connection: sqlite3.Connection, edition: int, now: datetime) -> None:
        connection.execute(self._sql["cancel"], {"edition": edition, "reason": LEFT, "now": to_ms(now)})
        self._write(connection, edition, now, OutboxState.CANCELLED, LEFT)

    def record(self, owner: str, transitions: Sequence[Transition]) -> list[bool]:
        try:
            self._connections.settle(lambda connection: self._record_all(connection, owner, transitions))
        except _NotAll:  # somebody left, or a row is no longer ours: which one, each by itself tells
            return self._connections.settle(
                lambda connection: [self._record(connection, owner, [transition]) for transition in transitions]
            )
        return [True] * len(transitions)

    def _record_all(self, connection: sqlite3.Connection, owner: str, transitions: Sequence[Transition]) -> None:
        """Make the transitions, or raise _NotAll, which undoes those that were made."""
        if not self._record(connection, owner, transitions):
            raise _NotAll

    def _record(self, connection: sqlite3.Connection, owner: str, transitions: Sequence[Transition]) -> bool:
        """Make all of the transitions, and write the ledger. Returns False where one of them could not be made."""
        begun: list[object] = []
        steps: list[object] = []
        told: list[object] = []
        for one in transitions:
            at = to_ms(one.at)
            if one.target is OutboxState.SENDING:
                begun += (one.edition, one.sha256, at)
                continue
            taken_back = int(not one.counts)
            not_before = to_ms(one.not_before) if one.not_before else 0
            steps += (one.edition, str(one.source), str(one.target), at, not_before, one.reason, taken_back)
            if one.ledger is not None:
                phase = str(one.phase) if one.phase else ""
                told += (one.edition, at, str(one.ledger), taken_back, phase, one.code or 0, one.reason)
        return (
            self._is_made(connection, self._sql["begin_sending"], begun, _NONE_BEGUN, owner)
            and self._is_made(connection, self._sql["transition"], steps, _NO_STEP, owner)
            and self._is_made(connection, self._sql["write_ledgers"], told, _NOTHING_TOLD)
        )

    def _is_made(
        self,
        connection: sqlite3.Connection,
        statement: str,
        values: list[object],
        nobody: tuple[object, ...],
        *owner: str,
    ) -> bool:
        """Run a statement on the values of a batch of rows at once, and return whether it changed them all.

        Rows of `nobody` fill it up, so that there are few statements to be prepared and kept.
        """
        if not values:
            return True
        width, rows = len(nobody), len(values) // len(nobody)
        room = -(-rows // _STEP) * _STEP
        values += nobody * (room - rows)
        return connection.execute(_of_rows(statement, width, room), (*values, *owner)).rowcount == rows

    def release(self, owner: str, now: datetime) -> None:
        values = {"owner": owner, "now": to_ms(now)}
        self._connections.settle(lambda connection: connection.execute(self._sql["release"], values))

    def counts(self) -> dict[OutboxState, int]:
        with self._connections.read() as connection:
            found = {OutboxState(state): count for state, count in connection.execute(self._sql["counts"])}
        return {state: found.get(state, 0) for state in OutboxState}

    def coming(self, now: datetime, most: int) -> list[int]:
        with self._connections.read() as connection:
            return [
                edition for (edition,) in connection.execute(self._sql["coming"], {"now": to_ms(now), "most": most})
            ]

    def rows(self, state: OutboxState | None, limit: int, before: int | None = None) -> list[OutboxRow]:
        with self._connections.read() as connection:
            bounds = {"state": state or "", "limit": limit, "before": before or _PAST_ALL}
            return [_row(row) for row in connection.execute(self._sql["rows"], bounds)]

    def row(self, edition: str) -> tuple[OutboxRow, list[LedgerRow]]:
        wanted = {
            "number": int(edition) if edition.isascii() and edition.isdigit() and len(edition) < 16 else -1,
            "first": edition,
            "beyond": f"{edition}g" if len(edition) >= MIN_PREFIX else edition,  # past every hexadecimal digit
        }
        with self._connections.read() as connection:
            found = connection.execute(self._sql["row"], wanted).fetchall()
            if len(found) != 1:
                raise NotFound(f"no edition {edition}" if not found else f"more than one edition begins with {edition}")
            ledger = connection.execute(self._sql["ledger"], {"edition": found[0]["edition"]}).fetchall()
        return _row(found[0]), [
            LedgerRow(from_ms(row["at"]), row["state"], row["attempt"], row["phase"], row["code"], row["reply"])
            for row in ledger
        ]

    def settle(
        self, edition: int, source: Collection[OutboxState], target: OutboxState, reason: str, now: datetime
    ) -> bool:
        values = {"edition": edition, "source": json.dumps(list(source)), "target": target, "reason": reason}

        def move(connection: sqlite3.Connection) -> bool:
            moved = connection.execute(self._sql["settle"], {**values, "now": to_ms(now)}).rowcount == 1
            if moved:
                self._write(connection, edition, now, target, reason)
            return moved

        return self._connections.settle(move)

    def _write(self, connection: sqlite3.Connection, edition: int, at: datetime, state: str, reply: str) -> None:
        values = {"edition": edition, "at": to_ms(at), "state": state, "reply": reply}
        connection.execute(self._sql["write_ledger"], values)


@lru_cache(maxsize=256)
def _of_rows(statement: str, width: int, rows: int) -> str:
    """Return a statement on one row of so many values as one on many."""
    row = f"({', '.join('?' * width)})"
    return statement.replace(f"VALUES {row}", f"VALUES {', '.join([row] * rows)}")


def _row(row: sqlite3.Row) -> OutboxRow:
    return OutboxRow(
        row["edition"],
        row["id"],
        row["email"],
        row["issue"],
        OutboxState(row["state"]),
        row["attempts"],
        from_ms(row["not_before"]),
        from_ms(row["changed_at"]),
        row["reason"],
    )
