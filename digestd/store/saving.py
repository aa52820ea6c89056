"""Composed issues written into SQLite: a batch at once, and one by one where another publisher was faster.

Each issue is all or nothing: its steps of progress, its edition with the papers, and the outbox row.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache

from digestd.store.base import Composed, Saved
from digestd.store.sqlite import to_ms

Values = dict[str, object]

# json.dumps builds an encoder for each call that asks for anything but its defaults.
_encoded = json.JSONEncoder(ensure_ascii=False).encode
_queries = lru_cache(maxsize=16_384)(_encoded)  # most papers are found by one query of many people


class Saving:
    """Writes issues in the transaction of a connection, by the statements of `editions.sql`."""

    def __init__(self, connection: sqlite3.Connection, sql: Mapping[str, str], snapshot: str, now: datetime) -> None:
        self._connection = connection
        self._sql = sql
        self._snapshot = snapshot
        self._now = to_ms(now)

    def save(self, composed: Sequence[Composed]) -> Saved:
        """Write what another publisher has not written; returns what was written."""
        saved = self._undone_unless_whole(composed)
        if saved is not None or len(composed) <= 1:
            return saved or Saved(0, 0, 0)
        each = [self.save([one]) for one in composed]
        return Saved(
            sum(one.issues for one in each), sum(one.editions for one in each), sum(one.papers for one in each)
        )

    def _undone_unless_whole(self, composed: Sequence[Composed]) -> Saved | None:
        self._connection.execute("SAVEPOINT issues")
        saved = self._written(composed)
        if saved is None:
            self._connection.execute("ROLLBACK TO issues")
        self._connection.execute("RELEASE issues")
        return saved

    def _written(self, composed: Sequence[Composed]) -> Saved | None:
        """Write all of the issues; None when one of them was composed meanwhile, or a paper of one announced."""
        steps = [step for one in composed for step in _steps(one)]
        if steps and self._connection.executemany(self._sql["advance"], steps).rowcount != len(steps):
            return None
        first = self._connection.execute(self._sql["newest_edition"]).fetchone()[0] + 1
        chosen = list(enumerate((one for one in composed if one.edition_id is not None), first))
        entries = [entry for pk, one in chosen for entry in _entries(pk, one)]
        try:
            self._connection.executemany(self._sql["insert_edition"], [self._edition(pk, one) for pk, one in chosen])
            self._connection.executemany(
                self._sql["insert_section"], [section for pk, one in chosen for section in _sections(pk, one)]
            )
            self._connection.executemany(self._sql["insert_entry"], entries)
            self._connection.executemany(
                self._sql["insert_outbox"], [{"edition": pk, "now": self._now} for pk, _ in chosen]
            )
        except sqlite3.IntegrityError as error:
            if error.sqlite_errorcode in (sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE):
                return None
            raise
        return Saved(len(composed), len(chosen), len(entries))

    def _edition(self, pk: int, one: Composed) -> Values:
        person = one.subscriber
        return {
            "pk": pk,
            "id": one.edition_id,
            "subscriber": person.pk,
            "issue": one.issue,
            "cadence": one.cadence,
            "now": self._now,
            "considered": one.considered,
            "already": _encoded(one.already) if one.already else None,
            "quiet_since": to_ms(one.quiet_since) if one.quiet_since else None,
            "snapshot": self._snapshot,
            "email": person.email,
            "name": person.name,
            "timezone": person.timezone,
        }


def _steps(one: Composed) -> Iterator[Values]:
    """Yield steps of progress; each is made only from the issue and the profile with which it was read."""
    read = {due.pk: due.spec for due in one.subscriber.profiles}
    for step in one.advances:
        yield {
            "profile": step.profile,
            "cadence": step.cadence,
            "spec": read.get(step.profile),
            "was": step.was,
            "issue": step.issue,
            "horizon": step.horizon,
            "due_at": to_ms(step.due_at) if step.due_at else None,
        }


def _sections(edition: int, one: Composed) -> Iterator[Values]:
    for position, section in enumerate(one.sections):
        yield {
            "profile": section.due.pk,
            "issue": one.issue,
            "edition": edition,
            "position": position,
            "name": section.due.profile.name,
            "spec": section.due.spec,
            "matched": section.matched,
            "looked": section.looked,
            "hits": _encoded(dict(section.hits)),
            "below": section.left_out.below,
            "excluded": section.left_out.excluded,
            "alerted": section.left_out.alerted,
            "elsewhere": section.left_out.elsewhere,
        }


def _entries(edition: int, one: Composed) -> Iterator[Values]:
    placed = ((section.due.pk, paper, entry) for section in one.sections for paper, entry in section.entries)
    for position, (profile, paper, entry) in enumerate(placed):
        yield {
            "subscriber": one.subscriber.pk,
            "paper": paper.pk,
            "edition": edition,
            "profile": profile,
            "position": position,
            "revision": paper.revision,
            "place": entry.place,
            "score": entry.score,
            "standing": entry.standing,
            "queries": _queries(entry.queries),
            "moved": _encoded(entry.moved) if entry.moved else "",
        }
