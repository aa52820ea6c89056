"""`quarantine`: digest files that were refused, and the bad records of those that were taken."""

from __future__ import annotations

import click

from digestd.cli.common import fail_unless, json_option, settings
from digestd.cli.output import say, table, tell, tell_json
from digestd.ingest import quarantine as room
from digestd.ingest.inbox import shown

NAMES = click.argument("names", nargs=-1, required=True)


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
    found = room.held(settings().paths.quarantine)
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
        path = room.find(folder, name)
        tell(f"{shown(path.name)}: {room.reason(path)}")
        tell(*room.beginning(path).splitlines())


@quarantine.command()
@NAMES
def retry(names: tuple[str, ...]) -> None:
    """Move refused files back into the inbox, to be ingested again: after a correction, or by a newer digestd.

    \b
    Example:  digestd quarantine retry digest.txt
    """
    paths, fine = settings().paths, True
    for name in names:
        back = room.retry(paths.quarantine, paths.inbox, name)
        if back is None:
            say(f"{name} is a list of bad records; its file was taken and is in the archive")
            fine = False
        else:
            tell(f"{name} is in the inbox again, as {shown(back.name)}")
    fail_unless(fine)
