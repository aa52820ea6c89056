"""Publish: editions composed and durable."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from benchmarks import world
from benchmarks.rows import ROUNDS, Row, median, timed
from digestd.publish.stage import BATCH
from digestd.service import build

READERS = 20_000
TABLES = ("edition", "edition_profile", "edition_paper", "outbox")


def publish(folder: Path) -> Row:
    """Editions composed and durable, beside the same rows written by `executemany` in as many transactions."""
    times = []
    for number in range(ROUNDS):
        settings = world.settings(folder, folder / f"publish-{number}.db")
        with closing(build.store(settings)) as store:
            rounds = world.peopled(settings, store, READERS)
            ours = timed(rounds.publish)
        times.append((ours, timed(lambda: _copy(settings.paths.database, folder / f"copy-{number}.db"))))  # noqa: B023
    return median(f"publish: {READERS:,} editions", "executemany of the same rows", times)


def _copy(source: Path, target: Path) -> None:
    """Write the rows of four tables anew, with the store's pragmas and in one transaction for each batch."""
    with closing(sqlite3.connect(source)) as reading, closing(sqlite3.connect(target, isolation_level=None)) as writing:
        writing.execute("PRAGMA journal_mode = WAL")
        writing.execute("PRAGMA synchronous = FULL")
        for table in TABLES:
            rows = reading.execute(f"SELECT * FROM {table}").fetchall()
            marks = ", ".join("?" * len(rows[0]))
            writing.execute(f"CREATE TABLE {table} ({', '.join(f'c{i}' for i in range(len(rows[0])))})")
            size = max(1, len(rows) * BATCH // READERS)
            for first in range(0, len(rows), size):
                writing.execute("BEGIN IMMEDIATE")
                writing.executemany(f"INSERT INTO {table} VALUES ({marks})", rows[first : first + size])
                writing.execute("COMMIT")
