"""`db`: the store as a file."""

from __future__ import annotations

from pathlib import Path

import click

from digestd.cli.common import json_option, rounds, settings
from digestd.cli.output import progress, table, tell, tell_json
from digestd.store.backup import back_up
from digestd.store.migrate import migrate as bring_up
from digestd.store.migrate import steps


@click.group()
def db() -> None:
    """The store: a backup of it, its schema, and how much is in it.

    \b
    Example:  digestd db backup /var/backups/digestd-monday.db
    """


@db.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def backup(file: Path, as_json: bool) -> None:
    """Copy the store to FILE while others use it; an existing file is never overwritten.

    The copy is of one moment, checked and durable. To restore it: stop digestd, remove the database with its -wal
    and -shm, put the copy in its place, and start. Nothing is sent from it until `digestd outbox release`.

    \b
    Example:  digestd db backup /var/backups/digestd-monday.db
    """
    with progress("copying, pages", total=None) as step:
        done = 0

        def copied(pages: int, _total: int) -> None:
            nonlocal done
            step(pages - done)
            done = pages

        size = back_up(settings().paths.database, file, copied)
    if as_json:
        tell_json({"file": str(file), "bytes": size})
    else:
        tell(f"{file}: {size:,} bytes, checked")


@db.command()
@json_option
def migrate(as_json: bool) -> None:
    """Bring the store to the schema that this digestd needs, all of it or nothing.

    \b
    Example:  digestd db backup before.db && digestd db migrate
    """
    taken = bring_up(settings().paths.database, steps())
    if as_json:
        tell_json([{"version": step.version, "name": step.name} for step in taken])
        return
    for step in taken:
        tell(f"{step.version:04} {step.name.replace('_', ' ')}")
    tell("the schema is the one that this digestd needs" + ("" if taken else "; nothing was to be done"))


@db.command()
@json_option
def stats(as_json: bool) -> None:
    """Show how much is in the store.

    \b
    Example:  digestd db stats --json
    """
    with rounds() as (made, _):
        found = {**made.store.stats(), "held": made.store.outbox.held()}
    if as_json:
        tell_json(found)
        return
    rows: list[tuple[str, str]] = []
    for name, value in found.items():
        shown = value.items() if isinstance(value, dict) else [("", value)]
        rows += [(f"{name} {part}".replace("_", " ").strip(), _number(one)) for part, one in shown]
    table(("", "#"), rows)


def _number(value: object) -> str:
    if value is None:
        return "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
