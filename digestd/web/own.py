"""What a reader's own pages show and change: profiles, past editions, all that is stored. Synchronous: in a thread."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from digestd.errors import NotFound, QueryError
from digestd.model import Origin, Profile, StoredPaper
from digestd.publish.render import render
from digestd.store.base import Past, Store, StoredSubscriber
from digestd.web.feed import Item, atom, merged
from digestd.web.sample import Sample
from digestd.web.subscription import Subscriptions
from digestd.web.wording import MAILED

SHOWN = 20  # past editions


@dataclass(frozen=True, slots=True)
class Known:
    """A reader with the profile that is shown, if they have any, what was composed for them, and their feed's token."""

    token: str
    stored: StoredSubscriber
    profile: Profile | None
    history: tuple[Past, ...]
    feed: str

    @property
    def may_change(self) -> bool:
        """Whether the profiles are the reader's to change: not those that the operator's file names."""
        return self.stored.origin is not Origin.FILE


class Own:
    """The readers of a store, each by the token of their mails. All raise NotFound for one that opens nothing."""

    def __init__(
        self, store: Store, clock: Callable[[], datetime], subscriptions: Subscriptions, sample: Sample
    ) -> None:
        self._store = store
        self._clock = clock
        self._subscriptions = subscriptions
        self._sample = sample

    def known(self, token: str, name: str = "") -> Known:
        """Return a reader with the profile of a name, or else the first."""
        stored = self._subscriptions.opened(token)
        profiles = stored.subscriber.profiles
        profile = next((one for one in profiles if one.name == name), profiles[0] if profiles else None)
        history = tuple(self._store.readers.history(stored.pk, SHOWN))
        return Known(token, stored, profile, history, self._subscriptions.feed_token(stored))

    def save(self, token: str, profile: Profile) -> Known:
        """Put a changed profile in the place of the one of its name."""
        stored = self._subscriptions.opened(token)
        profiles = [profile if one.name == profile.name else one for one in stored.subscriber.profiles]
        self._store.subscribers.follow(stored.pk, profiles)
        return self.known(token, profile.name)

    def feed(self, token: str) -> bytes:
        """Return the papers of a reader as a feed: those of their mails, and what came since, as their profiles are.

        The newest papers are looked through also for who paused because they prefer the feed.
        """
        stored = self._subscriptions.feed_of(token)
        numbers = [past.pk for past in self._store.readers.history(stored.pk, SHOWN)]
        loaded = self._store.editions.load(numbers, lambda subscriber, address: "")
        mailed = [
            Item(entry.paper, entry.queries, edition.composed_at)
            for edition, _ in loaded.values()
            for section in edition.sections
            for entry in section.entries
        ]
        profiles = stored.subscriber.profiles if stored.subscriber.state in MAILED else ()
        fresh = [Item(one.paper, queries, one.ingested_at) for each in profiles for one, queries in self._found(each)]
        return atom(token, merged(mailed, fresh), self._clock())

    def _found(self, profile: Profile) -> list[tuple[StoredPaper, tuple[str, ...]]]:
        """Return what a profile finds among the newest papers; nothing for one that no longer parses."""
        with contextlib.suppress(QueryError):
            return self._sample.found(profile)
        return []

    def export(self, token: str) -> Mapping[str, Any]:
        """Return all that is stored about a reader."""
        return self._store.readers.export(self._subscriptions.opened(token).pk)

    def forget(self, token: str) -> None:
        """Take a reader out of the store."""
        self._store.readers.forget(self._subscriptions.opened(token).pk, self._clock())

    def edition(self, token: str, id: str) -> str:
        """Return the HTML of an edition as it was sent."""
        number = self._store.readers.edition(self._subscriptions.opened(token).pk, id)
        loaded = self._store.editions.load([number], lambda subscriber, address: token)
        if number not in loaded:
            raise NotFound(f"no edition {id}")
        edition, sha256 = loaded[number]
        return render(edition, self._store.editions.snapshot(sha256)).html
