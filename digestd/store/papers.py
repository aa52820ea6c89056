"""Papers in SQLite: each work once, each thing it ever said as a revision that is never changed."""

from __future__ import annotations

import json
import pickle
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import date, datetime
from tempfile import SpooledTemporaryFile, gettempdir
from typing import IO, Any

from digestd.errors import StoreError
from digestd.ingest import identity
from digestd.model import Paper, StoredPaper
from digestd.store.base import Counts, DigestFile
from digestd.store.sql import statements
from digestd.store.sqlite import Connections, from_ms, to_ms

DETAILS = ("comments", "pdf", "code", "project", "other_ids")  # what a few records tell, in one column
BATCH = 1_000  # papers read at a time by `all`
SPOOL = 8_000_000  # bytes of a digest file's papers that are held in memory; a longer one goes through a temporary file


class SqlitePapers:
    """The `Papers` of a SQLite store."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._sql = statements("papers")

    def ingested(self, sha256: str) -> bool:
        with self._connections.read() as connection:
            return connection.execute(self._sql["file_known"], {"sha256": sha256}).fetchone() is not None

    def add_file(
        self, file: DigestFile, papers: Iterable[Paper], bad: Callable[[], int], now: datetime
    ) -> Counts | None:
        if self.ingested(file.sha256):
            return None
        with SpooledTemporaryFile(SPOOL) as spool:
            _spool(papers, spool)
            return self._add_file(file, spool, bad, now)

    def _add_file(self, file: DigestFile, spool: IO[bytes], bad: Callable[[], int], now: datetime) -> Counts | None:
        with self._connections.write(needs_room=True) as connection:
            row = connection.execute(
                self._sql["insert_file"],
                {"sha256": file.sha256, "name": file.name, "format": file.format, "size": file.size, "now": to_ms(now)},
            ).fetchone()
            if row is None:
                return None
            new = revised = duplicate = 0
            for keys, paper in _spooled(spool):
                kind = self._add(connection, row["pk"], keys, paper, now)
                new += kind == "new"
                revised += kind == "revised"
                duplicate += kind == "duplicate"
            counts = Counts(new + revised + duplicate, new, revised, duplicate)
            connection.execute(
                self._sql["count_file"],
                {
                    "pk": row["pk"],
                    "papers": counts.papers,
                    "new": new,
                    "revised": revised,
                    "duplicate": duplicate,
                    "bad": bad(),
                },
            )
            return counts

    def newest(self) -> int:
        with self._connections.read() as connection:
            return int(connection.execute(self._sql["newest"]).fetchone()[0])

    def between(self, after: int, upto: int, since: datetime | None = None) -> list[StoredPaper]:
        bounds = {"after": after, "upto": upto, "since": to_ms(since) if since else 0}
        with self._connections.read() as connection:
            return [stored(row) for row in connection.execute(self._sql["between"], bounds)]

    def first_since(self, since: datetime) -> int:
        with self._connections.read() as connection:
            found = connection.execute(self._sql["first_since"], {"since": to_ms(since)}).fetchone()[0]
        return int(found) if found is not None else self.newest() + 1

    def find(self, name: str) -> list[StoredPaper]:
        known = identity.canonical_id(name)
        with self._connections.read() as connection:
            for key in filter(None, (known and known[0], name)):
                if row := connection.execute(self._sql["by_key"], {"key": key}).fetchone():
                    return [stored(row)]
            escaped = name.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
            rows = connection.execute(self._sql["by_title"], {"pattern": f"%{escaped}%"}).fetchall()
        return [stored(row) for row in rows]

    def all(self) -> Iterator[StoredPaper]:
        after, newest = 0, self.newest()
        while after < newest:
            batch = self.between(after, min(after + BATCH, newest))
            yield from batch
            after += BATCH

    def _add(
        self, connection: sqlite3.Connection, file: int, keys: tuple[str, ...], paper: Paper, now: datetime
    ) -> str:
        """Store one record. Returns whether it is `new`, `revised` or a `duplicate`."""
        known = self._known(connection, keys, paper)
        if known is None:  # its revision comes first and points ahead at the number that the paper then gets
            paper_pk = connection.execute(self._sql["next_pk"]).fetchone()[0]
            revision = self._revise(connection, file, paper_pk, paper)
            values = {"pk": paper_pk, "id": paper.id, "revision": revision, "now": to_ms(now)}
            connection.execute(self._sql["insert_paper"], values)
            kind = "new"
        else:
            paper_pk, kept = known.pk, identity.merge(known.paper, paper)
            kind = "revised" if identity.is_revision(known.paper, kept) else "duplicate"
            if kept != known.paper:
                revision = self._revise(connection, file, paper_pk, kept)
                connection.execute(self._sql["point_paper"], {"pk": paper_pk, "id": kept.id, "revision": revision})
                keys = tuple(dict.fromkeys((*keys, *identity.keys(kept))))
        # A record that tells nothing else new may still be the first to carry this id.
        connection.executemany(self._sql["insert_key"], [{"key": key, "paper": paper_pk} for key in keys])
        return kind

    def _revise(self, connection: sqlite3.Connection, file: int, paper_pk: int, paper: Paper) -> int:
        values = {"paper": paper_pk, "file": file, **_columns(paper)}
        return int(connection.execute(self._sql["insert_revision"], values).fetchone()[0])

    def _known(self, connection: sqlite3.Connection, keys: tuple[str, ...], paper: Paper) -> StoredPaper | None:
        for key in keys:
            row = connection.execute(self._sql["by_key"], {"key": key}).fetchone()
            if row is None:
                continue
            found = stored(row)
            if key == paper.id or not key.startswith("title:"):
                return found  # its very id; of a title and an author it once had, though a revision renamed the author
            its_keys = [row[0] for row in connection.execute(self._sql["keys_of"], {"paper": found.pk})]
            if identity.same_work(found.paper, its_keys, paper):
                return found
        return None


def _spool(papers: Iterable[Paper], spool: IO[bytes]) -> None:
    """Write down papers and their keys, so that neither parsing nor hashing happens while others wait to write."""
    for paper in papers:
        try:
            pickle.dump((identity.keys(paper), paper), spool, pickle.HIGHEST_PROTOCOL)
        except OSError as error:
            raise StoreError(f"{gettempdir()}: a digest file cannot be unpacked there: {error.strerror}") from error


def _spooled(spool: IO[bytes]) -> Iterator[tuple[tuple[str, ...], Paper]]:
    spool.seek(0)
    with suppress(EOFError):
        while True:
            yield pickle.load(spool)  # noqa: S301 - nobody else can write to a file that has no name


def stored(row: sqlite3.Row) -> StoredPaper:
    """Return the paper of a row that has its columns and those of its revision."""
    paper = Paper(
        id=row["id"],
        title=row["title"],
        authors=tuple(json.loads(row["authors"])),
        abstract=row["abstract"],
        url=row["url"],
        published=date.fromisoformat(row["published"]) if row["published"] else None,
        categories=tuple(json.loads(row["categories"])),
        source=row["source"],
        version=row["version"],
        votes=row["votes"],
        **_details(row["details"]),
    )
    return StoredPaper(row["pk"], row["revision"], from_ms(row["ingested_at"]), paper)


def _columns(paper: Paper) -> dict[str, object]:
    return {
        "id": paper.id,
        "title": paper.title,
        "authors": json.dumps(paper.authors, ensure_ascii=False),
        "abstract": paper.abstract,
        "url": paper.url,
        "published": paper.published.isoformat() if paper.published else None,
        "categories": json.dumps(paper.categories, ensure_ascii=False),
        "source": paper.source,
        "version": paper.version,
        "votes": paper.votes,
        "details": json.dumps({name: value for name in DETAILS if (value := getattr(paper, name))}, ensure_ascii=False),
    }


def _details(text: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(text)
    if "other_ids" in read:
        read["other_ids"] = tuple(read["other_ids"])
    return read
