"""Editions in SQLite: what is due, and what was composed."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from types import MappingProxyType
from typing import Any

from digestd.errors import NotFound
from digestd.letters import Letter, LetterKind
from digestd.model import Cadence, Edition, Entry, LeftOut, Paper, Place, QuietHours, Reader, Section, Snapshot
from digestd.store.base import Announced, Composed, DueProfile, DueSubscriber, Saved
from digestd.store.paper_rows import stored
from digestd.store.saving import Overtaken, Saving
from digestd.store.sql import statements
from digestd.store.sqlite import Connections, from_ms, to_ms
from digestd.store.subscribers import profile_of

# A weekly cadence is due seven days ahead at most; a clock that was a week fast for an hour makes it fourteen.
FURTHEST = timedelta(days=15)


MOST_KEPT = 4_096  # papers kept in memory, as they were announced; about 10 MB
MOST_ENTRIES = 16_384  # the same of entries
_PERSON = 5  # columns of a person, before those of a profile
_PLACES = MappingProxyType({str(place): place for place in Place})
_CADENCES = MappingProxyType({str(cadence): cadence for cadence in Cadence})


class SqliteEditions:
    """The `Editions` of a SQLite store."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._sql = statements("editions")
        self._read: dict[int, Paper] = {}
        self._entries: dict[tuple[Any, ...], Entry] = {}  # most papers that a query hits stand as far up for many
        self._key = b""

    def key(self) -> bytes:
        if not self._key:  # written when the store was made, and never again
            with self._connections.read() as connection:
                self._key = bytes(connection.execute(self._sql["key"]).fetchone()[0])
        return self._key

    def due(self, now: datetime, newest: int, limit: int) -> list[DueSubscriber]:
        bounds = {"now": to_ms(now), "newest": newest, "limit": limit}
        with self._connections.read() as connection:
            cursor = connection.cursor()
            cursor.row_factory = None  # read by place, as in `load`
            rows = cursor.execute(self._sql["due"], bounds).fetchall()
        people = groupby(rows, key=itemgetter(slice(_PERSON)))
        return [_person([_due(*row[_PERSON:]) for row in theirs], *person) for person, theirs in people]

    def next_due(self, after: datetime) -> datetime | None:
        with self._connections.read() as connection:
            found = connection.execute(self._sql["next_due"], {"after": to_ms(after)}).fetchone()[0]
        return from_ms(found) if found is not None else None

    def alerts_since(self, since: Mapping[int, datetime]) -> dict[int, int]:
        with self._connections.read() as connection:
            return {
                subscriber: connection.execute(
                    self._sql["alerts_since"], {"subscriber": subscriber, "since": to_ms(moment)}
                ).fetchone()[0]
                for subscriber, moment in since.items()
            }

    def realign(self, now: datetime, *, stepped_back: bool) -> int:
        latest = now + FURTHEST
        bounds = {
            "latest": to_ms(latest),
            "last_day": f"daily:{latest.date()}",
            "last_week": f"weekly:{latest:%G-W%V}",
        }
        with self._connections.read() as connection:
            ahead = connection.execute(self._sql["is_ahead"], {"latest": bounds["latest"]}).fetchone()[0]
        if not ahead and not stepped_back:
            return 0
        with self._connections.write() as connection:
            touched = connection.execute(self._sql["realign"], bounds).rowcount
            if stepped_back:
                touched += connection.execute(self._sql["realign_alerts"], {"now": to_ms(now)}).rowcount
                connection.execute(self._sql["realign_outbox"], {"now": to_ms(now)})
        return touched

    def profiles_of(self, subscriber: int) -> DueSubscriber:
        with self._connections.read() as connection:
            row = connection.execute(self._sql["subscriber"], {"pk": subscriber}).fetchone()
            if row is None:
                raise NotFound(f"no subscriber of number {subscriber}")
            return _person(
                [_due(*one) for one in connection.execute(self._sql["progress"], {"subscriber": subscriber})], *row
            )

    def announced(self, subscribers: Sequence[int], after: int) -> dict[int, dict[int, Announced]]:
        told: dict[int, dict[int, Announced]] = {subscriber: {} for subscriber in subscribers}
        with self._connections.read() as connection:
            asked = {"subscribers": json.dumps(list(told)), "after": after}
            for subscriber, paper, revision, cadence, profile in connection.execute(self._sql["announced"], asked):
                told[subscriber][paper] = Announced(revision, _CADENCES[cadence], profile)
        return told

    def revisions(self, pks: Sequence[int]) -> tuple[Paper, ...]:
        with self._connections.read() as connection:
            known = self._revisions(connection, set(pks))
        return tuple(known[pk] for pk in pks)

    def keep(self, snapshot: Snapshot) -> str:
        values = {"sha256": snapshot.sha256, "content": snapshot.to_json()}
        with self._connections.read() as connection:
            if connection.execute(self._sql["snapshot"], {"sha256": values["sha256"]}).fetchone():
                return values["sha256"]
        with self._connections.write() as connection:
            connection.execute(self._sql["keep_snapshot"], values)
        return values["sha256"]

    def snapshot(self, sha256: str) -> Snapshot:
        with self._connections.read() as connection:
            row = connection.execute(self._sql["snapshot"], {"sha256": sha256}).fetchone()
        if row is None:
            raise NotFound(f"no template snapshot {sha256}")
        return Snapshot.from_json(row["content"])

    def save(self, composed: Sequence[Composed], snapshot: str, now: datetime) -> Saved:
        try:  # a savepoint would keep each page as it was, a second time
            with self._connections.write(needs_room=True) as connection:
                return Saving(connection, self._sql, snapshot, now).whole(composed)
        except Overtaken:
            with self._connections.write(needs_room=True) as connection:
                return Saving(connection, self._sql, snapshot, now).each(composed)

    def load(self, pks: Sequence[int], token: Callable[[int, str], str]) -> dict[int, tuple[Edition, str]]:
        wanted = {"pks": json.dumps(list(pks))}
        with self._connections.read() as connection:
            cursor = connection.cursor()
            cursor.row_factory = None  # read by place: looking up each name costs more than the rest
            rows = cursor.execute(self._sql["editions"], wanted).fetchall()
            sections = cursor.execute(self._sql["sections"], wanted).fetchall()
            entries = cursor.execute(self._sql["entries"], wanted).fetchall()
            listed = {row[0]: tuple(json.loads(row[1])) for row in rows if row[1]}
            papers = self._revisions(connection, {row[2] for row in entries}.union(*listed.values()))
        if len(self._entries) > MOST_ENTRIES:
            self._entries = {}
        known = self._entries
        placed: defaultdict[tuple[int, int], list[Entry]] = defaultdict(list)
        for row in entries:
            said = row[2:]
            entry = known.get(said)
            if entry is None:
                entry = known[said] = _entry(papers[row[2]], *row[3:])
            placed[row[:2]].append(entry)
        parts: defaultdict[int, list[Section]] = defaultdict(list)
        for edition, profile, name, matched, below, excluded, alerted, elsewhere in sections:
            chosen = tuple(placed.get((edition, profile), ()))
            parts[edition].append(Section(name, chosen, matched, _left_out(below, excluded, alerted, elsewhere)))
        loaded = {}
        for pk, already, snapshot, letter, quiet, subscriber, email, name, timezone, *told in rows:
            id_, issue, cadence, at, considered = told
            loaded[pk] = (
                Edition(
                    id_,
                    issue,
                    _CADENCES[cadence],
                    _moment(at),
                    Reader(email, name, timezone, token(subscriber, email)),
                    tuple(parts.get(pk, ())),
                    considered,
                    letter_of(letter) if letter else None,
                    None if quiet is None else from_ms(quiet),
                    tuple([papers[revision] for revision in listed[pk]]) if already else (),
                ),
                snapshot,
            )
        return loaded

    def _revisions(self, connection: sqlite3.Connection, pks: set[int]) -> dict[int, Paper]:
        """Return what papers said, by revision. A revision never changes, so those of the day are kept."""
        known = self._read
        if len(known) + len(pks) > MOST_KEPT:
            known = self._read = {pk: known[pk] for pk in pks & known.keys()}
        missing = {"pks": json.dumps(sorted(pks - known.keys()))}
        known.update(
            (row["revision"], stored(row).paper) for row in connection.execute(self._sql["revisions"], missing)
        )
        return known

    def announcement(self, subscriber: int, paper: int) -> tuple[int, Entry] | None:
        with self._connections.read() as connection:
            found = {"subscriber": subscriber, "paper": paper}
            row = connection.execute(self._sql["announcement"], found).fetchone()
            if row is None:
                return None
            revision = connection.execute(self._sql["revisions"], {"pks": f"[{row['revision']}]"}).fetchone()
        return row["edition"], _entry(stored(revision).paper, *row[2:])


def _person(
    profiles: Sequence[DueProfile], pk: int, email: str, name: str, timezone: str, quiet_hours: str
) -> DueSubscriber:
    return DueSubscriber(pk, email, name, timezone, tuple(profiles), QuietHours.read(quiet_hours))


def _due(
    pk: int,
    name: str,
    spec: int,
    content: str,
    cadence: str,
    issue: str | None,
    horizon: int | None,
    due_at: int | None,
) -> DueProfile:
    moment = _moment(due_at) if due_at is not None else None
    return DueProfile(pk, spec, profile_of(name, content), _CADENCES[cadence], issue, horizon, moment)


@lru_cache(maxsize=16_384)
def _queries(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


@lru_cache(maxsize=64)  # the editions of a tick have one moment, and were due at one of a few
def _moment(ms: int) -> datetime:
    return from_ms(ms)


@lru_cache(maxsize=64)
def _left_out(below: int, excluded: int, alerted: int, elsewhere: int) -> LeftOut:
    return LeftOut(below, excluded, alerted, elsewhere)


def _entry(paper: Paper, place: str, score: float, standing: float, queries: str, moved: str) -> Entry:
    by = tuple((word, weight) for word, weight in json.loads(moved)) if moved else ()
    return Entry(paper, _queries(queries), score, _PLACES[place], standing, by)


def letter_content(letter: Letter) -> str:
    """Return a letter as the JSON in which it is kept."""
    return json.dumps(asdict(letter), ensure_ascii=False)


def letter_of(content: str) -> Letter:
    """Return the letter that `letter_content` wrote."""
    read = json.loads(content)
    return Letter(
        kind=LetterKind(read["kind"]),
        queries=tuple(read["queries"]),
        exclude=tuple(read["exclude"]),
        rhythm=read["rhythm"],
        token=read["token"],
        taste=tuple((title, url) for title, url in read["taste"]),
        found=tuple(read["found"]),
        over=tuple(read["over"]),
    )
