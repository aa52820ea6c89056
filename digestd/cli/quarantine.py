"""`quarantine`: digest files that were refused, and the bad records of those that were taken."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from digestd.cli.common import fail_unless, json_option, settings
from digestd.cli.output import say, table, tell, tell_json
from digestd.errors import NotFound
from digestd.ingest.inbox import REASON, shown, take_back

BAD_RECORDS = ".bad-records"
SHOWN = 2_000  # bytes of a refused file: enough to see what it is
NAMES = click.argument("names", nargs=-1, required=True)


@dataclass(frozen=True, slots=True)
class Held:
    """What lies in the quarantine: a refused file with its reason, or the bad records of a file that was taken."""

    file: str
    since: datetime
    size: int
    reason: str
    kind: str


@click.group()
def quarantine() -> None:
    """Digest files that were refused, and the bad records of files that were taken.

    \b
    Example:  digestd quarantine list
    """


@quarantine.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List what lies in the quarantine, the newest first."""
    found = sorted(_held(settings().paths.quarantine), key=lambda one: (one.since, one.file), reverse=True)
    if as_json:
        for one in found:
            tell_json(one)
    elif found:
        rows = ((one.file, f"{one.since:%Y-%m-%d %H:%M}", f"{one.size:,}", one.reason) for one in found)
        table(("file", "since", "bytes#", "reason"), rows)
    else:
        tell("the quarantine is empty")


@quarantine.command()
@NAMES
def show(names: tuple[str, ...]) -> None:
    """Show why a file was refused and how it begins, or the bad records of one that was taken."""
    folder = settings().paths.quarantine
    for name in names:
        path = _find(folder, name)
        tell(f"{shown(path.name)}: {_reason(path)}")
        with path.open("rb") as file:
            begin = file.read(SHOWN if not name.endswith(BAD_RECORDS) else -1)
        tell(*begin.decode("utf-8", "backslashreplace").splitlines())


@quarantine.command()
@NAMES
def retry(names: tuple[str, ...]) -> None:
    """Move refused files back into the inbox, to be ingested again: after a correction, or by a newer digestd.

    \b
    Example:  digestd quarantine retry digest.txt
    """
    paths, fine = settings().paths, True
    for name in names:
        path = _find(paths.quarantine, name)
        if name.endswith(BAD_RECORDS):
            say(f"{name} is a list of bad records; its file was taken and stands in the archive")
            fine = False
            continue
        back = take_back(path, paths.inbox)
        tell(f"{shown(path.name)} is in the inbox again, as {shown(back.name)}")
    fail_unless(fine)


def _held(folder: Path) -> list[Held]:
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name.startswith(".") or not path.is_file() or path.name.endswith(REASON):
            continue
        status = path.lstat()
        kind = "bad records" if path.name.endswith(BAD_RECORDS) else "file"
        since = datetime.fromtimestamp(status.st_ctime, UTC)
        found.append(Held(shown(path.name), since, status.st_size, _reason(path), kind))
    return found


def _reason(path: Path) -> str:
    """Return why a file was refused, without its name, which stands before it."""
    if path.name.endswith(BAD_RECORDS):
        with path.open("rb") as file:
            return f"{sum(1 for _ in file):,} bad records; the others were taken"
    try:
        said = path.with_name(path.name + REASON).read_text("utf-8", "backslashreplace").strip()
    except OSError:
        return "no reason stands beside it"
    return said.removeprefix(f"{shown(path.name)}: ")


def _find(folder: Path, name: str) -> Path:
    """Return the file of a name as `list` shows it. Raises NotFound; never leaves the folder."""
    found = [Path(entry.path) for entry in os.scandir(folder)] if folder.is_dir() else []
    for path in found:
        if shown(path.name) == name and path.is_file() and not path.name.endswith(REASON):
            return path
    raise NotFound(f"{name} is not in the quarantine {folder}; `digestd quarantine list` shows what is")
