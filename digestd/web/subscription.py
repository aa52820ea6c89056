"""A reader's own subscription, opened by the token in their mail. Synchronous: it is called in a thread.

A token that opens nothing is NotFound, whoever it names.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from digestd.errors import NotAllowed, NotFound
from digestd.model import Origin
from digestd.publish.tokens import feed_token, read_unsubscribe_token
from digestd.store.base import Store, StoredSubscriber
from digestd.web.choices import PAUSE, Choice, lighter, next_state, offered

_LARGEST_NUMBER = 2**63 - 1  # of a row in SQLite and PostgreSQL; a token's 19 digits can say more


@dataclass(frozen=True, slots=True)
class Made:
    """What became of a choice: the subscriber as they are now, and whether the choice was theirs to make."""

    subscriber: StoredSubscriber
    allowed: bool


class Subscriptions:
    """The subscriptions of a store, as far as their readers may see and change them."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        # Without it a pause that was decided on just before an unsubscription could be written just after it.
        self._turn = threading.Lock()

    def opened(self, token: str) -> StoredSubscriber:
        """Return whom a token belongs to. Raises NotFound for one that is not whole or names nobody; StoreError."""
        parts = read_unsubscribe_token(token)
        if parts is None or parts.subscriber > _LARGEST_NUMBER:
            raise NotFound("this is no token")
        stored = self._store.subscribers.numbered(parts.subscriber)
        if not parts.check(self._store.editions.key(), stored.subscriber.email):
            raise NotFound("this token was not made by this store")
        return stored

    def feed_of(self, token: str) -> StoredSubscriber:
        """Return whose feed a token opens. Raises as `opened` does."""
        parts = read_unsubscribe_token(token)
        if parts is None or parts.subscriber > _LARGEST_NUMBER:
            raise NotFound("this is no token")
        stored = self._store.subscribers.numbered(parts.subscriber)
        if not hmac.compare_digest(self.feed_token(stored).encode(), token.encode()):
            raise NotFound("this token opens no feed of this store")
        return stored

    def feed_token(self, stored: StoredSubscriber) -> str:
        """Return the token that opens a reader's feed."""
        return feed_token(self._store.editions.key(), stored.pk, stored.subscriber.email)

    def choose(self, token: str, choice: Choice) -> Made:
        """Make a reader's choice, durably; again and again gives the same.

        Raises NotFound as `opened` does, StoreBusy and StoreError.
        """
        with self._turn:
            stored = self.opened(token)
            state = next_state(choice, stored.subscriber.state, stored.state_by)
            if state is None:
                return Made(stored, allowed=False)
            address, now = stored.subscriber.email, self._clock()
            if choice in (Choice.WEEKLY, Choice.FEWER):
                if choice not in offered(stored):
                    return Made(stored, allowed=False)
                profiles = lighter(choice, stored.subscriber.profiles)
                return Made(self._store.subscribers.follow(stored.pk, profiles), allowed=True)
            until = now + PAUSE if choice is Choice.PAUSE else None
            try:
                after = self._store.subscribers.set_state(address, state, Origin.READER, now, until)
            except NotAllowed:  # another process has suppressed or removed them since they were read
                return Made(self.opened(token), allowed=False)
            return Made(after, allowed=True)
