"""Composed issues written into SQLite: a batch at once, and one by one where another publisher was faster.

Each issue is all or nothing: its steps of progress, its edition with the papers, and the outbox row.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import chain

from digestd.store.base import Composed, Saved
from digestd.store.sqlite import to_ms

Row = tuple[object, ...]  # of plain strings: members of an enum are bound at twice the price

_TOGETHER = 100  # rows of one statement; ten times as many are no faster

# json.dumps builds an encoder for each call that asks for anything but its defaults.
_encoded = json.JSONEncoder(ensure_ascii=False).encode
_queries = lru_cache(maxsize=16_384)(_encoded)  # most papers are found by one query of many people
_ms = lru_cache(maxsize=64)(to_ms)  # those of an hour have the next one together


class Overtaken(Exception):
    """One of the issues was composed meanwhile, or a paper of one announced."""


class Saving:
    """Writes issues in the transaction of a connection, by the statements of `editions.sql`."""

    def __init__(self, connection: sqlite3.Connection, sql: Mapping[str, str], snapshot: str, now: datetime) -> None:
        self._connection = connection
        self._sql = sql
        self._snapshot = snapshot
        self._now = to_ms(now)

    def each(self, composed: Sequence[Composed]) -> Saved:
        """Write the issues that another publisher has not written; returns what was written."""
        written = []
        for one in composed:
            self._connection.execute("SAVEPOINT issue")
            try:
                written.append(self.whole([one]))
            except Overtaken:
                self._connection.execute("ROLLBACK TO issue")
            self._connection.execute("RELEASE issue")
        return Saved(
            sum(one.issues for one in written), sum(one.editions for one in written), sum(one.papers for one in written)
        )

    def whole(self, composed: Sequence[Composed]) -> Saved:
        """Write all of the issues. Raises Overtaken where that cannot be: what was written is then to be undone."""
        steps = [step for one in composed for step in _steps(one)]
        if self._run(self._sql["advance"], steps) != len(steps):
            raise Overtaken
        first = self._connection.execute(self._sql["newest_edition"]).fetchone()[0] + 1
        chosen = list(enumerate((one for one in composed if one.edition_id is not None), first))
        entries = [entry for pk, one in chosen for entry in _entries(pk, one)]
        sections = [section for pk, one in chosen for section in _sections(pk, one)]
        try:
            self._run(self._sql["insert_edition"], [self._edition(pk, one) for pk, one in chosen])
            self._run(self._sql["insert_section"], sections)
            self._run(self._sql["insert_entry"], entries)
            self._connection.execute(self._sql["insert_outbox"], {"first": first})
        except sqlite3.IntegrityError as error:
            if error.sqlite_errorcode in (sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE):
                raise Overtaken from error
            raise
        return Saved(len(composed), len(chosen), len(entries))

    def _run(self, statement: str, rows: Sequence[Row]) -> int:
        """Run a statement on rows of values, and return how many it changed.

        Nearly all are taken many by one statement: to step through one for each costs half as much again, and gives
        the interpreter away each time.
        """
        changed, first = 0, len(rows) % _TOGETHER
        if first:
            changed += self._connection.executemany(statement, rows[:first]).rowcount
        if first < len(rows):
            row = f"({', '.join('?' * len(rows[0]))})"
            many = statement.replace(f"VALUES {row}", f"VALUES {', '.join([row] * _TOGETHER)}")
            for begin in range(first, len(rows), _TOGETHER):
                values = tuple(chain.from_iterable(rows[begin : begin + _TOGETHER]))
                changed += self._connection.execute(many, values).rowcount
        return changed

    def _edition(self, pk: int, one: Composed) -> Row:
        person = one.subscriber
        already = _encoded(one.already) if one.already else None
        quiet_since = to_ms(one.quiet_since) if one.quiet_since else None
        return (
            pk,
            one.edition_id,
            person.pk,
            one.issue,
            str(one.cadence),
            self._now,
            one.considered,
            already,
            quiet_since,
            self._snapshot,
            person.email,
            person.name,
            person.timezone,
        )


def _steps(one: Composed) -> Iterator[Row]:
    """Yield steps of progress; each is made only from the issue and the profile with which it was read."""
    read = {due.pk: due.spec for due in one.subscriber.profiles}
    for step in one.advances:
        due_at = _ms(step.due_at) if step.due_at else None
        yield step.issue, step.horizon, due_at, step.profile, str(step.cadence), step.was, read.get(step.profile)


def _sections(edition: int, one: Composed) -> Iterator[Row]:
    for position, section in enumerate(one.sections):
        due, left = section.due, section.left_out
        yield (
            due.pk,
            one.issue,
            edition,
            position,
            due.profile.name,
            due.spec,
            section.matched,
            section.looked,
            f"{{{', '.join(map(_hit, section.hits))}}}",
            left.below,
            left.excluded,
            left.alerted,
            left.elsewhere,
        )


@lru_cache(maxsize=16_384)
def _hit(hits: tuple[str, int]) -> str:
    """Return a query and how many papers it hits as a member of a JSON object."""
    return _encoded(dict([hits]))[1:-1]


def _entries(edition: int, one: Composed) -> list[Row]:
    subscriber, rows = one.subscriber.pk, list[Row]()
    for section in one.sections:
        profile = section.due.pk
        for paper, entry in section.entries:
            rows.append(
                (
                    subscriber,
                    paper.pk,
                    edition,
                    profile,
                    len(rows),
                    paper.revision,
                    str(entry.place),
                    entry.score,
                    entry.standing,
                    _queries(entry.queries),
                    _encoded(entry.moved) if entry.moved else "",
                )
            )
    return rows
