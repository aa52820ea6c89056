"""What readers may ask about themselves: what was sent, all that is stored, and to be forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from digestd.model import OutboxState


@dataclass(frozen=True, slots=True)
class Past:
    """An edition that was composed for a reader. `papers` counts those in it."""

    pk: int
    id: str
    issue: str
    composed_at: datetime
    state: OutboxState
    papers: int


class Readers(Protocol):
    """What readers may ask about themselves."""

    def history(self, subscriber: int, limit: int) -> list[Past]:
        """Return the last digests and alerts of a subscriber, newest first."""

    def edition(self, subscriber: int, id: str) -> int:
        """Return the number of a subscriber's edition. Raises NotFound, also for an edition of somebody else."""

    def export(self, subscriber: int) -> Mapping[str, Any]:
        """Return all that is stored about a subscriber, ready for JSON. Raises NotFound."""

    def forget(self, subscriber: int, now: datetime) -> None:
        """Take everything that is about the person out of the store, durably; what waits for them is cancelled.

        Rows stay, without a name, an address or a search word, because promises are counted along them; the
        ledger never had an address.
        """
