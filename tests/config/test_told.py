"""What is told of the configuration and the commands: the sample, the README and the program say the same."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from pydantic import BaseModel

from digestd.cli import COMMANDS, main
from digestd.config import Settings

ROOT = Path(__file__).parents[2]
SAMPLE = (ROOT / "config" / "digestd.toml").read_text()
README = (ROOT / "README.md").read_text()


def inner(annotation: Any) -> type[BaseModel] | None:
    """Return the table that a key holds, itself or in an array."""
    found = [kind for kind in (annotation, *getattr(annotation, "__args__", ())) if isinstance(kind, type)]
    return next((kind for kind in found if issubclass(kind, BaseModel)), None)


def keys(model: type[BaseModel] = Settings, before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every key with its default: `smtp.host`, `mail.dkim.selector`; None where there is none."""
    for name, field in model.model_fields.items():
        table = inner(field.annotation)
        if table is not None:
            yield from keys(table, f"{before}{name}.")
        else:
            yield before + name, None if field.is_required() else field.get_default(call_default_factory=True)


KEYS = dict(keys())
LINES = re.findall(r"^(?:# )?(\[.+?\]+(?=\s|$)|\w+ = .+)", SAMPLE, re.MULTILINE)


def flat(values: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        value = value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else value
        if isinstance(value, dict):
            yield from flat(value, f"{before}{name}.")
        else:
            yield before + name, value


def plain(value: Any) -> Any:
    if hasattr(value, "get_secret_value"):
        return value.get_secret_value()
    return str(value) if isinstance(value, Path) else value


def commented() -> set[str]:
    """Return the keys that the sample shows behind a #: what it says of them is the default."""
    found, table = set(), ""
    for line in SAMPLE.splitlines():
        if head := re.match(r"(?:# )?\[+([\w.]+)\]+", line):
            table = f"{head[1]}."
        elif key := re.match(r"# (\w+) = ", line):
            found.add(table + key[1])
    return found


def test_sample_has_every_key_and_shows_its_default() -> None:
    shown = dict(flat(tomllib.loads("\n".join(LINES))))
    assert shown.keys() == KEYS.keys()
    for key, default in KEYS.items():
        if key in commented() and plain(default) not in (None, "", ()):
            assert shown[key] == plain(default), key


@pytest.mark.parametrize("line", [line for line in LINES if not line.startswith("[")])
def test_sample_tells_what_each_key_means(line: str) -> None:
    meaning = line.partition("  # ")[2] or SAMPLE[: SAMPLE.index(line)].rstrip("# \n").rpartition("\n")[2]
    assert len(meaning.split()) >= 2, line
    name = line.partition(" = ")[0]
    if name.endswith("_mb"):
        assert "MB" in meaning
    if name.endswith("_seconds"):
        assert "seconds" in meaning


def test_readme_has_every_key_and_no_other() -> None:
    section = README.partition("## Configuration")[2].partition("\n## ")[0]
    told: set[str] = set()
    for row in re.findall(r"^\| (`.+?) \|", section, re.MULTILINE):
        table = ""
        for name in re.findall(r"`([\w.]+)`", row):
            table = table if name.startswith(".") else name.rpartition(".")[0]
            told.add(table + name if name.startswith(".") else name)
    arrays = ("mail.dkim", "smtp.more")
    assert told == {next((name for name in arrays if key.startswith(f"{name}.")), key) for key in KEYS}


def test_readme_has_every_command_and_option() -> None:
    section = README.partition("## Commands")[2].partition("\n## ")[0]
    rows = {row.split()[0]: row for row in re.findall(r"^\| `(.+?)` \|", section, re.MULTILINE)}
    assert rows.keys() == COMMANDS.keys()
    context = click.Context(main)
    for name, row in rows.items():
        command = main.get_command(context, name)  # type: ignore[attr-defined]
        if isinstance(command, click.Group):
            assert set(re.findall(r"[a-z]+", row.partition(" ")[2].partition("[")[0])) >= command.commands.keys(), row
            continue
        options = {option for one in command.params if isinstance(one, click.Option) for option in one.opts}
        assert set(re.findall(r"--[a-z-]+", row)) == options - {"-h", "--help"}, row
