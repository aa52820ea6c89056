"""From the schema that a store has to the one that this program needs, in one transaction or not at all.

A step is a file `sql/migrations/NNNN_name.sql`, where NNNN is the version it leads to.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from digestd.errors import StoreError, StoreUnusable
from digestd.store.guard import RESTORE, refuse_what_is_not_whole
from digestd.store.sql import split
from digestd.store.sqlite import (
    BUSY_TIMEOUT,
    SCHEMA_VERSION,
    damage,
    refuse_what_is_not_ours,
    told,
    transaction,
)

_STEP = re.compile(r"(\d{4})_(\w+)\.sql")


@dataclass(frozen=True, slots=True)
class Step:
    """One change of the schema: the version it leads to, and what it does."""

    version: int
    name: str
    script: str


def steps() -> list[Step]:
    """Return the steps that this program knows, in order."""
    folder = files("digestd.store.sql").joinpath("migrations")
    named = [(_STEP.fullmatch(file.name), file) for file in folder.iterdir()] if folder.is_dir() else []
    found = [Step(int(name[1]), name[2], file.read_text("utf-8")) for name, file in named if name]
    return sorted(found, key=lambda step: step.version)


def migrate(path: Path, known: list[Step], version: int = SCHEMA_VERSION) -> list[Step]:
    """Bring the database at `path` to `version` by the steps that lead there. Returns those that were taken.

    Raises StoreUnusable for a file that is not ours, damaged, newer, or too old for the known steps, and StoreError
    when one of them fails: the store is then as it was.
    """
    if not path.is_file():
        raise StoreError(f"{path}: there is no store yet; it is made with the first paper")
    refuse_what_is_not_whole(path)
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None)
    with closing(connection), told(path):
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = OFF")  # a step may make a table anew; they are checked at the end
        refuse_what_is_not_ours(connection, path)
        with transaction(connection):
            before = refuse_what_is_not_ours(connection, path)  # within: another process may have migrated it
            wanted = [step for step in known if before < step.version <= version]
            if [step.version for step in wanted] != list(range(before + 1, version + 1)):
                raise StoreUnusable(f"{path}: no way leads from schema {before} to {version}; {RESTORE}")
            for step in wanted:
                for statement in split(step.script):
                    connection.execute(statement)
            if wanted and (connection.execute("PRAGMA foreign_key_check").fetchone() or damage(connection)):
                raise StoreError(f"{path}: the new schema does not hold what is in the store; nothing was changed")
            connection.execute(f"PRAGMA user_version = {version}")
    return wanted
