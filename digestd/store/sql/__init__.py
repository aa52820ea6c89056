"""SQL in files, called by name: `-- name: insert_paper` begins a statement, the next name or the end ends it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def statements(noun: str) -> Mapping[str, str]:
    """Return the statements of `<noun>.sql` by name. Raises ValueError when a name stands twice."""
    parts = _NAME.split(read(f"{noun}.sql"))[1:]
    found = {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}
    if len(found) * 2 != len(parts):
        raise ValueError(f"{noun}.sql names a statement twice")
    return found


def read(file: str) -> str:
    """Return the text of a file of this folder."""
    return files(__package__).joinpath(file).read_text("utf-8")


def split(script: str) -> Iterator[str]:
    """Yield the statements of a script one by one; a trigger, with the statements inside it, is one."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
