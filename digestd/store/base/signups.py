"""What may be asked about sign-ups: what somebody wants to follow, until the owner of the address confirms it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from digestd.letters import Letter
from digestd.model import Profile

VALID_FOR = timedelta(hours=72)  # from the question to the answer
KEPT_FOR = timedelta(days=30)  # of who never answers: as long as the questions of a month are counted


@dataclass(frozen=True, slots=True)
class Limits:
    """How many questions are sent: each mailbox one a day and three a month, and these for others.

    `network` counts in an hour, `domain` and `everybody` in a day.
    """

    network: int
    domain: int
    everybody: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What the subscribe page was sent, checked. `mailbox` is where mail to `email` arrives."""

    email: str
    mailbox: str
    network: str
    profile: Profile


@dataclass(frozen=True, slots=True)
class Signup:
    """A sign-up as it is kept. `is_open` says that it may still be confirmed."""

    pk: int
    subscriber: int
    email: str
    profile: Profile
    is_open: bool
    is_confirmed: bool


class Signups(Protocol):
    """What was asked for on the subscribe page."""

    def too_many(self, asked: Asked, limits: Limits, now: datetime) -> bool:
        """Return whether a limit is reached that does not tell of this one address: network, domain or everybody."""

    def ask(
        self,
        asked: Asked,
        letter: Callable[[int], Letter],
        edition: Callable[[int, str], str],
        snapshot: str,
        now: datetime,
    ) -> int | None:
        """Keep a sign-up, and the question to the owner of the address in the outbox; returns its number.

        None, and nothing is kept, where that mailbox was asked enough, or must not be asked: suppressed, removed by
        the operator, or because its owner said so. `letter` makes the question of the sign-up's number, `edition` an
        edition's id of subscriber and issue. A newer sign-up of a subscriber closes the older ones.
        """  # fmt: skip

    def find(self, pk: int, now: datetime) -> Signup:
        """Return a sign-up by number. Raises NotFound."""

    def confirm(
        self, pk: int, letter: Letter, edition: Callable[[int, str], str], snapshot: str, now: datetime
    ) -> Signup:
        """Make the subscriber active with the profile they confirm, and put a welcome into the outbox.

        A sign-up that is closed changes nothing. Raises NotFound, and NotAllowed for somebody suppressed or removed
        by the operator.
        """

    def refuse(self, pk: int, now: datetime) -> None:
        """Close a sign-up, and never again ask the owner of its address."""

    def stale(self, now: datetime, limit: int) -> list[int]:
        """Return people who were asked more than KEPT_FOR ago and have said nothing since, to be forgotten.

        Who said not to be asked again is none of them: that wish must be kept.
        """
