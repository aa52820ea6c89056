"""The command line in a folder of its own: a configuration, two readers and an inbox; the relay is down."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner, Result
from support.world import reader

from digestd.cli import main

Command = Callable[..., Result]


def furnish(folder: Path) -> None:
    """Write the configuration and the readers into a folder."""
    (folder / "digestd.toml").write_text(
        '[paths]\ninbox = "inbox"\n[ingest]\nsettle_seconds = 0\n[smtp]\nhost = "127.0.0.1"\nport = 1\ntls = "none"\n'
        '[mail]\nfrom_address = "papers@example.org"\npublic_url = "https://papers.example.org"\n'
    )
    people = reader("ada", "robot", more="exclude = ['graph']") + reader("ben", "graph")
    (folder / "subscribers.toml").write_text(people)
    (folder / "inbox").mkdir()


def command(folder: Path) -> Command:
    """Return what runs a command with the folder's configuration."""

    def run(*arguments: str) -> Result:
        result = CliRunner().invoke(main, ["--config", str(folder / "digestd.toml"), *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.output
        return result

    return run


def objects(result: Result) -> list[dict[str, object]]:
    """Return the objects of JSON lines on standard output."""
    return [json.loads(line) for line in result.stdout.splitlines()]
