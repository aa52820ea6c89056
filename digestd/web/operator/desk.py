"""What the operator's pages show and do, over the same functions as the command line. Synchronous: in a thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from digestd.config import Settings
from digestd.errors import DigestdError
from digestd.ingest import quarantine
from digestd.ingest.inbox import shown
from digestd.model import OutboxState
from digestd.service import hand
from digestd.service.status import Status, status_of
from digestd.service.why import Why, why
from digestd.store.base import LedgerRow, OutboxRow, Past, Store, StoredSubscriber

ROWS = 25  # of a page; with long addresses and replies it stays under 50 kB
EDITIONS = 20  # of a person


@dataclass(frozen=True, slots=True)
class Person:
    """One person, whole, and the last editions composed for them."""

    stored: StoredSubscriber
    history: tuple[Past, ...]


class Desk:
    """A store and the folders beside it, as an operator sees them. Raises DigestdError in sentences."""

    def __init__(
        self, store: Store, clock: Callable[[], datetime], settings: Callable[[], Settings],
        troubles: Callable[[], Mapping[str, str]], woken: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        """`settings` are those in use; `troubles` what the service finds wrong, by name; `woken` has mail to send."""
        self._store = store
        self._clock = clock
        self._settings = settings
        self._troubles = troubles
        self._woken = woken

    @property
    def zone(self) -> ZoneInfo:
        """The operator's time zone."""
        return ZoneInfo(self._settings().schedule.timezone)

    # What is shown

    def status(self) -> Status:
        """Return how things stand."""
        said = tuple(sentence for name, sentence in self._troubles().items() if name != "held")  # it has its own place
        return status_of(self._store, self._clock(), self.zone, is_served=True, problems=(), found=said)

    def editions(self, state: OutboxState | None, before: int | None) -> tuple[list[OutboxRow], int | None]:
        """Return a page of editions, and what the next page begins before; None at the end."""
        rows = self._store.outbox.rows(state, ROWS + 1, before)
        return rows[:ROWS], rows[ROWS - 1].edition if len(rows) > ROWS else None

    def edition(self, edition: str) -> tuple[OutboxRow, list[LedgerRow]]:
        """Return an edition and its ledger. Raises NotFound."""
        return self._store.outbox.row(edition)

    def people(self, said: str, after: str) -> tuple[list[StoredSubscriber], str | None]:
        """Return a page of people whose address or name holds `said`, and the address after which the next begins."""
        found = self._store.subscribers.search(said, after, ROWS + 1)
        return found[:ROWS], found[ROWS - 1].subscriber.email if len(found) > ROWS else None

    def person(self, number: int) -> Person:
        """Return one person. Raises NotFound."""
        stored = self._store.subscribers.numbered(number)
        return Person(stored, tuple(self._store.readers.history(number, EDITIONS)))

    def why(self, number: int, paper: str) -> Why:
        """Return why a paper was, or was not, sent to a person. Raises NotFound."""
        person = self._store.subscribers.numbered(number)
        found, learning = hand.one_paper(self._store, paper), self._settings().matching.learning
        return why(self._store, person, found, self._clock(), learning=learning)

    def refused(self) -> list[quarantine.Held]:
        """Return what lies in the quarantine."""
        return quarantine.held(self._settings().paths.quarantine)

    def refused_file(self, name: str) -> tuple[str, str]:
        """Return why a file was refused, and how it begins. Raises NotFound."""
        path = quarantine.find(self._settings().paths.quarantine, name)
        return quarantine.reason(path), quarantine.beginning(path)

    # What is done; each says what it came to

    def settle(self, edition: str, action: str) -> str:
        """Retry an edition, let it go, or settle it as sent or cancelled."""
        now = self._clock()
        match action:
            case "retry":
                done = hand.retry(self._store, edition, now)
            case "release":
                done = hand.release(self._store, edition, now)
            case "sent" | "cancelled":
                done = hand.resolve(self._store, edition, action, now)
            case _:
                raise DigestdError(f"{action!r} is nothing that can be done with an edition")
        if done.moved:
            self._woken()
        return done.said

    def release_store(self) -> str:
        """Let a held store send."""
        said = hand.release_store(self._store)
        self._woken()
        return said

    def move(self, number: int, word: str) -> str:
        """Pause, resume or remove a person."""
        if word not in hand.MOVES:
            raise DigestdError(f"{word!r} is nothing that can be done with a person")
        email = self._store.subscribers.numbered(number).subscriber.email
        one = hand.move(self._store, email, word, self._clock())
        self._woken()
        return f"{one.subscriber.email} is {hand.MOVES[word][1]}"

    def take_again(self, name: str) -> str:
        """Put a refused file back into the inbox."""
        paths = self._settings().paths
        back: Path | None = quarantine.retry(paths.quarantine, paths.inbox, name)
        if back is None:
            return f"{name} is a list of bad records; its file was taken and is in the archive"
        return f"{name} is in the inbox again, as {shown(back.name)}"
