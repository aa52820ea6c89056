"""What digest files bring, added within one transaction.

Most records are of works nobody knew: those are found by one look-up for many, and written many at a time. A record of
a known work is met alone, with all that is known of it; one that ties two works together makes them one.
"""

from __future__ import annotations

import marshal
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import reduce
from tempfile import SpooledTemporaryFile, gettempdir
from typing import IO, cast

import orjson

from digestd.errors import StoreError
from digestd.ingest import identity
from digestd.model import Paper, StoredPaper
from digestd.store.base import Counts, DigestFile, Gathered
from digestd.store.paper_rows import COLUMNS, Columns, columns, paper_of, stored
from digestd.store.sqlite import to_ms

SPOOL = 8_000_000  # bytes of a digest file's papers that are held in memory; a longer one goes through a temporary file
CHUNK = 2_000  # records that are looked up and written together
HEAVY = 4_000_000  # characters of abstracts and authors that are enough for a chunk
_SIZE = 8  # bytes that tell how long a chunk is

Row = tuple[tuple[str, ...], Columns]  # a paper's keys, best first, and what is kept of it


def gather(file: DigestFile, papers: Iterable[Paper], bad: Callable[[], int]) -> Gathered:
    """Write down papers and their keys, so that neither parsing nor hashing happens while others wait to write."""
    spool = cast("IO[bytes]", SpooledTemporaryFile(SPOOL))  # noqa: SIM115 - `Gathered` closes it
    try:
        for chunk in _chunks(papers):
            _write(chunk, spool)
        return Gathered(file, bad(), spool)
    except BaseException:
        spool.close()
        raise


def _chunks(papers: Iterable[Paper]) -> Iterator[list[Row]]:
    chunk: list[Row] = []
    weight = 0
    for paper in papers:
        row = columns(paper)
        chunk.append((identity.keys(paper), row))
        weight += len(paper.abstract or "") + len(cast("str", row[2]))
        if len(chunk) >= CHUNK or weight >= HEAVY:
            yield chunk
            chunk, weight = [], 0
    if chunk:
        yield chunk


def _write(chunk: list[Row], spool: IO[bytes]) -> None:
    content = marshal.dumps(chunk)  # five times as fast as pickle; nobody else reads it, nor another Python
    try:
        spool.write(len(content).to_bytes(_SIZE, "big"))
        spool.write(content)
    except OSError as error:
        raise StoreError(f"{gettempdir()}: a digest file cannot be unpacked there: {error.strerror}") from error


def _gathered(spool: IO[bytes]) -> Iterator[list[Row]]:
    spool.seek(0)
    while head := spool.read(_SIZE):
        yield marshal.loads(spool.read(int.from_bytes(head, "big")))  # noqa: S302 - nobody else can write to it


class Adding:
    """One transaction's additions: `add` a file's papers, one file after the other."""

    def __init__(self, connection: sqlite3.Connection, sql: Mapping[str, str], now: datetime) -> None:
        self._connection = connection
        self._sql = sql
        self._now = to_ms(now)
        self._paper = int(connection.execute(self._sql["newest_paper"]).fetchone()[0])
        self._revision = int(connection.execute(self._sql["newest_revision"]).fetchone()[0])
        self._papers: list[tuple[int, int, int]] = []  # these three wait to be written together
        self._revisions: list[tuple[str | int | None, ...]] = []
        self._keys: list[tuple[str, int]] = []

    def add(self, gathered: Gathered) -> Counts | None:
        """Add a file and its papers; None when its content is known."""
        file = gathered.file
        row = self._connection.execute(
            self._sql["insert_file"],
            {"sha256": file.sha256, "name": file.name, "format": file.format, "size": file.size, "now": self._now},
        ).fetchone()
        if row is None:
            return None
        kinds = {"new": 0, "revised": 0, "duplicate": 0}
        for chunk in _gathered(gathered.spool):
            self._add_chunk(row["pk"], chunk, kinds)
        counts = Counts(sum(kinds.values()), **kinds)
        self._connection.execute(
            self._sql["count_file"], {"pk": row["pk"], "papers": counts.papers, **kinds, "bad": gathered.bad}
        )
        return counts

    def _add_chunk(self, file: int, chunk: Sequence[Row], kinds: dict[str, int]) -> None:
        known = self._known(key for keys, _ in chunk for key in keys)
        for keys, row in chunk:
            if known.keys().isdisjoint(keys):
                kinds["new"] += 1
                self._found(file, keys, row, known)
            else:
                kinds[self._meet(file, keys, row, known)] += 1
        self._flush()

    def _known(self, keys: Iterable[str]) -> dict[str, int]:
        """Return which of these keys are known, and the work of each."""
        asked = {"keys": orjson.dumps(list(keys)).decode()}
        return dict(self._connection.execute(self._sql["known_keys"], asked).fetchall())

    def _found(self, file: int, keys: Iterable[str], row: Columns, known: dict[str, int]) -> None:
        """Let a new work wait to be written. It may share a title's key with another, which keeps it."""
        self._paper += 1
        self._papers.append((self._paper, self._revise(file, self._paper, row), self._now))
        for key in keys:
            if key not in known:
                known[key] = self._paper
                self._keys.append((key, self._paper))

    def _revise(self, file: int, paper: int, row: Columns) -> int:
        """Let a revision wait to be written; returns its number. That of a new work stands before it in the store."""
        self._revision += 1
        self._revisions.append((self._revision, paper, file, *row))
        return self._revision

    def _flush(self) -> None:
        if not self._revisions and not self._keys:
            return
        self._connection.executemany(self._sql["insert_revision"], self._revisions)
        self._connection.executemany(self._sql["insert_paper"], self._papers)
        self._connection.executemany(self._sql["insert_key"], sorted(self._keys))  # neighbours share a page
        self._revisions.clear()
        self._papers.clear()
        self._keys.clear()

    def _meet(self, file: int, keys: tuple[str, ...], row: Columns, known: dict[str, int]) -> str:
        """Add a record of which a key is known. Returns whether it is `new`, `revised` or a `duplicate`."""
        self._flush()
        paper = paper_of(dict(zip(COLUMNS, row, strict=True)))
        works = self._works(keys, paper, known)
        if not works:
            self._found(file, keys, row, known)
            return "new"
        work = works[0]
        merged = reduce(identity.merge, (*(one.paper for one in works[1:]), paper), work.paper)
        if len(works) > 1:
            self._unite(work.pk, [one.pk for one in works[1:]], known)
        if merged != work.paper:
            revision = self._revise(file, work.pk, columns(merged))
            self._flush()
            self._connection.execute(self._sql["point_paper"], {"pk": work.pk, "revision": revision})
            keys = (*keys, *identity.keys(merged))
            known |= self._known(keys)
        for key in keys:  # a record that tells nothing else new may still be the first to carry this id
            if key not in known:
                known[key] = work.pk
                self._keys.append((key, work.pk))
        return "revised" if identity.is_revision(work.paper, merged) else "duplicate"

    def _works(self, keys: Iterable[str], paper: Paper, known: Mapping[str, int]) -> list[StoredPaper]:
        """Return the works that a record is about, the oldest first: mostly one; several that it shows to be one."""
        found: dict[int, StoredPaper] = {}
        looked: set[int] = set()
        for key in keys:
            pk = known.get(key)
            if pk is None or pk in looked:
                continue
            looked.add(pk)
            work = stored(self._connection.execute(self._sql["by_pk"], {"pk": pk}).fetchone())
            # Of its very id there is no doubt, also where that is of a title and an author it once had.
            if (
                key.startswith("title:")
                and key != paper.id
                and not identity.same_work(work.paper, self._keys_of(pk), paper)
            ):
                continue
            if found and not identity.may_be_one(key for one in (pk, *found) for key in self._keys_of(one)):
                continue
            found[pk] = work
        return [found[pk] for pk in sorted(found)]

    def _keys_of(self, paper: int) -> list[str]:
        return [key for (key,) in self._connection.execute(self._sql["keys_of"], {"paper": paper})]

    def _unite(self, paper: int, twins: Iterable[int], known: dict[str, int]) -> None:
        """Let the oldest stand for all: it takes their keys, and whoever got one of them got it."""
        for twin in twins:
            both = {"paper": paper, "twin": twin}
            self._connection.execute(self._sql["twin_keys"], both)
            self._connection.execute(self._sql["twin"], both)
            known.update((key, paper) for key, pk in known.items() if pk == twin)
