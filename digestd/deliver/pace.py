"""How many connections a relay gets, and which domains are given a rest. Pure: no clock and no I/O.

Both learn the way TCP does: a little more after success, half after trouble (Chiu and Jain 1989), and faster before the
first one (slow start, Jacobson 1988). What a relay says of one recipient's domain must hold up neither the relay nor
the readers of another domain.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

FIRST = 4  # connections to begin with, where so many are allowed
SLOW_START = 8  # messages accepted in a row for each further connection, until the first trouble
ACCEPTED_FOR_MORE = 50  # the same after it: each try may be one too many again

TROUBLES = 3  # temporary refusals of a domain in a row: one may be greylisting, or a mailbox that is full
FIRST_REST = timedelta(seconds=60)
LONGEST_REST = timedelta(minutes=30)
MOST_DOMAINS = 10_000  # in trouble at once; past that the oldest trouble is forgotten


@dataclass(slots=True)
class Pace:
    """How many connections one relay gets, of at most `most`."""

    most: int
    allowed: int = field(init=False)
    _for_more: int = SLOW_START
    _accepted: int = 0

    def __post_init__(self) -> None:
        self.allowed = min(FIRST, self.most)

    def accepted(self) -> None:
        """Count a message that the relay took."""
        self._accepted += 1
        if self._accepted >= self._for_more and self.allowed < self.most:
            self.allowed += 1
            self._accepted = 0

    def troubled(self) -> None:
        """Halve the connections: the relay said 421, refused one, or broke off."""
        self.allowed = max(1, self.allowed // 2)
        self._for_more = ACCEPTED_FOR_MORE
        self._accepted = 0


@dataclass(slots=True)
class _Trouble:
    refusals: int = 0
    rests: int = 0
    until: datetime | None = None


class Domains:
    """The recipients' domains that refuse for a while, and until when each is left alone."""

    def __init__(self) -> None:
        self._troubles: dict[str, _Trouble] = {}

    def rests_until(self, address: str, now: datetime) -> datetime | None:
        """Return until when nothing should be sent to an address's domain, None when it may be."""
        trouble = self._troubles.get(_domain(address))
        if trouble is None or trouble.until is None or trouble.until <= now:
            return None
        return trouble.until

    def accepted(self, address: str) -> None:
        """Forget the troubles of a domain: it takes mail."""
        if self._troubles:
            self._troubles.pop(_domain(address), None)

    def refused(self, address: str, now: datetime) -> None:
        """Count a temporary refusal; after a few in a row the domain rests, twice as long each time."""
        domain = _domain(address)
        trouble = self._troubles.pop(domain, None) or _Trouble()
        self._troubles[domain] = trouble  # the newest stands last
        trouble.refusals += 1
        # What was on its way when the rest began says nothing new.
        if trouble.refusals >= TROUBLES and (trouble.until is None or trouble.until <= now):
            trouble.until = now + min(FIRST_REST * 2**trouble.rests, LONGEST_REST)
            trouble.rests = min(trouble.rests + 1, 10)
        if len(self._troubles) > MOST_DOMAINS:
            del self._troubles[next(iter(self._troubles))]


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()
