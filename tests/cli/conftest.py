from __future__ import annotations

from pathlib import Path

import pytest
from support.command_line import Command, command, furnish
from support.world import papers


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration, two readers and an inbox; the relay is down."""
    furnish(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def digestd(home: Path) -> Command:
    return command(home)


@pytest.fixture
def filled(home: Path, digestd: Command) -> Command:
    (home / "one.jsonl").write_text(papers("A Robot", "A Graph", "Robot Graphs"))
    assert digestd("ingest", "one.jsonl").exit_code == 0
    return digestd
