"""What may be asked about editions on their way out, and the ledger of their attempts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from digestd.model import OutboxState, Phase


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to send one edition. `attempts` counts this one too; `sha256` is of an earlier attempt's bytes.

    A program ended with a `suspect` in its hands: it is claimed alone, and nothing else until it is settled.
    """

    edition: int
    edition_id: str
    address: str
    attempts: int
    composed_at: datetime
    sha256: str | None
    suspect: bool = False


class Transition(NamedTuple):
    """One arrow of the outbox, and the words for the ledger.

    `ledger` is what the ledger calls it (`deferred` for sending → ready), None to write no line. `counts` is
    False for an attempt that was not the edition's own (the relay was down): it is taken back.
    """

    edition: int
    source: OutboxState
    target: OutboxState
    at: datetime
    reason: str = ""
    not_before: datetime | None = None
    sha256: str | None = None
    phase: Phase | None = None
    code: int | None = None
    ledger: str | None = None
    counts: bool = True


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """An edition's way out, for a person."""

    edition: int
    edition_id: str
    email: str
    issue: str
    state: OutboxState
    attempts: int
    not_before: datetime
    changed_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One line of the ledger."""

    at: datetime
    state: str
    attempt: int
    phase: str | None
    code: int | None
    reply: str


class Outbox(Protocol):
    """Editions on their way out."""

    def exclusive(self) -> AbstractContextManager[None]:
        """Hold the right to deliver from this store; the system frees it when the process dies.

        Raises StoreBusy when another process has it, and StoreHeld while the store is a copy that nobody has
        released. While it is held, a `claimed` or `sending` row of another owner can only be what a crash left.
        """

    def held(self) -> str | None:
        """Return why nothing is sent from this store, None when nothing holds it back.

        A backup that was put back, a copied folder and a cloned machine are held until `adopt`.
        """

    def adopt(self) -> None:
        """Let this store send; of all its copies it alone may from now on."""

    def recover(self, owner: str, now: datetime, *, hold: bool) -> int:
        """Put right what a crash left: `claimed` becomes ready; `sending` ready again, or uncertain with `hold`.

        What was alone in hand at three crashes is set aside as failed. Returns how many were `sending`.
        """

    def bring_forward(self, now: datetime, longest: timedelta) -> int:
        """Let go what waits for later than `now + longest`, which only a clock that has been set back can explain.

        Returns how many did.
        """

    def has_work(self, now: datetime, longest: timedelta) -> bool:
        """Return whether a run would find work: something ready, left by a crash, or waiting by a wrong clock."""

    def claim(self, owner: str, now: datetime, limit: int) -> tuple[list[Claim], int]:
        """Claim up to `limit` ready editions whose time has come, and count the attempt.

        Those whose subscriber may no longer be mailed are cancelled instead. Returns the claims and the number
        of the cancelled. Raises StoreFull while the disk has too little room.
        """

    def record(self, owner: str, transitions: Sequence[Transition]) -> list[bool]:
        """Make several transitions in one transaction, each only if its row is in `source` and ours.

        `claimed → sending` also needs a subscriber who is still active. Returns which of them were made.
        """

    def release(self, owner: str, now: datetime) -> None:
        """Give back what was claimed and not tried; the attempt does not count."""

    def counts(self) -> dict[OutboxState, int]:
        """Return how many editions are in each state."""

    def coming(self, now: datetime, most: int) -> list[int]:
        """Return up to `most` editions that are ready and whose time has come, in the order of claims.

        Those of paused readers, which are not claimed, are among them.
        """

    def rows(self, state: OutboxState | None, limit: int, before: int | None = None) -> list[OutboxRow]:
        """Return editions on their way out, the newest first; without a state, all that are not sent.

        With `before`, only those with a smaller number: the next page after a row of that number.
        """

    def row(self, edition: str) -> tuple[OutboxRow, list[LedgerRow]]:
        """Return one edition, by number or the beginning of its id, with its ledger. Raises NotFound."""

    def settle(
        self, edition: int, source: Collection[OutboxState], target: OutboxState, reason: str, now: datetime
    ) -> bool:
        """Move an edition by an operator's hand. Returns False when it is in none of the `source` states."""
