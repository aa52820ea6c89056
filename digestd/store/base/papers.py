"""What may be asked about papers and digest files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from digestd.model import Paper, StoredPaper


@dataclass(frozen=True, slots=True)
class DigestFile:
    """A digest file as it was read. `sha256` is that of its content, in hexadecimal; `size` in bytes."""

    name: str
    format: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Counts:
    """What a digest file held. `papers` = `new` + `revised` + `duplicate`."""

    papers: int = 0
    new: int = 0
    revised: int = 0
    duplicate: int = 0


class Papers(Protocol):
    """The papers, and the digest files they came from."""

    def ingested(self, sha256: str) -> bool:
        """Return whether a digest file of this content has been ingested."""

    def add_file(
        self, file: DigestFile, papers: Iterable[Paper], bad: Callable[[], int], now: datetime
    ) -> Counts | None:
        """Take a digest file's papers, all or none; None when its content was ingested before.

        `papers` is consumed whole before the transaction begins: others may write while a file is read, and an
        exception from it leaves the store as it was. `bad` is asked at the end for the number of bad records.
        Memory does not grow with the number of papers.
        """

    def newest(self) -> int:
        """Return the `pk` of the paper that arrived last, 0 when there is none."""

    def between(self, after: int, upto: int, since: datetime | None = None) -> list[StoredPaper]:
        """Return the papers with `after < pk <= upto`, ingested at `since` or later, in order of arrival."""

    def first_since(self, since: datetime) -> int:
        """Return the smallest `pk` of the papers ingested at `since` or later; `newest() + 1` without any."""

    def find(self, name: str) -> list[StoredPaper]:
        """Return the papers a person may mean by an id, a key, an address, or a piece of the title (ten at most)."""

    def all(self) -> Iterator[StoredPaper]:
        """Return every paper in order of arrival."""
