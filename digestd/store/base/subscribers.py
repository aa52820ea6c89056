"""What may be asked about people and their profiles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from digestd.model import Origin, Profile, Subscriber, SubscriberState


@dataclass(frozen=True, slots=True)
class StoredSubscriber:
    """A subscriber with its number, and who put it there and into its state.

    `has_left` says that they asked to leave. Of somebody suppressed, not yet confirmed, or removed by the operator
    that wish is kept beside the state, so that to take it back undoes nothing else.
    """

    pk: int
    subscriber: Subscriber
    state_by: Origin
    origin: Origin
    has_left: bool = False
    paused_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a synchronisation with the subscribers file changed, in subscribers."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class Roster:
    """The people of the subscribers file, as far as they could be read.

    Of a profile that was refused (by address and name) and of a person who was (by address), the last good
    version stays. `complete` is False when an entry could not even be told whose it is: then nobody is removed.
    """

    people: tuple[Subscriber, ...]
    refused_profiles: Mapping[str, frozenset[str]]
    refused_people: frozenset[str]
    complete: bool


class Subscribers(Protocol):
    """The people and their profiles."""

    def sync(self, roster: Roster, now: datetime) -> SyncReport:
        """Make the store's people of origin `file` equal to the roster's.

        People whom it no longer names are unsubscribed. Whoever left by their own wish stays unsubscribed.
        """

    def add(self, subscriber: Subscriber, origin: Origin, now: datetime) -> StoredSubscriber:
        """Add a subscriber, or their profiles to those they have.

        A paused person stays paused unless it is the reader who asks. Raises NotAllowed for one who left.
        """

    def restore(self, people: Iterable[StoredSubscriber], now: datetime) -> int:
        """Take over people as another store knew them: their states, who set these, and where they came from.

        All in one transaction; their numbers are given anew. Of somebody who is known only the profiles they lack
        are added, and a wish to leave or a suppression is taken over, unless the reader's own word stands against
        it here. Returns how many were not known.
        """

    def set_state(
        self, address: str, state: SubscriberState, by: Origin, now: datetime, until: datetime | None = None
    ) -> StoredSubscriber:
        """Change a subscriber's state, or keep a reader's wish to leave beside a state in which nothing is sent anyway.

        A pause ends by itself at `until`, or without it never.
        Raises NotFound, and NotAllowed for a way back that is not the asker's to open: who left by their own wish is
        brought back by nobody else, and a reader undoes their own leaving and no suppression, operator's removal or
        missing confirmation. To remove such a person once more changes nothing.
        """

    def wake(self, now: datetime) -> int:
        """End the pauses whose time is over. Returns how many; what they missed is due to them at once."""

    def follow(self, pk: int, profiles: Sequence[Profile]) -> StoredSubscriber:
        """Make these the profiles of a subscriber, whatever their state. Raises NotFound."""

    def find(self, address: str) -> StoredSubscriber:
        """Return a subscriber by address, however it is written. Raises NotFound, naming the nearest known."""

    def all(self) -> Iterator[StoredSubscriber]:
        """Return every subscriber by address."""

    def search(self, said: str, after: str, limit: int) -> list[StoredSubscriber]:
        """Return people whose address or name holds `said`, in the order of addresses, those after one of them.

        Everybody where nothing is said; nobody who asked to be forgotten.
        """

    def numbered(self, pk: int) -> StoredSubscriber:
        """Return a subscriber by number. Raises NotFound."""
