"""`fetch` and `quarantine` from the command line."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from support.command_line import Command, objects
from support.http_script import http_script, ok
from support.processes import digestd as running
from support.serving import Served
from support.world import papers

from digestd.config import load
from digestd.service import build


def configured(home: Path, url: str) -> None:
    config = home / "digestd.toml"
    config.write_text(config.read_text() + f'\n[[source]]\nname = "nests"\nurl = "{url}"\nallow_private = true\n')


def test_fetch_brings_a_source_into_the_inbox_once_until_it_is_asked_by_name(digestd: Command, home: Path) -> None:
    with http_script(ok(papers("A Robot").encode(), 'ETag: "x"'), b"HTTP/1.1 304 Not Modified\r\n\r\n") as server:
        configured(home, server.url)
        (first,) = objects(digestd("fetch", "--json"))
        assert {"source", "address", "file", "size", "said", "next_at", "failed"} == first.keys()
        assert (first["source"], first["failed"]) == ("nests", False)
        assert digestd("fetch").output == "no source is due\n"
        assert "nothing new" in digestd("fetch", "nests").output
    ran = objects(digestd("run-once", "--json"))[0]
    assert [(file["file"], file["new"]) for file in ran["files"]] == [(first["file"], 1)]  # type: ignore[index]


def test_run_once_fetches_what_is_due_and_goes_on_when_a_source_fails(digestd: Command, home: Path) -> None:
    with http_script(ok(papers("A Robot").encode(), 'ETag: "x"'), ok(b"", status="500 Oops")) as server:
        configured(home, server.url)
        rehearsed = objects(digestd("run-once", "--json", "--now", "2026-11-24T09:00"))[0]
        assert (rehearsed["sources"], server.asked) == ([], [])
        ran = objects(digestd("run-once", "--json"))[0]
        assert [one["failed"] for one in ran["sources"]] == [False]  # type: ignore[index]
        assert [file["new"] for file in ran["files"]] == [1]  # type: ignore[index]
        assert objects(digestd("run-once", "--json"))[0]["sources"] == []
        assert len(server.asked) == 1
        configured(home, f"{server.url}&more")
        config = home / "digestd.toml"
        config.write_text(config.read_text().replace('"nests"', '"other"', 1))
        failed = digestd("run-once")
        assert failed.exit_code == 1
        assert "&more: it answered 500 Oops" in failed.stderr
        assert "&more" not in digestd("run-once").stderr


def test_run_once_beside_a_daemon_leaves_its_sources_to_it_and_does_the_rest(digestd: Command, home: Path) -> None:
    with http_script(ok(papers("A Robot").encode())) as server:
        configured(home, server.url)
        (home / "inbox" / "one.jsonl").write_text(papers("A Graph"))
        with build.only_service(load(home / "digestd.toml")):
            ran = objects(digestd("run-once", "--json"))[0]
        assert (ran["sources"], server.asked) == ([], [])
        assert [file["file"] for file in ran["files"]] == ["one.jsonl"]  # type: ignore[index]
        assert len(objects(digestd("run-once", "--json"))[0]["sources"]) == 1  # type: ignore[arg-type]


def test_fetch_that_fails_is_said_and_exits_1(digestd: Command, home: Path) -> None:
    with http_script(ok(b"", status="404 Not Found")) as server:
        configured(home, server.url)
        result = digestd("fetch")
        assert result.exit_code == 1
        assert f"nests: {server.url}: it answered 404 Not Found" in result.stderr
    unknown = digestd("fetch", "nothing")
    assert (unknown.exit_code, "there are nests" in unknown.stderr) == (1, True)


def test_fetch_of_a_private_address_is_refused(digestd: Command, home: Path) -> None:
    configured(home, "http://127.0.0.1:9/")
    config = home / "digestd.toml"
    config.write_text(config.read_text().replace("allow_private = true\n", ""))
    assert "leads to 127.0.0.1, which is no public address" in digestd("fetch").stderr


async def test_ingest_watch_takes_what_lies_in_the_inbox_and_what_comes_until_it_is_told_to_end(home: Path) -> None:
    config = home / "digestd.toml"
    config.write_text(config.read_text().replace("settle_seconds = 0", "settle_seconds = 0.2"))
    (home / "inbox" / "one.jsonl").write_text(papers("A Robot"))
    async with running(config, "ingest", "--watch", "--json", log="watch.log") as process:
        served = Served(process, home / "watch.log")
        await served.says('"file": "one.jsonl"')
        (home / "inbox" / "bad.txt").write_text("hm")
        await served.says('"file": "bad.txt"')
        served.send(signal.SIGTERM)
        assert await served.ended() == 0
        assert list((home / "inbox").iterdir()) == []
        assert "its format is not known" in served.log


@pytest.mark.parametrize("arguments", [[], ["--watch", "a.jsonl"], ["--watch", "--format", "ris"]])
def test_ingest_of_nothing_or_of_files_while_watching_is_wrong_usage(digestd: Command, arguments: list[str]) -> None:
    result = digestd("ingest", *arguments)
    assert (result.exit_code, "Name files, or give --watch alone" in result.output) == (2, True)


def test_ingest_as_a_format_of_which_nothing_is_in_the_file_refuses_it_and_counts_nothing(
    digestd: Command, home: Path
) -> None:
    (home / "a.jsonl").write_text(papers("A Robot"))
    for command in ("parse", "ingest"):
        wrong = digestd(command, "a.jsonl", "--format", "ris")
        assert (wrong.exit_code, "a.jsonl: nothing in it is of the format ris" in wrong.stderr) == (1, True)
    assert objects(digestd("ingest", "a.jsonl", "--json"))[0]["new"] == 1
    (home / "b.xml").write_text("<rss><channel><title>A day without papers</title></channel></rss>")
    assert digestd("ingest", "b.xml", "--format", "feed").exit_code == 0


@pytest.fixture
def refused(digestd: Command, home: Path) -> Command:
    (home / "bad.txt").write_text("hm, a text\n\x1b[2J")
    (home / "part.jsonl").write_text(papers("One") + "{bad\n")
    for name in ("bad.txt", "part.jsonl"):
        (home / name).rename(home / "inbox" / name)
    digestd("run-once")
    return digestd


def test_quarantine_lists_and_shows_what_was_refused_and_why(refused: Command) -> None:
    found = {record["file"]: record for record in objects(refused("quarantine", "list", "--json"))}
    assert found["bad.txt"]["reason"].startswith("its format is not known")  # type: ignore[union-attr]
    assert found["part.jsonl.bad-records"]["reason"] == "1 bad records; the others were taken"
    assert "bad.txt" in refused("quarantine", "list").output
    shown = refused("quarantine", "show", "bad.txt", "part.jsonl.bad-records").output
    assert "bad.txt: its format is not known" in shown
    assert "hm, a text\n\\x1b[2J\n" in shown
    assert "line 2: not valid JSON" in shown


def test_quarantine_retry_puts_a_file_back_into_the_inbox(refused: Command, home: Path) -> None:
    (quarantined,) = home.rglob("bad.txt")
    quarantined.write_text(papers("Corrected"))
    assert "bad.txt is in the inbox again, as bad.txt" in refused("quarantine", "retry", "bad.txt").output
    assert list(home.rglob("bad.txt.reason")) == []
    ran = objects(refused("run-once", "--json"))[0]
    assert [(file["file"], file["new"]) for file in ran["files"]] == [("bad.txt", 1)]  # type: ignore[index]


def test_quarantine_of_what_is_not_there_or_no_file_says_so(refused: Command, digestd: Command) -> None:
    for name in ("nothing", "../digestd.toml", "bad.txt.reason"):
        result = refused("quarantine", "show", name)
        assert (result.exit_code, "is not in the quarantine" in result.stderr) == (1, True)
    assert refused("quarantine", "retry", "part.jsonl.bad-records").exit_code == 1
    refused("quarantine", "retry", "bad.txt")
    assert "bad.txt" not in refused("quarantine", "list").output
