"""A progress bar on a terminal: sentences stand above it, and it leaves nothing behind."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from threading import Thread

import pytest
from support.world import papers

from digestd.cli import main

ROOT = Path(__file__).parents[2]


def terminal_of(run: Callable[[int], None]) -> bytes:
    """Return what a terminal got while `run` had its file descriptor."""
    ours, theirs = pty.openpty()
    seen = b""

    def read() -> None:
        nonlocal seen
        with suppress(OSError):  # the terminal's other end is gone
            while piece := os.read(ours, 65_536):
                seen += piece

    reading = Thread(target=read)
    reading.start()
    try:
        run(theirs)
    finally:
        os.close(theirs)
        reading.join()
        os.close(ours)
    return seen


def run_here(monkeypatch: pytest.MonkeyPatch, theirs: int, *arguments: str) -> str:
    """Run a command in this process whose standard error alone is a terminal; returns its output."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with redirect_stdout(StringIO()) as out, open(theirs, "w", closefd=False) as file, redirect_stderr(file):
        with pytest.raises(SystemExit) as ended:
            main.main(list(arguments), prog_name="digestd")
        assert ended.value.code in (0, 1)
    return out.getvalue()


@pytest.mark.parametrize(
    "arguments", [["parse", "a.jsonl", "--json"], ["search", "paper", "a.jsonl"], ["demo", "a.jsonl", "--out", "out"]]
)
def test_progress_shows_and_leaves_nothing_but_the_sentences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jsonl").write_text(papers("One paper", "Two papers") + "{bad\n" + papers("Three papers"))
    out: list[str] = []
    seen = terminal_of(lambda theirs: out.append(run_here(monkeypatch, theirs, *arguments)))
    assert out[0].strip()
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
