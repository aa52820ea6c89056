"""Run every benchmark, print one table, and write `benchmarks/latest.json`.

Two cores and noisy neighbours make an absolute time mean little, so each row is a ratio: digestd's rate over that
of a reference measured in the same run, the median of three rounds.
"""

from __future__ import annotations

import compileall
import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import digestd
from benchmarks import match
from benchmarks.deliver import deliver
from benchmarks.ingest import ingest
from benchmarks.publish import publish
from benchmarks.rows import Row, pair
from digestd.cli import COLLECT_AT


def start(folder: Path) -> Row:
    """`digestd --version` of an installed program, its bytecode written, beside an empty Python."""
    site = folder / "site"
    shutil.copytree(Path(digestd.__file__).parent, site / "digestd", ignore=shutil.ignore_patterns("__pycache__"))
    compileall.compile_dir(site, quiet=1)
    ours = [sys.executable, "-c", "from digestd.cli import main; main()", "--version"]
    theirs = [sys.executable, "-c", "pass"]
    installed = {**os.environ, "PYTHONPATH": str(site)}

    def run(command: list[str]) -> Callable[[], object]:
        return lambda: [
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=installed) for _ in range(20)
        ]

    return pair("start: digestd --version, 20 times", "python -c pass", run(ours), run(theirs))


def main() -> None:
    """Measure, print and write."""
    gc.set_threshold(*COLLECT_AT)  # as the command line does
    with tempfile.TemporaryDirectory(prefix="digestd-bench-") as name:
        folder = Path(name)
        measured = [start(folder), *ingest(folder), publish(folder), *deliver(folder)]
    found = match.rows()
    measured += [Row(**row) for row in found if "note" not in row]  # type: ignore[arg-type]
    print(f"{'what':46} {'reference':30} {'ours':>8} {'theirs':>8} {'ratio':>7}")
    for row in measured:
        print(f"{row.what:46} {row.reference:30} {row.seconds:7.2f}s {row.reference_seconds:7.2f}s {row.ratio:6.2f}x")
    if not any(row.what.startswith("deliver") for row in measured):
        print("deliver was left out: it needs smtp-sink and smtp-source (Debian: apt install postfix)")
    print(*(row["note"] for row in found if "note" in row), sep="\n")
    target = Path(__file__).with_name("latest.json")
    target.write_text(json.dumps([{**asdict(row), "ratio": row.ratio} for row in measured], indent=2) + "\n")


if __name__ == "__main__":
    main()
