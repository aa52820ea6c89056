"""Digest files into a store: one of 100 MB beside reading, decoding and splitting it, and 10,000 small ones in a round.

`python -m benchmarks.ingest` measures these alone. The memory that a file takes is that of a process of its own.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from benchmarks import world
from benchmarks.rows import ROUNDS, Row, median, timed
from digestd.ingest.formats import json_lines
from digestd.ingest.stage import ingest_file, ingest_inbox
from digestd.model import Paper
from digestd.service import build

SIZE = 100_000_000  # bytes
FILES = 10_000
MEASURED = """
import re, sys
from pathlib import Path
from benchmarks.ingest import taken
taken(Path(sys.argv[1]))
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1_000)
"""


def lines(size: int) -> list[str]:
    """Return so many bytes of papers as JSON lines; every seventh has letters that are not ASCII."""
    draw, words = random.Random(1), world.words()
    made: list[str] = []
    while size > 0:
        abstract = " ".join(draw.choices(words, k=160))
        title = f"{' '.join(draw.choices(words, k=9))} {len(made)}"
        authors = ("José Núñez" if len(made) % 7 == 0 else "A. One", "Ben Two", "Cem Three")
        paper = Paper(f"arXiv:{2401 + len(made) // 90_000}.{len(made) % 90_000:05}", title, authors, abstract)
        made.append(json_lines.dump(paper) + "\n")
        size -= len(made[-1])
    return made


def taken(file: Path) -> None:
    """Ingest a file into a new store."""
    target = file.with_name(f"ingest-{time.monotonic_ns()}.db")
    with closing(build.store(world.settings(file.parent, target))) as store:
        assert ingest_file(store.papers, file, 10**9, build.utc_now()).new > 0
    for one in file.parent.glob(f"{target.name}*"):
        one.unlink()


def ingest(folder: Path) -> list[Row]:
    """Return the rows of one large file, by the wall and by processor time, and of many small ones."""
    file = folder / "papers.jsonl"
    made = lines(SIZE)
    file.write_text("".join(made), encoding="utf-8")
    print(
        f"ingest: memory {memory(folder, made[: len(made) // 10])} MB for 10 MB, {memory(folder, made)} MB for 100 MB"
    )

    def words() -> None:
        assert file.read_bytes().decode().split()

    def split() -> None:
        assert file.read_bytes().decode().splitlines()

    rounds = [tuple(map(spent, (lambda: taken(file), words, split))) for _ in range(ROUNDS)]
    rows = []
    for number, unit in enumerate(("by the clock", "processor")):
        what = f"ingest: {len(made):,} papers, 100 MB, {unit}"
        times = [[one[number] for one in row] for row in rounds]
        rows.append(median(what, "read, decode, split into words", [(row[0], row[1]) for row in times]))
        rows.append(median(what, "read, decode, split into lines", [(row[0], row[2]) for row in times]))
    return [*rows, small_files(folder, made)]


def spent(work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds that `work` takes, and those of the processor."""
    begun = time.process_time()
    seconds = timed(work)
    return seconds, time.process_time() - begun


def memory(folder: Path, made: list[str]) -> int:
    """Return how large a process becomes that takes these lines as a file, in MB."""
    file = folder / "part.jsonl"
    file.write_text("".join(made), encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", MEASURED, file], check=True, stdout=subprocess.PIPE)
    return int(done.stdout)


def small_files(folder: Path, made: list[str]) -> Row:
    """10,000 files of three papers beside reading and moving as many; once, as the disk's cache would tell lies."""
    room = folder / "many"
    for name in ("inbox", "read", "moved"):
        (room / name).mkdir(parents=True)
    for number in range(FILES):
        text = "".join(made[number * 3 : number * 3 + 3])
        for name in ("inbox", "read"):
            (room / name / f"{number:05}.jsonl").write_text(text, encoding="utf-8")

    def ours() -> None:
        settings = world.settings(room, room / "many.db")
        with closing(build.store(settings)) as store:
            reports = ingest_inbox(store.papers, build.folders(settings), build.utc_now, wait=time.sleep)
            assert sum(report.new for report in reports) == FILES * 3

    def theirs() -> None:
        for path in (room / "read").iterdir():
            path.read_text("utf-8")
            path.rename(room / "moved" / path.name)

    return median(f"ingest: {FILES:,} files in one round", "read and rename each", [(timed(ours), timed(theirs))])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="digestd-bench-") as name:
        for row in ingest(Path(name)):
            print(
                f"{row.what:46} {row.reference:31} {row.seconds:7.2f}s {row.reference_seconds:7.2f}s {row.ratio:6.3f}x"
            )
