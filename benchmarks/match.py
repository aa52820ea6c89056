"""Matching at scale, beside SQLite's FTS5 in the same run: `python -m benchmarks.match`, or with the others.

Everything is drawn from a fixed seed. 50,000 distinct queries of several kinds over the words of the papers, and words
that no paper has, stand for what people ask for; each subscriber has five of them. The reference is one FTS5 MATCH
for each of these five million over the same 82 papers: measured on SAMPLE of them and scaled, as the whole takes
half a minute a round. Ours and theirs are measured in turn, so that what else the machine does meets both, by the clock
and by the processor's time. Runs in a process of its own, so that the memory is that of the index.
"""

from __future__ import annotations

import json
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import NamedTuple

from digestd.ingest.stage import read_file
from digestd.match.document import analyse
from digestd.match.index import Index
from digestd.match.wanted import Wanted
from digestd.model import Paper, WeightedQuery
from digestd.resources import shipped

SUBSCRIBERS = 1_000_000
FEWER = SUBSCRIBERS // 10
QUERIES_EACH = 5
DISTINCT = 50_000
SAMPLE = 200_000
ROUNDS = 5

Written = tuple[str, str]  # a query in our language and in that of FTS5


class Took(NamedTuple):
    """Seconds by the clock and of the processor."""

    clock: float
    processor: float


def rows() -> list[dict[str, object]]:
    """Return the rows and notes of a run in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.match"], check=True, stdout=subprocess.PIPE, encoding="utf-8"
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def measure() -> Iterator[dict[str, object]]:
    """Yield the rows: how long the index takes for a day's papers, what it grows by, and an alert."""
    papers = _papers()
    queries = _queries(random.Random(1), papers)
    before = _resident()
    index, _ = _compiled(queries, FEWER)
    fewer = statistics.median(_took(lambda: _matched(index, papers)).processor for _ in range(ROUNDS))
    alerts = [_took(lambda paper=paper: index.match(analyse(paper))) for paper in papers]
    for name, at in (("clock", 0), ("processor", 1)):
        one = statistics.median(took[at] for took in alerts)
        yield _row(f"alert: one paper, {FEWER:,} profiles ({name})", "20 ms", one, 0.020)
    del index
    index, compile_seconds = _compiled(queries, SUBSCRIBERS)
    pairs = _matched(index, papers)
    with closing(sqlite3.connect(":memory:")) as connection:
        ask = _fts5(connection, queries, papers)
        scale = SUBSCRIBERS * QUERIES_EACH / SAMPLE
        rounds = [(_took(lambda: _matched(index, papers)), _took(ask)) for _ in range(ROUNDS)]
    for name, at in (("clock", 0), ("processor", 1)):
        ours, theirs = sorted(
            ((one[at], other[at] * scale) for one, other in rounds), key=lambda pair: pair[1] / pair[0]
        )[ROUNDS // 2]
        what = f"match: {SUBSCRIBERS:,} subscribers, {len(papers)} papers ({name})"
        yield _row(what, "FTS5, one MATCH a query (scaled)", ours, theirs)
    many = statistics.median(one.processor for one, _ in rounds)
    yield _row("match: ten times the subscribers", "ten times the time", many, fewer * 10)
    yield {
        "note": f"match: {index.queries:,} distinct queries compiled for {SUBSCRIBERS:,} subscribers in"
        f" {compile_seconds:.0f} s, {_resident() - before:,.0f} MB resident at most; {pairs:,} pairs of subscriber and"
        f" paper; FTS5 measured on {SAMPLE:,} MATCHes of {SUBSCRIBERS * QUERIES_EACH:,}, {ROUNDS} rounds in turn"
    }


def _papers() -> list[Paper]:
    file = next(iter(shipped("seeds").glob("*.txt")))
    return [record for record in read_file(file, 10**9) if isinstance(record, Paper)]


def _queries(draw: random.Random, papers: list[Paper]) -> list[Written]:
    texts = (f"{paper.title} {paper.abstract or ''}" for paper in papers)
    said = sorted({word.lower() for text in texts for word in text.split() if word.isalpha() and len(word) > 3})
    unsaid = [a + b for a in ("xan", "quo", "zel", "vor", "mip", "tak") for b in ("dro", "met", "lix", "pam", "tor")]
    found: dict[str, str] = {}
    kinds = list(_KINDS)
    while len(found) < DISTINCT:
        one, other = draw.choice(said), draw.choice(said + unsaid)
        ours, theirs = draw.choices(kinds, weights=list(_KINDS.values()))[0]
        found[ours.format(one, other, one[:4])] = theirs.format(one, other, one[:4])
    return list(found.items())


_KINDS = {
    ("{0}", '"{0}"'): 4,
    ('"{0} {1}"', '"{0} {1}"'): 40,
    ("{0} {1}", '"{0}" AND "{1}"'): 30,
    ("title:{0} {1}", 'title:"{0}" AND "{1}"'): 10,
    ("{0} NEAR/5 {1}", 'NEAR("{0}" "{1}", 4)'): 6,
    ("{2}* {1}", '"{2}"* AND "{1}"'): 4,
    ("{0} OR {1}", '"{0}" OR "{1}"'): 3,
    ("{0} -{1}", '"{0}" NOT "{1}"'): 3,
}


def _compiled(queries: list[Written], subscribers: int) -> tuple[Index[int], float]:
    draw, asked = random.Random(2), [WeightedQuery(ours) for ours, _ in queries]
    profiles = ((number, Wanted(tuple(draw.sample(asked, QUERIES_EACH)))) for number in range(subscribers))
    begun = time.perf_counter()
    index = Index(profiles)
    index.match(analyse(Paper("x", "warm")))
    return index, time.perf_counter() - begun


def _matched(index: Index[int], papers: list[Paper]) -> int:
    return sum(len(index.match(analyse(paper))) for paper in papers)


def _fts5(connection: sqlite3.Connection, queries: list[Written], papers: list[Paper]) -> Callable[[], None]:
    """Return what asks FTS5 a sample of what subscribers ask for, one MATCH each."""
    draw = random.Random(3)
    sample = [(theirs,) for _, theirs in draw.choices(queries, k=SAMPLE)]
    connection.execute("CREATE VIRTUAL TABLE paper USING fts5 (title, abstract, tokenize = 'porter unicode61')")
    connection.executemany("INSERT INTO paper VALUES (?, ?)", [(one.title, one.abstract) for one in papers])

    def ask() -> None:
        for query in sample:
            connection.execute("SELECT rowid FROM paper WHERE paper MATCH ?", query).fetchall()

    return ask


def _row(what: str, reference: str, seconds: float, reference_seconds: float) -> dict[str, object]:
    return {"what": what, "reference": reference, "seconds": seconds, "reference_seconds": reference_seconds}


def _took(work: Callable[[], object]) -> Took:
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return Took(time.perf_counter() - clock, time.process_time() - processor)


def _resident() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000


if __name__ == "__main__":
    for row in measure():
        print(json.dumps(row))
