"""People and profiles in SQLite."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, time
from difflib import get_close_matches
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from digestd.errors import NotAllowed, NotFound
from digestd.model import (
    Cadence,
    Origin,
    Profile,
    QuietHours,
    Subscriber,
    SubscriberState,
    Weekday,
    WeightedQuery,
    canonical_address,
)
from digestd.store.base import Roster, StoredSubscriber, SyncReport
from digestd.store.sql import statements
from digestd.store.sqlite import Connections, from_ms, to_ms

PAGE = 1_000  # people read at a time by `all`
Row = sqlite3.Row | dict[str, Any]
LEFT = (SubscriberState.UNSUBSCRIBED, SubscriberState.SUPPRESSED)


def spec_of(profile: Profile) -> str:
    """Return a profile's content, all but its name, as canonical JSON."""
    content = {
        "queries": [[query.query, query.weight] for query in profile.queries],
        "exclude": profile.exclude,
        "alert": profile.alert,
        "cadence": profile.cadence,
        "at": profile.at.isoformat("minutes"),
        "days": profile.days,
        "timezone": profile.timezone,
        "max_papers": profile.max_papers,
        "min_score": profile.min_score,
        "send_empty": profile.send_empty,
        "learning": profile.learning,
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


@lru_cache(maxsize=4096)  # many follow the same, and a reader's pages ask for theirs again and again
def profile_of(name: str, spec: str) -> Profile:
    """Return the profile of a name and what `spec_of` wrote."""
    content, _ = _read(spec)
    return Profile(
        name=name,
        queries=tuple([_weighted(query, weight) for query, weight in content["queries"]]),
        exclude=tuple(content["exclude"]),
        alert=tuple(content["alert"]),
        cadence=_CADENCES[content["cadence"]],
        at=time.fromisoformat(content["at"]),
        days=_days(tuple(content["days"])),
        timezone=content["timezone"],
        max_papers=content["max_papers"],
        min_score=content["min_score"],
        send_empty=content["send_empty"],
        learning=content.get("learning", True),
    )


_read = json.JSONDecoder().raw_decode  # json.loads looks at what it is given first, and for blanks around it
_CADENCES = MappingProxyType({str(cadence): cadence for cadence in Cadence})
_weighted = lru_cache(maxsize=16_384)(WeightedQuery)  # of many people, and so of many contents


@lru_cache(maxsize=256)
def _days(names: tuple[str, ...]) -> tuple[Weekday, ...]:
    return tuple(map(Weekday, names))


def cadences(profile: Profile) -> tuple[Cadence, ...]:
    """Return the cadences a profile is published in: its own, and `immediate` for its alert queries."""
    return tuple(dict.fromkeys((profile.cadence, Cadence.IMMEDIATE))) if profile.alert else (profile.cadence,)


class SqliteSubscribers:
    """The `Subscribers` of a SQLite store."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._sql = statements("subscribers")

    def sync(self, roster: Roster, now: datetime) -> SyncReport:
        added = changed = unchanged = 0
        with self._connections.write() as connection:
            named = set(roster.refused_people)
            for person in roster.people:
                address = canonical_address(person.email)
                named.add(address)
                # One by one: of a million people of the web the file may name three.
                row = connection.execute(self._sql["by_address"], {"address": address}).fetchone()
                if row is None:
                    pk = self.insert(connection, person, Origin.FILE, now)
                    self.put_profiles(connection, pk, person.profiles, ())
                    added += 1
                    continue
                touched = self._update(connection, row, person, now)
                kept = roster.refused_profiles.get(address, frozenset())
                had = connection.execute(self._sql["profiles_of"], {"subscriber": row["pk"]}).fetchall()
                touched |= self.put_profiles(connection, row["pk"], person.profiles, had, kept)
                changed += touched
                unchanged += not touched
            removed = self._remove(connection, named, now) if roster.complete else 0
        return SyncReport(added, changed, removed, unchanged)

    def add(self, subscriber: Subscriber, origin: Origin, now: datetime) -> StoredSubscriber:
        with self._connections.write() as connection:
            address = canonical_address(subscriber.email)
            row = connection.execute(self._sql["by_address"], {"address": address}).fetchone()
            if row is None:
                pk = self.insert(connection, subscriber, origin, now)
                had: list[sqlite3.Row] = []
            else:
                pk = row["pk"]
                self._allow(row, SubscriberState.ACTIVE, origin)
                had = connection.execute(self._sql["profiles_of"], {"subscriber": pk}).fetchall()
                rests = row["state"] == SubscriberState.PAUSED and origin is not Origin.READER
                if row["state"] != SubscriberState.ACTIVE and not rests:
                    self._set_state(connection, pk, SubscriberState.ACTIVE, origin, now)
            kept = {row["name"] for row in had} - {profile.name for profile in subscriber.profiles}
            self.put_profiles(connection, pk, subscriber.profiles, had, kept, behind=len(had))
        return self.numbered(pk)

    def restore(self, people: Iterable[StoredSubscriber], now: datetime) -> int:
        added = 0
        with self._connections.write() as connection:
            for one in people:
                person = one.subscriber
                address = canonical_address(person.email)
                row = connection.execute(self._sql["by_address"], {"address": address}).fetchone()
                if row is None:
                    pk, had = self.insert(connection, person, one.state_by, now, one), []
                    added += 1
                else:
                    pk = row["pk"]
                    had = connection.execute(self._sql["profiles_of"], {"subscriber": pk}).fetchall()
                    self._take_over_state(connection, row, one, now)
                names = {profile["name"] for profile in had}
                lacking = tuple(profile for profile in person.profiles if profile.name not in names)
                self.put_profiles(connection, pk, lacking, had, names, behind=len(had))
        return added

    def _take_over_state(
        self, connection: sqlite3.Connection, row: sqlite3.Row, one: StoredSubscriber, now: datetime
    ) -> None:
        """Of what another store knows of a known person's state, take what keeps mail away from them."""
        state, by, left_at = row["state"], row["state_by"], row["left_at"]
        if one.has_left and left_at is None and by != Origin.READER:
            left_at = to_ms(now)
            if not _is_barred(row):
                state, by = SubscriberState.UNSUBSCRIBED, Origin.READER
        if one.subscriber.state is SubscriberState.SUPPRESSED and state != SubscriberState.SUPPRESSED:
            state, by = one.subscriber.state, one.state_by
        if (state, by, left_at) != (row["state"], row["state_by"], row["left_at"]):
            values = {"pk": row["pk"], "state": state, "by": by, "left_at": left_at, "now": to_ms(now), "until": None}
            connection.execute(self._sql["set_state_and_wish"], values)

    def set_state(
        self, address: str, state: SubscriberState, by: Origin, now: datetime, until: datetime | None = None
    ) -> StoredSubscriber:
        pk = self.find(address).pk

        def change(connection: sqlite3.Connection) -> None:
            row = connection.execute(self._sql["by_pk"], {"pk": pk}).fetchone()
            self._allow(row, state, by)
            leaves, left_at = state is SubscriberState.UNSUBSCRIBED, row["left_at"]
            if by is Origin.READER:
                left_at = (left_at or to_ms(now)) if leaves else None
            # Who gets nothing anyway does so for the same reason as before: another name would undo that one.
            stays = leaves and (_is_barred(row) if by is Origin.READER else _is_away(row))
            state_by = (row["state"], row["state_by"]) if stays else (state, by)
            ends = to_ms(until) if until and state is SubscriberState.PAUSED else None
            if (*state_by, left_at, ends) != (row["state"], row["state_by"], row["left_at"], row["paused_until"]):
                values = {"pk": pk, "state": state_by[0], "by": state_by[1], "left_at": left_at, "now": to_ms(now)}
                connection.execute(self._sql["set_state_and_wish"], {**values, "until": ends})

        self._connections.settle(change)
        return self.numbered(pk)

    def wake(self, now: datetime) -> int:
        with self._connections.read() as connection:  # nobody is, at nearly every tick: no lock is taken for that
            if not connection.execute(self._sql["rested"], {"now": to_ms(now)}).fetchone()[0]:
                return 0
        with self._connections.write() as connection:
            return connection.execute(self._sql["wake"], {"now": to_ms(now)}).rowcount

    def follow(self, pk: int, profiles: Sequence[Profile]) -> StoredSubscriber:
        with self._connections.write() as connection:
            had = connection.execute(self._sql["profiles_of"], {"subscriber": pk}).fetchall()
            self.put_profiles(connection, pk, tuple(profiles), had)
        return self.numbered(pk)

    def find(self, address: str) -> StoredSubscriber:
        with self._connections.read() as connection:
            row = connection.execute(self._sql["by_address"], {"address": canonical_address(address)}).fetchone()
            if row is None:
                known = [row[0] for row in connection.execute(self._sql["addresses"])]
                guess = get_close_matches(canonical_address(address), known, n=1)
                raise NotFound(f"no subscriber {address}{f'; did you mean {guess[0]}?' if guess else ''}")
            return _stored(row, connection.execute(self._sql["profiles_of"], {"subscriber": row["pk"]}))

    def numbered(self, pk: int) -> StoredSubscriber:
        with self._connections.read() as connection:
            row = connection.execute(self._sql["by_pk"], {"pk": pk}).fetchone()
            if row is None:
                raise NotFound(f"no subscriber of number {pk}")
            return _stored(row, connection.execute(self._sql["profiles_of"], {"subscriber": row["pk"]}))

    def all(self) -> Iterator[StoredSubscriber]:
        after: str | None = ""
        while after is not None:
            people, after = self._page(self._sql["page"], {"after": after, "limit": PAGE})
            yield from people

    def search(self, said: str, after: str, limit: int) -> list[StoredSubscriber]:
        return self._page(
            self._sql["search"], {"said": said.casefold(), "after": canonical_address(after), "limit": limit}
        )[0]

    def _page(self, statement: str, values: dict[str, Any]) -> tuple[list[StoredSubscriber], str | None]:
        """Return some people by address, and the last one's address; None after the end."""
        with self._connections.tables() as tables:
            rows = list(tables.query(statement, values))
            numbers = {"subscribers": json.dumps([row["pk"] for row in rows])}
            profiles: dict[int, list[dict[str, Any]]] = {}
            for profile in tables.query(self._sql["profiles_of_page"], numbers):
                profiles.setdefault(profile["subscriber"], []).append(profile)
        people = [_stored(row, profiles.get(row["pk"], ())) for row in rows]
        return people, rows[-1]["address"] if rows else None

    def insert(
        self,
        connection: sqlite3.Connection,
        person: Subscriber,
        by: Origin,
        now: datetime,
        known: StoredSubscriber | None = None,
    ) -> int:
        """Write a new person within a transaction; returns their number.

        What else another store has `known` of them comes along.
        """
        until = known.paused_until if known else None
        values = {
            "address": canonical_address(person.email),
            "email": person.email,
            "name": person.name,
            "timezone": person.timezone,
            "quiet_hours": str(person.quiet_hours or ""),
            "state": person.state,
            "by": by,
            "origin": known.origin if known else by,
            "left_at": to_ms(now) if known and known.has_left else None,
            "until": to_ms(until) if until else None,
            "now": to_ms(now),
        }
        return int(connection.execute(self._sql["insert"], values).fetchone()[0])

    def _update(self, connection: sqlite3.Connection, row: sqlite3.Row, person: Subscriber, now: datetime) -> bool:
        """Take over what the file says of a known person; returns whether that changed anything."""
        touched = False
        quiet = str(person.quiet_hours or "")
        who = {"email": person.email, "name": person.name, "timezone": person.timezone, "quiet_hours": quiet}
        said = {**who, "origin": Origin.FILE}
        if any(row[key] != value for key, value in said.items()):
            connection.execute(self._sql["update"], {**said, "pk": row["pk"], "now": to_ms(now)})
            touched = True
        removed = row["state"] == SubscriberState.UNSUBSCRIBED and row["state_by"] == Origin.FILE
        if row["left_at"] is None and (removed or row["state"] == SubscriberState.PENDING):
            self._set_state(connection, row["pk"], SubscriberState.ACTIVE, Origin.FILE, now)
            touched = True
        return touched

    def _remove(self, connection: sqlite3.Connection, named: set[str], now: datetime) -> int:
        gone = [row["pk"] for row in connection.execute(self._sql["of_file"]) if row["address"] not in named]
        for pk in gone:
            self._set_state(connection, pk, SubscriberState.UNSUBSCRIBED, Origin.FILE, now)
        return len(gone)

    def put_profiles(
        self,
        connection: sqlite3.Connection,
        subscriber: int,
        profiles: tuple[Profile, ...],
        had: Iterable[sqlite3.Row],
        kept: frozenset[str] | set[str] = frozenset(),
        behind: int = 0,
    ) -> bool:
        """Make a person's active profiles those `kept` and these, whose places are counted from `behind` on.

        Returns whether that changed anything.
        """
        before = {row["name"]: row for row in had}
        touched = False
        for position, profile in enumerate(profiles, behind):
            row, content = before.pop(profile.name, None), spec_of(profile)
            if row is not None and row["content"] == content and row["position"] == position:
                continue
            touched = True
            spec = self.put_spec(connection, profile)
            values = {"subscriber": subscriber, "name": profile.name, "spec": spec, "position": position}
            pk = connection.execute(self._sql["put_profile"], values).fetchone()[0]
            wanted = cadences(profile)
            former = profile_of(profile.name, row["content"]).cadence if row is not None else None
            for cadence in wanted:  # due at once: publishing then finds out whether an issue is open
                due_at = None if cadence is Cadence.IMMEDIATE else 0
                replaced = former if cadence is profile.cadence else None
                progress = {"profile": pk, "cadence": cadence, "before": replaced, "due_at": due_at}
                connection.execute(self._sql["put_progress"], progress)
            connection.execute(self._sql["drop_progress"], {"profile": pk, "first": wanted[0], "second": wanted[-1]})
        for name, row in before.items():
            if name not in kept:
                connection.execute(self._sql["retire_profile"], {"pk": row["pk"]})
                touched = True
        return touched

    def put_beside(self, connection: sqlite3.Connection, pk: int, profile: Profile) -> None:
        """Put a profile behind those a person has, or in the place of the one of its name."""
        had = connection.execute(self._sql["profiles_of"], {"subscriber": pk}).fetchall()
        kept = {row["name"] for row in had} - {profile.name}
        self.put_profiles(connection, pk, (profile,), had, kept, behind=len(had))

    def put_instead(self, connection: sqlite3.Connection, pk: int, name: str, profile: Profile) -> None:
        """Put a content in the place of what a person's profile of a name has; without queries it is retired."""
        had = connection.execute(self._sql["profiles_of"], {"subscriber": pk}).fetchall()
        kept = [profile_of(row["name"], row["content"]) for row in had]
        named = (replace(profile, name=name) if one.name == name else one for one in kept)
        self.put_profiles(connection, pk, tuple(one for one in named if one.queries or one.alert), had)

    def put_spec(self, connection: sqlite3.Connection, profile: Profile) -> int:
        """Return the number of a profile's content, which all who follow the same share."""
        content = spec_of(profile)
        spec = {"digest": _digest(content), "content": content}
        row = connection.execute(self._sql["spec"], spec).fetchone()
        return int((row or connection.execute(self._sql["insert_spec"], spec).fetchone())[0])

    def _allow(self, row: sqlite3.Row, state: SubscriberState, by: Origin) -> None:
        """Raise NotAllowed for a way back that is not `by`'s to open."""
        if state in LEFT:
            return
        if row["state"] == SubscriberState.SUPPRESSED:
            raise NotAllowed(f"{row['email']} is suppressed: mail to it bounced or drew a complaint")
        if by is Origin.READER and _is_barred(row):
            raise NotAllowed(f"{row['email']} was removed by the operator, or never confirmed")
        if by is not Origin.READER and _is_away(row):
            raise NotAllowed(f"{row['email']} asked to leave; only they can come back")

    def _set_state(
        self, connection: sqlite3.Connection, pk: int, state: SubscriberState, by: Origin, now: datetime
    ) -> None:
        values = {"pk": pk, "state": state, "by": by, "now": to_ms(now)}
        connection.execute(self._sql["set_state"], values)


def _stored(row: Row, profiles: Iterable[Row]) -> StoredSubscriber:
    named = tuple(profile_of(profile["name"], profile["content"]) for profile in profiles)
    state = SubscriberState(row["state"])
    quiet = QuietHours.read(row["quiet_hours"])
    person = Subscriber(row["email"], row["name"], row["timezone"], named, state, quiet)
    has_left = row["left_at"] is not None
    until = from_ms(row["paused_until"]) if row["paused_until"] is not None else None
    return StoredSubscriber(row["pk"], person, Origin(row["state_by"]), Origin(row["origin"]), has_left, until)


def _is_away(row: sqlite3.Row) -> bool:
    """Return whether the operator cannot bring this person back: they asked to leave, or mail to them is refused."""
    return row["left_at"] is not None or row["state"] == SubscriberState.SUPPRESSED


def _is_barred(row: sqlite3.Row) -> bool:
    """Return whether nothing is sent for another's reason than the reader's own, which the reader cannot undo."""
    removed = row["state"] == SubscriberState.UNSUBSCRIBED and row["state_by"] != Origin.READER
    return removed or row["state"] in (SubscriberState.SUPPRESSED, SubscriberState.PENDING)


def _digest(content: str) -> int:
    """Return eight octets of a content's SHA-256 as SQLite keeps an integer. Two contents may share them."""
    return int.from_bytes(hashlib.sha256(content.encode()).digest()[:8], "big", signed=True)
