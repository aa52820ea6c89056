"""A progress bar on a terminal: sentences stand above it, and it leaves nothing behind."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.world import papers

ROOT = Path(__file__).parents[2]


def on_a_terminal(*arguments: str, folder: Path) -> tuple[bytes, bytes]:
    """Run a command whose standard error alone is a terminal; returns its output and what the terminal got."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "digestd", *arguments]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, cwd=folder, env=environment) as process:
        os.close(theirs)
        out, _ = process.communicate(timeout=50)
    seen = b""
    try:
        while piece := os.read(ours, 65_536):
            seen += piece
    except OSError:  # the terminal's other end is gone
        pass
    os.close(ours)
    return out, seen


@pytest.mark.parametrize(
    "arguments", [["parse", "a.jsonl", "--json"], ["search", "paper", "a.jsonl"], ["demo", "a.jsonl", "--out", "out"]]
)
def test_progress_shows_and_leaves_nothing_but_the_sentences(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "a.jsonl").write_text(papers("One paper", "Two papers") + "{bad\n" + papers("Three papers"))
    out, seen = on_a_terminal(*arguments, folder=tmp_path)
    assert out.strip()
    assert b"papers" in seen or b"files and messages" in seen
    last = re.split(rb"\r|\n|\x1b\[2K|\x1b\[1A", seen)
    assert [line for line in last if b"digestd: " in line and not line.startswith(b"digestd: ")] == []
    assert b"line 3: not valid JSON" in seen
    after = seen[seen.rindex(b"\x1b[?25h") :]  # the cursor is back, and what follows is erased or a sentence
    assert not re.sub(rb"\x1b\[[0-9?]*[A-Za-z]|\s", b"", re.sub(rb"digestd: .*", b"", after))


def test_progress_is_not_shown_without_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(papers("One paper"))
    command = [sys.executable, "-m", "digestd", "search", "paper", "a.jsonl"]
    done = subprocess.run(
        command, capture_output=True, cwd=tmp_path, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.stderr == b""
