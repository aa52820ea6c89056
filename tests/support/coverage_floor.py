"""Fail when a room that the promises rest on has too little branch coverage: `coverage_floor.py .coverage.json`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

FLOOR = 95.0  # percent of lines and branches together
ROOMS = ("match", "publish", "deliver", "store")


def main(report: Path) -> int:
    """Print each room's coverage; return 1 when one is below the floor."""
    files = json.loads(report.read_text())["files"]
    missing = False
    for room in ROOMS:
        found = [file["summary"] for name, file in files.items() if name.startswith(f"digestd/{room}/")]
        all_ = sum(one["num_statements"] + one["num_branches"] for one in found)
        covered = sum(one["covered_lines"] + one["covered_branches"] for one in found)
        percent = 100 * covered / all_ if all_ else 0.0
        missing |= percent < FLOOR
        print(f"{room:8} {percent:6.2f} %{'' if percent >= FLOOR else f'  below {FLOOR:g} %'}")
    return int(missing)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
