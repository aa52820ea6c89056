"""Run every benchmark, print one table, and write `benchmarks/latest.json`.

Two cores and noisy neighbours make an absolute time mean little, so each row is a ratio: digestd's rate over that
of a reference measured in the same run, the median of three rounds.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from digestd.config import Mail, Paths, Settings, Smtp
from digestd.ingest.formats import json_lines
from digestd.ingest.stage import ingest_file, read_file
from digestd.model import Origin, Paper, Profile, Subscriber, WeightedQuery
from digestd.resources import shipped
from digestd.service import build
from digestd.service.rounds import Rounds

ROUNDS = 3
READERS = 2_000
PAPERS = 10_000


@dataclass(frozen=True, slots=True)
class Row:
    """A figure: digestd's seconds, the reference's, and how many times as fast digestd is (1: as fast)."""

    what: str
    reference: str
    seconds: float
    reference_seconds: float

    @property
    def ratio(self) -> float:
        """The reference's time over ours."""
        return self.reference_seconds / self.seconds


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that `work` takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def pair(what: str, reference: str, ours: Callable[[], object], theirs: Callable[[], object]) -> Row:
    """Measure two things in turn, and return their medians."""
    times = [(timed(ours), timed(theirs)) for _ in range(ROUNDS)]
    return Row(what, reference, statistics.median(t[0] for t in times), statistics.median(t[1] for t in times))


def start() -> Row:
    """`digestd --version` beside an empty Python."""
    ours = [sys.executable, "-m", "digestd", "--version"]
    theirs = [sys.executable, "-c", "pass"]

    def run(command: list[str]) -> Callable[[], object]:
        return lambda: [subprocess.run(command, check=True, stdout=subprocess.DEVNULL) for _ in range(5)]

    return pair("start: digestd --version, 5 times", "python -c pass", run(ours), run(theirs))


def ingest(folder: Path) -> Row:
    """Papers of a file into a new store, beside reading, decoding and splitting that file."""
    file = folder / "papers.jsonl"
    draw, words = random.Random(1), _words()
    with file.open("w", encoding="utf-8") as out:
        for number in range(PAPERS):
            abstract = " ".join(draw.choices(words, k=160))
            title = f"{' '.join(draw.choices(words, k=9))} {number}"
            out.write(json_lines.dump(Paper(f"arXiv:2401.{number:05}", title, ("A. One",), abstract)) + "\n")

    def ours() -> None:
        target = folder / f"ingest-{time.monotonic_ns()}.db"
        with closing(build.store(_settings(folder, target))) as store:
            report = ingest_file(store.papers, file, 10**9, build.utc_now())
            assert report.new == PAPERS

    def theirs() -> None:
        assert len([line.split() for line in file.read_bytes().decode().splitlines()]) == PAPERS

    return pair(f"ingest: {PAPERS:,} papers, {file.stat().st_size / 1e6:.0f} MB", "read, decode, split", ours, theirs)


def publish(folder: Path) -> Row:
    """Editions composed and durable, beside the same rows written by `executemany` in as many transactions."""
    ours, theirs = [], []
    for number in range(ROUNDS):
        settings = _settings(folder, folder / f"publish-{number}.db")
        with closing(build.store(settings)) as store:
            rounds = _peopled(settings, store)
            ours.append(timed(rounds.publish))
        theirs.append(timed(lambda: _copy(settings.paths.database, folder / f"copy-{number}.db")))  # noqa: B023
    medians = statistics.median(ours), statistics.median(theirs)
    return Row(f"publish: {READERS:,} editions", "executemany of the same rows", *medians)


def deliver(folder: Path, connections: int = 8) -> Row | None:
    """Editions rendered, recorded and accepted by smtp-sink, beside smtp-source with equally large dummies."""
    if not (shutil.which("smtp-sink") and shutil.which("smtp-source")):
        return None
    ours, theirs = [], []
    with _sink() as port:
        for number in range(ROUNDS):
            settings = _settings(folder, folder / f"deliver-{number}.db", port, connections)
            with closing(build.store(settings)) as store:
                rounds = _peopled(settings, store)
                editions = rounds.publish().editions
                ours.append(timed(lambda: asyncio.run(rounds.deliver())))  # noqa: B023
                assert store.outbox.next_at() is None
            source = ["smtp-source", "-s", str(connections), "-l", "25000", "-m", str(editions), "-d"]
            command = [*source, "-f", "a@b.example", "-t", "c@d.example", f"127.0.0.1:{port}"]
            theirs.append(timed(lambda: subprocess.run(command, check=True)))  # noqa: B023
    medians = statistics.median(ours), statistics.median(theirs)
    return Row(f"deliver: {READERS:,} editions, {connections} connections", "smtp-source, 25 kB", *medians)


def _settings(folder: Path, database: Path, port: int = 25, connections: int = 4) -> Settings:
    return Settings(
        paths=Paths(
            inbox=folder / "inbox", archive=folder / "archive", quarantine=folder / "quarantine", database=database
        ),
        smtp=Smtp(host="127.0.0.1", port=port, tls="none", connections=connections),
        mail=Mail(from_address="papers@example.org", public_url="https://papers.example.org"),
    )


def _peopled(settings: Settings, store: build.SqliteStore) -> Rounds:
    """Put the seeds and READERS readers into a store; a hundred profiles are shared by many, as in life."""
    draw, words, now = random.Random(2), _words(), build.utc_now()
    ingest_file(store.papers, next(iter(shipped("seeds").glob("*.txt"))), 10**9, now)
    choices = [tuple(map(WeightedQuery, draw.sample(words, 5))) for _ in range(100)]
    profiles = [Profile("Papers", queries) for queries in choices]
    for number in range(READERS):
        person = Subscriber(f"reader-{number}@example.org", f"Reader {number}", "UTC", (draw.choice(profiles),))
        store.subscribers.add(person, Origin.OPERATOR, now)
    return Rounds(settings, store)


def _words() -> list[str]:
    """Return words that papers are made of."""
    file = next(iter(shipped("seeds").glob("*.txt")))
    abstracts = [record.abstract or "" for record in read_file(file, 10**9) if isinstance(record, Paper)]
    return sorted({word for word in " ".join(abstracts).split() if word.isalpha() and len(word) > 3})


def _copy(source: Path, target: Path) -> None:
    """Write the rows of four tables anew, with the store's pragmas and in one transaction for 500 editions."""
    tables = ("edition", "edition_profile", "edition_paper", "outbox")
    with closing(sqlite3.connect(source)) as reading, closing(sqlite3.connect(target, isolation_level=None)) as writing:
        writing.execute("PRAGMA journal_mode = WAL")
        writing.execute("PRAGMA synchronous = FULL")
        for table in tables:
            rows = reading.execute(f"SELECT * FROM {table}").fetchall()
            marks = ", ".join("?" * len(rows[0]))
            writing.execute(f"CREATE TABLE {table} ({', '.join(f'c{i}' for i in range(len(rows[0])))})")
            size = max(1, len(rows) * 500 // READERS)
            for first in range(0, len(rows), size):
                writing.execute("BEGIN IMMEDIATE")
                writing.executemany(f"INSERT INTO {table} VALUES ({marks})", rows[first : first + size])
                writing.execute("COMMIT")


@contextmanager
def _sink() -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    sink = subprocess.Popen(
        ["smtp-sink", *user, f"127.0.0.1:{port}", "200"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield port
    finally:
        sink.terminate()
        sink.wait()


def main() -> None:
    """Measure, print and write."""
    with tempfile.TemporaryDirectory(prefix="digestd-bench-") as name:
        folder = Path(name)
        measured = [start(), ingest(folder), publish(folder), deliver(folder)]
    rows = [row for row in measured if row is not None]
    print(f"{'what':46} {'reference':30} {'ours':>8} {'theirs':>8} {'ratio':>7}")
    for row in rows:
        print(f"{row.what:46} {row.reference:30} {row.seconds:7.2f}s {row.reference_seconds:7.2f}s {row.ratio:6.2f}x")
    if len(rows) < len(measured):
        print("deliver was left out: it needs smtp-sink and smtp-source (Debian: apt install postfix)")
    target = Path(__file__).with_name("latest.json")
    target.write_text(json.dumps([{**asdict(row), "ratio": row.ratio} for row in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()
