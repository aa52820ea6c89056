"""The same world in every run: the seeds' papers, and readers whose queries are drawn from the words of papers."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

from digestd.config import Mail, Paths, Settings, Smtp
from digestd.ingest.stage import ingest_file, read_file
from digestd.match.document import analyse
from digestd.match.text import tokens
from digestd.model import Paper, Profile, Subscriber, WeightedQuery
from digestd.resources import shipped
from digestd.service import build
from digestd.service.rounds import Rounds
from digestd.store.base import Roster

QUERIES = 5  # of each reader
QUERIES_OF_READERS = 20  # distinct queries for each 1,000 readers' 5,000: as 50,000 among a million readers


def settings(folder: Path, database: Path, port: int = 25, connections: int = 4) -> Settings:
    """Return settings that deliver to a relay of this machine, without TLS."""
    return Settings(
        paths=Paths(
            inbox=folder / "inbox", archive=folder / "archive", quarantine=folder / "quarantine", database=database
        ),
        smtp=Smtp(host="127.0.0.1", port=port, tls="none", connections=connections),
        mail=Mail(from_address="papers@example.org", public_url="https://papers.example.org"),
    )


def peopled(made: Settings, store: build.SqliteStore, readers: int) -> Rounds:
    """Put the seeds and so many readers into a store, as its file would."""
    now = build.utc_now()
    ingest_file(store.papers, seeds(), 10**9, now)
    store.subscribers.sync(Roster(people(readers), {}, frozenset(), complete=True), now)
    return Rounds(made, store)


def people(readers: int) -> tuple[Subscriber, ...]:
    """Return readers; a query is shared by a hundred of them, as in life."""
    draw = random.Random(2)
    asked = words()[: max(QUERIES, readers * QUERIES // 100)]
    return tuple(
        Subscriber(
            f"reader-{number}@example.org",
            f"Reader {number}",
            "UTC",
            (Profile("Papers", tuple(map(WeightedQuery, draw.sample(asked, QUERIES)))),),
        )
        for number in range(readers)
    )


def seeds() -> Path:
    """Return the seeds' file."""
    return next(iter(shipped("seeds").glob("*.txt")))


def words() -> list[str]:
    """Return words of which each finds one paper, in an order that is random and always the same.

    Five of them make an edition of about 25 kB.
    """
    papers = [record for record in read_file(seeds(), 10**9) if isinstance(record, Paper)]
    stems = Counter(stem for paper in papers for stem in analyse(paper).stems)
    said = {word for paper in papers for word in (paper.abstract or "").split() if word.isalpha() and len(word) > 3}
    found = sorted(word for word in said if all(stems[token.stem] == 1 for token in tokens(word)))
    random.Random(1).shuffle(found)
    return found
