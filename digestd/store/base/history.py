"""What may be asked about what happened, and about what is to come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Files:
    """Digest files ingested since a moment, and the newest one's time whenever it was; None without any."""

    files: int
    papers: int
    new: int
    last_at: datetime | None


class History(Protocol):
    """What happened, and what is to come, in numbers."""

    def attempts(self, since: datetime) -> Mapping[str, Mapping[datetime, int]]:
        """Return how many lines the ledger has since a moment: by state, and by the hour they begin in."""

    def files(self, since: datetime) -> Files:
        """Return what was ingested since a moment."""

    def coming(self, now: datetime, until: datetime) -> Mapping[datetime, int]:
        """Return how many profiles of active subscribers are due between two moments, by the hour."""
