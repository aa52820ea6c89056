"""The demo: every message of it, who got what, and a folder that is not only its own."""

from __future__ import annotations

import email
import errno
import json
from collections import Counter
from datetime import UTC, datetime
from email.policy import default
from pathlib import Path

import pytest
from click.testing import CliRunner

from digestd.cli import main
from digestd.demo import demo

ROOT = Path(__file__).parents[2]
SEEDS = ROOT / "seeds" / "huggingface-papers-llms.txt"
SAMPLE = ROOT.parent / "shared" / "samples" / "huggingface-papers-llms.txt"
HEADERS = (
    *("Message-ID", "Date", "From", "To", "Subject", "List-Id", "List-Help", "List-Owner", "List-Archive"),
    *("List-Unsubscribe", "List-Unsubscribe-Post", "Auto-Submitted", "Precedence", "X-Auto-Response-Suppress"),
    *("Feedback-ID", "MIME-Version", "Content-Type"),
)


@pytest.mark.parametrize(
    "digest",
    [
        SEEDS,
        pytest.param(SAMPLE, marks=pytest.mark.skipif(not SAMPLE.exists(), reason="no sample beside this checkout")),
    ],
)
def test_demo_every_message_is_sound(tmp_path: Path, digest: Path) -> None:
    result = CliRunner().invoke(main, ["demo", str(digest), "--out", str(tmp_path / "out"), "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["files"][0]["papers"], told["sent"], len(told["messages"])) == (82, 4, 4)
    for path in map(Path, told["messages"]):
        raw = path.read_bytes()
        assert max(map(len, raw.split(b"\r\n"))) <= 998
        message = email.message_from_bytes(raw, policy=default)
        counted = Counter(message.keys())
        assert {name: counted[name] for name in HEADERS} == dict.fromkeys(HEADERS, 1)
        text, html = message.iter_parts()  # type: ignore[attr-defined]
        assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
        assert len(html.get_content().encode()) < 90_000
    page = Path(told["page"]).read_text()
    assert page.count("<iframe") == 4
    assert page.count('sandbox=""') == 4


def test_demo_shows_who_got_what_and_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_text("hm")
    runner = CliRunner()
    shown = runner.invoke(main, ["demo", str(SEEDS), str(tmp_path / "bad.txt"), "--out", str(tmp_path / "out")])
    assert shown.exit_code == 1
    assert "82 papers, 3 readers, 4 messages sent and received." in shown.output
    assert "its format is not known" in shown.stderr
    assert runner.invoke(main, ["demo", str(tmp_path / "none"), "--out", str(tmp_path / "out")]).exit_code == 1
    (tmp_path / "file").write_text("")
    assert runner.invoke(main, ["demo", "--out", str(tmp_path / "file")]).exit_code == 1


@pytest.mark.parametrize("hour", range(0, 24, 3))
def test_demo_at_any_hour_shows_everybodys_mail(tmp_path: Path, hour: int) -> None:
    assert len(demo([SEEDS], tmp_path, datetime(2026, 12, 1, hour, tzinfo=UTC)).messages) == 4


def test_demo_replaces_its_own_earlier_files_and_no_others(tmp_path: Path) -> None:
    def run() -> set[str]:
        result = CliRunner().invoke(main, ["demo", "--out", str(out), "--json"])
        assert result.exit_code == 0, result.output
        told = json.loads(result.stdout)
        return {Path(path).name for path in [*told["messages"], told["page"]]}

    out = tmp_path / "out"
    out.mkdir()
    mine = {name: f"mine {name}" for name in ("mine.eml", "index.html", "01-ada@example.org.eml", "02-x.eml")}
    for name, text in mine.items():
        (out / name).write_text(text)
    (out / ".digestd-demo").write_text("../outside.eml\n")
    (tmp_path / "outside.eml").write_text("outside")
    first = run()
    assert {"index-2.html", "01-ada@example.org-2.eml"} <= first
    assert {path.name for path in out.iterdir()} == first | set(mine) | {".digestd-demo"}
    assert run() == first
    assert {path.name for path in out.iterdir()} == first | set(mine) | {".digestd-demo"}
    assert {name: (out / name).read_text() for name in mine} == mine
    assert (tmp_path / "outside.eml").read_text() == "outside"


def test_demo_whose_folder_takes_no_message_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if path.suffix == ".eml":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return real(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    result = CliRunner().invoke(main, ["demo", "--out", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "4 messages could not be written to" in result.stderr
