"""What lies in the quarantine: digest files that were refused, each with its reason, and bad records of others."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from digestd.errors import NotFound
from digestd.ingest.inbox import REASON, shown, take_back

BAD_RECORDS = ".bad-records"
SHOWN = 2_000  # bytes of a refused file: enough to see what it is


@dataclass(frozen=True, slots=True)
class Held:
    """What lies in the quarantine: a refused file with its reason, or the bad records of a file that was taken."""

    file: str
    since: datetime
    size: int
    reason: str
    kind: str


def held(folder: Path) -> list[Held]:
    """Return what lies in the quarantine, the newest first."""
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name.startswith(".") or not path.is_file() or path.name.endswith(REASON):
            continue
        status = path.lstat()
        kind = "bad records" if path.name.endswith(BAD_RECORDS) else "file"
        since = datetime.fromtimestamp(status.st_ctime, UTC)
        found.append(Held(shown(path.name), since, status.st_size, reason(path), kind))
    return sorted(found, key=lambda one: (one.since, one.file), reverse=True)


def beginning(path: Path, limit: int = SHOWN) -> str:
    """Return how a refused file begins, or all the bad records of one that was taken, as text."""
    with path.open("rb") as file:
        begin = file.read(limit if not path.name.endswith(BAD_RECORDS) else -1)
    return begin.decode("utf-8", "backslashreplace")


def retry(folder: Path, inbox: Path, name: str) -> Path | None:
    """Move a refused file back into the inbox; returns where it is. None for a list of bad records. Raises NotFound."""
    path = find(folder, name)
    return None if path.name.endswith(BAD_RECORDS) else take_back(path, inbox)


def reason(path: Path) -> str:
    """Return why a file was refused, without its name, which stands before it."""
    if path.name.endswith(BAD_RECORDS):
        with path.open("rb") as file:
            return f"{sum(1 for _ in file):,} bad records; the others were taken"
    try:
        said = path.with_name(path.name + REASON).read_text("utf-8", "backslashreplace").strip()
    except OSError:
        return "no reason stands beside it"
    return said.removeprefix(f"{shown(path.name)}: ")


def find(folder: Path, name: str) -> Path:
    """Return the file of a name as `held` shows it. Raises NotFound; never leaves the folder."""
    found = [Path(entry.path) for entry in os.scandir(folder)] if folder.is_dir() else []
    for path in found:
        if shown(path.name) == name and path.is_file() and not path.name.endswith(REASON):
            return path
    raise NotFound(f"{name} is not in the quarantine {folder}; `digestd quarantine list` shows what is")
