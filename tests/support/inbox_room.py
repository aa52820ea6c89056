"""The inbox of a World under test: dropping files, ingesting, and what stands where afterwards."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from support.world import World, papers

from digestd.ingest.stage import FileReport


def drop(world: World, name: str | bytes, content: str = papers("One")) -> Path:
    """Put a file into the inbox; it has just been written, so it does not rest yet."""
    path = world.settings.paths.inbox / os.fsdecode(name)
    path.write_text(content)
    return path


def ingest(world: World, wait: Callable[[float], None] = lambda _: None) -> list[FileReport]:
    """Ingest what lies there; waiting for files to rest takes no time unless the test says otherwise."""
    return list(world.rounds.ingest(wait=wait))


def names(folder: Path) -> list[str]:
    """Return the names of all that is no folder, at any depth."""
    return sorted(path.name for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
