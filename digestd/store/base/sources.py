"""What is remembered of the sources that digest files are fetched from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SourceState:
    """What the last fetch of a source left behind.

    `etag` and `modified` are what it told, for the next conditional request (RFC 9110, 13); `sha256` is of its last
    answer, `failures` counts those in a row, `said` is a sentence about the last fetch.
    """

    name: str
    address: str
    checked_at: datetime
    next_at: datetime
    etag: str = ""
    modified: str = ""
    sha256: str = ""
    failures: int = 0
    said: str = ""


class Sources(Protocol):
    """What is remembered of the sources."""

    def state(self, name: str) -> SourceState | None:
        """Return what is known of a source, None where it was never fetched."""

    def keep(self, state: SourceState) -> None:
        """Remember a source's state in place of an earlier one."""
