"""Signing up: what was typed is kept, its owner is asked by mail, and their yes makes a profile of it.

Synchronous: called in a thread. Whom the store knows already is asked in the same way as a stranger, and whether
anybody was asked at all is never told.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from digestd.errors import NotAllowed, NotFound
from digestd.letters import Letter, LetterKind
from digestd.model import Profile, Snapshot
from digestd.publish.letter import rhythm
from digestd.publish.tokens import confirm_token, edition_id, read_unsubscribe_token, unsubscribe_token
from digestd.store.base import Asked, Limits, Signup, Store
from digestd.web.networks import Address, mailbox_of
from digestd.web.sample import Sample

_LARGEST_NUMBER = 2**63 - 1
_TASTED = 3  # titles in a welcome; the first digest holds all


@dataclass(frozen=True, slots=True)
class Opening:
    """How sign-ups are taken: with which templates and sender, within which limits, behind which proxies.

    `zone` and `at` stand in the form at first; `woken` is called when there is something to send.
    """

    snapshot: Callable[[], Snapshot]
    limits: Limits
    trusted: Collection[Address] = ()
    zone: str = "UTC"
    at: str = "08:00"
    woken: Callable[[], None] = lambda: None


class Signing:
    """The sign-ups of a store, as their pages make and answer them."""

    def __init__(self, store: Store, clock: Callable[[], datetime], opening: Opening, sample: Sample) -> None:
        self._store = store
        self._clock = clock
        self._opening = opening
        self._sample = sample

    def ask(self, email: str, profile: Profile, network: str) -> bool:
        """Keep a sign-up and have its owner asked, where that may be; False when too many came from there.

        Raises StoreError, and TemplateError for templates that cannot be kept.
        """
        asked = Asked(email, mailbox_of(email), network, profile)
        now = self._clock()
        if self._store.signups.too_many(asked, self._opening.limits, now):
            return False
        snapshot = self._store.editions.keep(self._opening.snapshot())
        key = self._store.editions.key()

        def letter(signup: int) -> Letter:
            token = confirm_token(key, signup, email, profile)
            return self._letter(LetterKind.CONFIRM, profile, token)

        self._store.signups.ask(asked, letter, _edition(key), snapshot, now)
        return True

    def opened(self, token: str) -> Signup:
        """Return the sign-up that a token opens, closed or not. Raises NotFound."""
        parts = read_unsubscribe_token(token)
        if parts is None or parts.subscriber > _LARGEST_NUMBER:
            raise NotFound("this is no token")
        signup = self._store.signups.find(parts.subscriber, self._clock())
        made = confirm_token(self._store.editions.key(), signup.pk, signup.email, signup.profile)
        if not hmac.compare_digest(made.encode(), token.encode("utf-8", "replace")):
            raise NotFound("this token was not made by this store")
        return signup

    def confirm(self, token: str) -> tuple[Signup, str]:
        """Make a sign-up's profile real; returns it and the token of the reader's own page, empty where it was not.

        Once more changes nothing. Raises NotFound, StoreError.
        """
        signup = self.opened(token)
        key = self._store.editions.key()
        if signup.is_open:
            cards = [sight.card for sight in self._sample.taste(signup.profile).cards[:_TASTED]]
            titles = tuple(("".join(run.text for run in card.title), card.url) for card in cards)
            letter = self._letter(LetterKind.WELCOME, signup.profile, "", titles)
            snapshot = self._store.editions.keep(self._opening.snapshot())
            try:
                self._store.signups.confirm(signup.pk, letter, _edition(key), snapshot, self._clock())
            except NotAllowed:
                return signup, ""
        elif not signup.is_confirmed:
            return signup, ""
        return signup, unsubscribe_token(key, signup.subscriber, signup.email)

    def refuse(self, token: str) -> Signup:
        """Never ask the owner of this sign-up's address again. Raises NotFound, StoreError."""
        signup = self.opened(token)
        if not signup.is_confirmed:
            self._store.signups.refuse(signup.pk, self._clock())
        return signup

    @staticmethod
    def _letter(kind: LetterKind, profile: Profile, token: str, taste: tuple[tuple[str, str], ...] = ()) -> Letter:
        queries = tuple(query.query for query in profile.queries)
        return Letter(kind, queries, profile.exclude, rhythm(profile), token, taste)


def _edition(key: bytes) -> Callable[[int, str], str]:
    return lambda subscriber, issue: edition_id(key, subscriber, issue, ())
