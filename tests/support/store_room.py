"""A real store in a folder, with people and papers put into it in one line each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, time
from pathlib import Path

from support.editions import SENDER

from digestd.model import Edition, Origin, Paper, Profile, Snapshot, Subscriber, SubscriberState, Weekday, WeightedQuery
from digestd.publish.stage import PublishReport, publish
from digestd.publish.tokens import unsubscribe_token
from digestd.store.base import DigestFile, Roster
from digestd.store.open import SqliteStore

SNAPSHOT = Snapshot({"mail/page.html.j2": "page"}, SENDER)  # publishing keeps it and reads nothing in it
MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
EVERY_DAY = tuple(Weekday)


def profile(name: str = "Agents", *queries: str, **values: object) -> Profile:
    """Return a daily profile at 08:00 UTC that asks for `agent` unless told otherwise."""
    return replace(Profile(name, tuple(map(WeightedQuery, queries or ("agent",)))), **values)  # type: ignore[arg-type]


def work(number: int, words: str = "agent", **values: object) -> Paper:
    """Return a paper whose title is `words` and its number."""
    return replace(Paper(f"arXiv:2611.{number:05}", f"{words} {number}"), **values)  # type: ignore[arg-type]


class StoreRoom:
    """The store with the few things that tests of publishing do to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = SqliteStore(path)
        self._files = 0

    def ingest(self, papers: Iterable[Paper], now: datetime = MONDAY) -> None:
        """Take papers as one digest file."""
        self._files += 1
        name = f"{id(self)}-{self._files}.txt"
        self.store.papers.add_file(
            DigestFile(name, "test", 1, hashlib.sha256(name.encode()).hexdigest()), papers, lambda: 0, now
        )

    def subscribe(self, email: str, *profiles: Profile, now: datetime = MONDAY) -> int:
        """Add a person, or put profiles to those they have; returns their number."""
        return self.store.subscribers.add(Subscriber(email, profiles=profiles), Origin.OPERATOR, now).pk

    def people(self, *people: Subscriber, now: datetime = MONDAY) -> None:
        """Make the people of the file these."""
        self.store.subscribers.sync(Roster(people, {}, frozenset(), complete=True), now)

    def state(self, email: str, state: SubscriberState, now: datetime = MONDAY) -> None:
        """Change a person's state by the operator's hand."""
        self.store.subscribers.set_state(email, state, Origin.OPERATOR, now)

    def publish(self, now: datetime = MONDAY) -> PublishReport:
        """Publish what is due."""
        return publish(self.store, SNAPSHOT, now)

    def editions(self, email: str | None = None) -> list[Edition]:
        """Return every edition, or a person's, in the order of composing."""
        pks = [row.edition for row in self.store.outbox.rows(None, 1_000_000)]
        key = self.store.editions.key()
        loaded = self.store.editions.load(pks, lambda subscriber, address: unsubscribe_token(key, subscriber, address))
        return [one for _, (one, _) in sorted(loaded.items()) if email in (None, one.reader.email)]

    def told(self, email: str) -> list[tuple[str, list[str]]]:
        """Return each edition of a person as its issue and the ids of its papers, in order."""
        return [(one.issue, ids(one)) for one in self.editions(email)]


@contextmanager
def opened(path: Path) -> Iterator[StoreRoom]:
    """Open a store, or make it, and close it at the end."""
    room = StoreRoom(path)
    try:
        yield room
    finally:
        room.store.close()


def ids(edition: Edition) -> list[str]:
    """Return the ids of an edition's papers, in order."""
    return [entry.paper.id for section in edition.sections for entry in section.entries]


def named(*numbers: int) -> list[str]:
    """Return the ids of papers made by `work`."""
    return [work(number).id for number in numbers]


def at(day: int, hour: int = 9, minute: int = 0, month: int = 11) -> datetime:
    """Return a moment of November 2026, in UTC; the 23rd is a Monday."""
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def hour(text: str) -> time:
    """Return `08:00` as a time."""
    return time.fromisoformat(text)
