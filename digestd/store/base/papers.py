"""What may be asked about papers and digest files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Protocol

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


@dataclass(frozen=True, slots=True)
class Gathered:
    """A digest file's papers, read to the end and written down in a nameless file, which is gone once this is closed.

    `bad` is the number of its bad records.
    """

    file: DigestFile
    bad: int
    spool: IO[bytes]

    def __enter__(self) -> Gathered:
        return self

    def __exit__(self, *_: object) -> None:
        self.spool.close()


class Papers(Protocol):
    """The papers, and the digest files they came from."""

    def ingested(self, sha256: str) -> bool:
        """Return whether a digest file of this content has been ingested."""

    def gather(self, file: DigestFile, papers: Iterable[Paper], bad: Callable[[], int]) -> Gathered:
        """Read a digest file's papers to the end, so that others may write meanwhile, and write them down for `add`.

        An exception from `papers` goes through. `bad` is asked at the end for the number of bad records. Memory does
        not grow with the number of papers.
        """

    def add(self, files: Sequence[Gathered], now: datetime) -> list[Counts | None]:
        """Take the papers of digest files, all of all of them or none; None for a file whose content is known.

        A record that shows two works to be one makes them one: the older stands for both from then on.
        """

    def add_file(
        self, file: DigestFile, papers: Iterable[Paper], bad: Callable[[], int], now: datetime
    ) -> Counts | None:
        """Gather and add one digest file; None, and nothing is read, when its content was ingested before."""

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
