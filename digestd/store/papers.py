"""Papers in SQLite: each work once, each thing it ever said as a revision that is never changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

from digestd.ingest import identity
from digestd.model import Paper, StoredPaper
from digestd.store.adding import Adding, gather
from digestd.store.base import Counts, DigestFile, Gathered
from digestd.store.paper_rows import stored
from digestd.store.sql import statements
from digestd.store.sqlite import Connections, to_ms

BATCH = 1_000  # papers read at a time by `all`


class SqlitePapers:
    """The `Papers` of a SQLite store."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._sql = statements("papers")

    def ingested(self, sha256: str) -> bool:
        with self._connections.read() as connection:
            return connection.execute(self._sql["file_known"], {"sha256": sha256}).fetchone() is not None

    def gather(self, file: DigestFile, papers: Iterable[Paper], bad: Callable[[], int]) -> Gathered:
        return gather(file, papers, bad)

    def add(self, files: Sequence[Gathered], now: datetime) -> list[Counts | None]:
        with self._connections.write(needs_room=True) as connection:
            adding = Adding(connection, self._sql, now)
            return [adding.add(one) for one in files]

    def add_file(
        self, file: DigestFile, papers: Iterable[Paper], bad: Callable[[], int], now: datetime
    ) -> Counts | None:
        if self.ingested(file.sha256):
            return None
        with self.gather(file, papers, bad) as gathered:
            return self.add([gathered], now)[0]

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
