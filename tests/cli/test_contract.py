"""The command line as others rely on it: names, JSON keys, exit statuses, and errors in sentences."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import re
import subprocess
import sys
from contextlib import closing, nullcontext
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.command_line import Command, objects
from support.smtp_script import SmtpScript
from support.world import papers, reader

from digestd.cli import COLLECT_AT, COMMANDS, main
from digestd.config import load
from digestd.model import OutboxState
from digestd.service import build, rounds
from digestd.service.press_room import PressRoom
from digestd.store.open import SqliteStore

ROOT = Path(__file__).parents[2]
SEEDS = ROOT / "seeds" / "huggingface-papers-llms.txt"


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_help_of_every_command_has_an_example(command: str) -> None:
    result = CliRunner().invoke(main, [command, "--help"])
    assert result.exit_code == 0
    assert f"digestd {command}" in result.output or "Example:" in result.output


def test_commands_let_the_collector_look_seldom(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    set_to: list[int] = []
    monkeypatch.setattr(gc, "set_threshold", lambda *numbers: set_to.extend(numbers))
    CliRunner().invoke(main, ["parse", str(tmp_path / "none")])
    assert tuple(set_to) == COLLECT_AT


def test_help_lists_every_command_and_version_is_told() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert all(re.search(rf"^  {command}\b", result.output, re.MULTILINE) for command in COMMANDS)
    assert re.fullmatch(r"digestd \d+\.\d+\.\d+\n", CliRunner().invoke(main, ["--version"]).output)


@pytest.mark.parametrize(
    "arguments", [["nothing"], ["parse"], ["publish", "--now", "noon"], ["outbox", "list", "--state", "x"]]
)
def test_wrong_usage_exits_2(digestd: Command, arguments: list[str]) -> None:
    assert digestd(*arguments).exit_code == 2


def test_parse_prints_papers_as_json_lines_that_parse_again(digestd: Command, home: Path) -> None:
    result = digestd("parse", str(SEEDS), "--json")
    records = objects(result)
    assert (len(records), result.exit_code) == (82, 0)
    keys = ["id", "title", "authors", "abstract", "url", "published", "categories", "source", "version"]
    assert all(list(record) == keys for record in records)
    (home / "again.jsonl").write_text(result.stdout)
    assert objects(digestd("parse", "again.jsonl", "--json")) == records


def test_parse_names_bad_records_and_files_on_standard_error(digestd: Command, home: Path) -> None:
    (home / "a.jsonl").write_text(papers("One") + "{bad\n")
    result = digestd("parse", "a.jsonl", "missing.txt", "--json")
    assert result.exit_code == 1
    assert len(objects(result)) == 1
    assert "a.jsonl, line 2: not valid JSON" in result.stderr
    assert "missing.txt: no such file" in result.stderr
    assert digestd("parse", "a.jsonl").exit_code == 0


def test_search_of_files_and_of_the_store(filled: Command) -> None:
    (only,) = objects(filled("search", "robot -graph", "one.jsonl", "--json"))
    assert (only["title"], only["where"]) == ("A Robot", ["abstract", "title"])
    assert isinstance(only["score"], float)
    assert [record["title"] for record in objects(filled("search", "title:graph", "--json"))] == [
        "A Graph",
        "Robot Graphs",
    ]
    assert "A Robot" in filled("search", "robot").output


def test_unexpected_error_is_one_sentence(digestd: Command, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digestd.cli.check.load", lambda path: 1 / 0)
    result = digestd("check")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith("digestd: ZeroDivisionError: division by zero. This is a bug in digestd")
    with pytest.raises(ZeroDivisionError):
        CliRunner().invoke(
            main, ["--config", str(home / "digestd.toml"), "--log-level", "debug", "check"], catch_exceptions=False
        )


def test_search_bad_query_points_at_the_column(digestd: Command) -> None:
    result = digestd("search", "robot AND", str(SEEDS))
    assert result.exit_code == 2
    assert "column 10" in result.stderr


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\0\1", "binary"),
        (b'{"title": "One"}\n{"ti', "half-written"),
        (b"\xe9{\n", "not known"),
        (b"hm", "not known"),
    ],
)
def test_ingest_bad_file_is_quarantined_with_a_reason_and_the_rest_goes_on(
    digestd: Command, home: Path, content: bytes, reason: str
) -> None:
    (home / "bad.txt").write_bytes(content)
    (home / "good.jsonl").write_text(papers("One"))
    result = digestd("ingest", "bad.txt", "good.jsonl", "missing.txt", "--json")
    assert result.exit_code == 1
    counted = {str(record["file"]): record for record in objects(result)}
    assert counted["good.jsonl"]["new"] == 1
    assert {"file", "papers", "new", "revised", "duplicate", "bad"} <= counted["good.jsonl"].keys()
    (sentence,) = [line for line in result.stderr.splitlines() if "bad.txt" in line]
    assert reason in sentence
    assert reason in (home / "var" / "quarantine" / "bad.txt.reason").read_text()


def test_ingest_file_beyond_the_cap_is_refused(digestd: Command, home: Path) -> None:
    with (home / "huge.jsonl").open("wb") as file:
        file.truncate(100_000_001)
    result = digestd("ingest", "huge.jsonl")
    assert result.exit_code == 1
    assert "too large" in result.stderr


def test_publish_and_deliver_tell_their_counts(filled: Command) -> None:
    assert objects(filled("publish", "--json")) == [{"editions": 2, "papers": 3}]
    assert objects(filled("publish", "--json")) == [{"editions": 0, "papers": 0}]
    result = filled("deliver", "--json")
    assert result.exit_code == 1
    assert objects(result) == [{"sent": 0, "deferred": 2, "failed": 0, "uncertain": 0, "cancelled": 0}]
    assert "2 editions waiting" in result.stderr
    assert "onnection refused" in result.stderr
    assert "2 editions waiting" in filled("deliver").stderr


def test_deliver_beside_one_who_delivers_leaves_it_to_them(filled: Command, home: Path) -> None:
    filled("publish")
    daemon = SqliteStore(home / "var" / "digestd.db")
    with closing(daemon), daemon.outbox.exclusive():
        for arguments in (["deliver", "--json"], ["run-once", "--json"], ["deliver"]):
            result = filled(*arguments)
            assert (result.exit_code, result.stderr.count("\n")) == (0, 1)
            assert "another digestd delivers from this store" in result.stderr
        assert daemon.outbox.counts()[OutboxState.READY] == 2
    assert filled("deliver").exit_code == 1  # the relay is down, and now it is this one's trouble


def test_publish_now_may_be_any_time(filled: Command) -> None:
    assert objects(filled("publish", "--now", "2031-01-01T12:00+02:00", "--json")) == [{"editions": 0, "papers": 0}]


def test_run_once_counts_one_as_one(digestd: Command, home: Path) -> None:
    (home / "inbox" / "a.jsonl").write_text(papers("A Robot"))
    result = digestd("run-once")
    assert "1 edition with 1 paper composed\n" in result.stdout
    assert "; 1 edition waiting\n" in result.stderr


def test_run_once_does_everything_and_nothing_twice(digestd: Command, home: Path) -> None:
    (home / "inbox" / "a.jsonl").write_text(papers("A Robot"))
    (home / "inbox" / "bad.txt").write_text("hm")
    result = digestd("run-once", "--json")
    assert result.exit_code == 1
    (told,) = objects(result)
    assert told["publish"] == {"editions": 1, "papers": 1}
    assert [record["new"] for record in told["files"]] == [1, 0]  # type: ignore[attr-defined]
    again = digestd("run-once")
    assert "0 editions with 0 papers composed" in again.output


@pytest.mark.parametrize("served", [False, True])
def test_run_once_begins_with_messages_while_it_composes_where_no_daemon_may_deliver_them(
    digestd: Command, home: Path, monkeypatch: pytest.MonkeyPatch, served: bool
) -> None:
    expected = list[int]()
    monkeypatch.setattr(rounds, "BEGUN", 1)
    monkeypatch.setattr(PressRoom, "expect", lambda room, editions: expected.extend(editions))
    (home / "inbox" / "a.jsonl").write_text(papers("A Robot"))
    with build.only_service(load(home / "digestd.toml")) if served else nullcontext():
        assert "1 edition with" in digestd("run-once").stdout
    assert expected == ([] if served else [1])


def test_why_tells_what_was_sent_and_what_was_not(filled: Command) -> None:
    assert "will be in the next edition" in filled("why", "ada@example.org", "A Robot").output
    filled("publish")
    told = filled("why", "ada@example.org", "A Robot").output
    assert "It is in the edition daily:" in told
    assert "yes  robot: title +2.00, abstract +1.00" in told
    assert "left out by the exclusion graph" in filled("why", "ada@example.org", "Robot Graphs").output
    assert json.loads(filled("why", "ada@example.org", "A Graph", "--json").stdout)["conclusion"].startswith(
        "It was not"
    )
    several = filled("why", "ada@example.org", "robot")
    assert several.exit_code == 1
    assert "which of these?" in several.stderr
    assert filled("why", "ada@example.org", "nothing").exit_code == 1
    assert "did you mean ada@example.org?" in filled("why", "adda@example.org", "A Robot").stderr


def test_preview_shows_what_publish_then_composes_and_marks_nothing(filled: Command, home: Path) -> None:
    shown = filled("preview", "ada@example.org", "--html", "a.html", "--text", "a.txt")
    assert shown.exit_code == 0
    assert "Robot</b>" in (home / "a.html").read_text()
    assert "A *Robot*" in (home / "a.txt").read_text()
    assert objects(filled("publish", "--json"))[0]["editions"] == 2
    assert "nothing new matches" in filled("preview", "ada@example.org").stderr
    assert filled("preview").output.startswith("Subject: ")
    missing = filled("preview", "--html", "none/x.html")
    assert (missing.exit_code, missing.stderr) == (1, "digestd: none/x.html: no such file or directory\n")
    everything = filled("preview", "--all", "--html", "all.html")
    page = (home / "all.html").read_text()
    assert (everything.exit_code, page.count("<iframe ")) == (0, int(everything.stderr.split()[1]))
    assert all(words in page for words in ("Digest", "Notice", "Subscribe, tried", "Quarantine"))
    assert filled("preview", "--all").exit_code == 2


def test_check_says_every_problem_and_exits_78(digestd: Command, home: Path) -> None:
    assert "sound; 2 subscribers with 2 profiles" in digestd("check").output
    (home / "subscribers.toml").write_text(reader("ada", "robot AND") + reader("ben", "(graph"))
    result = digestd("check")
    assert result.exit_code == 78
    assert [re.search(r"line (\d+), column", line) is not None for line in result.stderr.splitlines()] == [True, True]
    (home / "digestd.toml").write_text('[smtp]\nhots = "x"\n')
    assert digestd("check").exit_code == 78
    assert "did you mean smtp.host?" in digestd("run-once").stderr


def test_check_bad_template_is_named(digestd: Command, home: Path) -> None:
    (home / "mine" / "mail").mkdir(parents=True)
    (home / "mine" / "mail" / "footer.html.j2").write_text("{% if %}")
    text = (home / "digestd.toml").read_text().replace('inbox = "inbox"', 'inbox = "inbox"\ntemplates = "mine"')
    (home / "digestd.toml").write_text(text)
    result = digestd("check")
    assert result.exit_code == 78
    assert "mail/footer.html.j2, line 1" in result.stderr


def test_profile_with_a_mistake_is_said_and_the_others_go_on(filled: Command, home: Path) -> None:
    (home / "subscribers.toml").write_text(reader("ada", "robot AND") + reader("ben", "graph"))
    result = filled("publish", "--json")
    assert result.exit_code == 1
    assert "the query 'robot AND'" in result.stderr
    assert objects(result)[0]["editions"] == 1


def test_config_dump_masks_secrets_and_sample_passes_check(
    digestd: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGESTD_SMTP__PASSWORD", "s3cret")
    dumped = digestd("config", "dump", "--json")
    assert "s3cret" not in dumped.output + digestd("config", "dump").output
    assert json.loads(dumped.stdout)["smtp"]["password"] == "**********"
    monkeypatch.delenv("DIGESTD_SMTP__PASSWORD")
    for name, option in (("digestd.toml", []), ("subscribers.toml", ["--subscribers"])):
        (home / name).write_text(digestd("config", "sample", *option).stdout)
    assert digestd("check").exit_code == 0


def test_subscribers_are_added_paused_resumed_removed_and_listed(digestd: Command) -> None:
    assert digestd("subscribers", "add", "eve@example.org", "--query", "cat", "--name", "Eve").exit_code == 0
    for command, state in (("pause", "paused"), ("resume", "active"), ("remove", "unsubscribed")):
        assert digestd("subscribers", command, "eve@example.org").exit_code == 0
        assert json.loads(digestd("subscribers", "show", "eve@example.org", "--json").stdout)["state"] == state
    assert "follows  cat" in digestd("subscribers", "show", "EVE@example.org").output
    assert "eve@example.org" in digestd("subscribers", "list").output
    assert len(objects(digestd("subscribers", "list", "--json"))) == 3
    assert digestd("subscribers", "add", "nobody", "--query", "cat").exit_code == 1
    assert digestd("subscribers", "add", "x@example.org", "--query", "(cat").exit_code == 1
    assert "did you mean ada@example.org?" in digestd("subscribers", "show", "adda@example.org").stderr


def test_outbox_is_listed_shown_and_settled(filled: Command) -> None:
    assert "the outbox is empty" in filled("outbox", "list").output
    filled("publish")
    filled("deliver")
    rows = objects(filled("outbox", "list", "--json"))
    assert {(row["state"], row["email"]) for row in rows} == {
        ("ready", "ada@example.org"),
        ("ready", "ben@example.org"),
    }
    assert "2 ready" in filled("outbox", "list").output
    shown = json.loads(filled("outbox", "show", "1", "--json").stdout)
    assert [line["state"] for line in shown["ledger"]] == ["deferred"]
    assert "onnection refused" in filled("outbox", "show", str(rows[0]["edition_id"])[:8]).output
    assert filled("outbox", "release", "1").exit_code == 0
    result = filled("outbox", "retry", "1")
    assert (result.exit_code, "is ready; this takes one that is failed or uncertain" in result.stderr) == (1, True)
    assert filled("outbox", "resolve", "1", "--as", "sent").exit_code == 0
    assert filled("outbox", "resolve", "1", "--as", "cancelled").exit_code == 1
    assert "was not held; it sends from now on; 1 edition waiting" in filled("outbox", "release").output
    assert filled("outbox", "show", "99").exit_code == 1


def test_pipe_that_closes_early_ends_quietly() -> None:
    command = f"{sys.executable} -m digestd parse {SEEDS} --json | head -1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


async def test_run_once_over_smtp_delivers_to_everybody(home: Path) -> None:
    async with SmtpScript() as relay:
        text = (home / "digestd.toml").read_text().replace("port = 1\n", f"port = {relay.port}\n")
        (home / "digestd.toml").write_text(text)
        (home / "inbox" / "a.jsonl").write_text(papers("A Robot", "A Graph"))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "digestd", "run-once", "--json", stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "DIGESTD_CONFIG": str(home / "digestd.toml")}, cwd=ROOT,
        )  # fmt: skip
        out, _ = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 0
        assert json.loads(out)["deliver"]["sent"] == 2
        assert sorted(message.recipients[0] for message in relay.messages) == ["ada@example.org", "ben@example.org"]
