"""Many small files at once: one commit for them, a kill anywhere loses nothing, and each still has its own report."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import pytest
from support.fail_points import Fault, kill_at
from support.inbox_room import drop, ingest, names
from support.office_files import configured
from support.processes import finished
from support.world import World, papers

from digestd.ingest import inbox, stage
from digestd.store.open import SqliteStore

GOOD = {f"{number}.jsonl": papers(f"Paper {number}") for number in range(5)}
HALF, BAD = papers("Half") + '{"title": ""}\n', "no known format\n"
MIXED = {"half.jsonl": HALF, "bad.txt": BAD, "same.jsonl": GOOD["0.jsonl"]}


def counted(monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> list[object]:
    """Return a list that every call of a function is put down in."""
    real, calls = getattr(owner, name), []

    def call(*arguments: object, **options: object) -> object:
        calls.append(arguments)
        return real(*arguments, **options)

    monkeypatch.setattr(owner, name, call)
    return calls


def test_small_files_share_a_commit_and_what_is_synced(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (GOOD | MIXED).items():
        drop(world, name, text)
    commits = counted(monkeypatch, world.store.papers, "add")
    synced = counted(monkeypatch, inbox, "sync_folder")
    reports = {report.file: report for report in ingest(world)}
    assert len(commits) == 1
    before = len(synced)
    assert {name: reports[name].new for name in GOOD} == dict.fromkeys(GOOD, 1)
    assert (reports["half.jsonl"].new, reports["half.jsonl"].bad) == (1, 1)
    assert reports["bad.txt"].refused is not None
    assert reports["same.jsonl"].repeated
    assert names(world.settings.paths.inbox) == []
    assert names(world.settings.paths.archive) == sorted([*GOOD, "half.jsonl", "same.jsonl"])
    assert names(world.settings.paths.quarantine) == ["bad.txt", "bad.txt.reason", "half.jsonl.bad-records"]
    for number in range(50):
        drop(world, f"more {number}.jsonl", papers(f"More {number}"))
    assert len(ingest(world)) == 50
    assert len(synced) - before == 2  # the archive once, the inbox once


@pytest.mark.parametrize(("together", "heavy", "commits"), [(2, 10**6, 3), (100, 1, 5), (100, 10**6, 1)])
def test_batch_ends_with_a_number_of_files_or_of_bytes(
    world: World, monkeypatch: pytest.MonkeyPatch, together: int, heavy: int, commits: int
) -> None:
    monkeypatch.setattr(stage, "TOGETHER", together)
    monkeypatch.setattr(stage, "HEAVY", heavy)
    for name, text in GOOD.items():
        drop(world, name, text)
    calls = counted(monkeypatch, world.store.papers, "add")
    assert [report.new for report in ingest(world)] == [1] * 5
    assert len(calls) == commits


def test_store_that_fails_keeps_every_file_of_the_batch_in_the_inbox(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in GOOD.items():
        drop(world, name, text)

    def full(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(world.store.papers, "add", full)
    with pytest.raises(Exception, match="the disk is full"):
        ingest(world)
    monkeypatch.undo()
    assert names(world.settings.paths.inbox) == sorted(GOOD)
    assert [report.new for report in ingest(world)] == [1] * 5


@pytest.mark.parametrize(
    ("fault", "archived"),
    [
        (kill_at("digestd.store.papers:SqlitePapers.gather", 3), 0),
        (kill_at("digestd.store.adding:Adding.add", 4), 0),
        (kill_at("digestd.store.papers:SqlitePapers.add", after=True), 0),
        (kill_at("digestd.ingest.stage:quarantine", after=True), 0),
        (kill_at("digestd.ingest.stage:put_beside", after=True), 0),
        (kill_at("digestd.ingest.inbox:_move"), 0),
        (kill_at("digestd.ingest.inbox:_link", 4, after=True), 3),
        (kill_at("digestd.ingest.inbox:_leave", 2), 7),
        (kill_at("digestd.ingest.inbox:_leave", 4, after=True), 7),
    ],
    ids=[
        "while it reads", "in the transaction", "after the commit", "after a quarantine", "after the bad are listed",
        "between a note and its file",
        "between the new names", "before the old names go", "between the old names",
    ],
)  # fmt: skip
async def test_kill_anywhere_in_a_batch_loses_nothing_and_counts_each_file_once(
    tmp_path: Path, fault: Fault, archived: int
) -> None:
    config = configured(tmp_path, 9)
    (tmp_path / "subscribers.toml").write_text("")
    (tmp_path / "inbox").mkdir()
    for number, (name, text) in enumerate((GOOD | MIXED).items()):
        (tmp_path / "inbox" / name).write_text(text)
        os.utime(tmp_path / "inbox" / name, (number, number))
    status, said = await finished(config, "run-once", fault=fault)
    assert status == -signal.SIGKILL, said
    standing = {path.read_text() for path in tmp_path.glob("*/**/*") if path.is_file()}
    assert standing >= {*GOOD.values(), *MIXED.values()}
    assert len(names(tmp_path / "archive")) == archived
    await finished(config, "run-once")
    assert names(tmp_path / "inbox") == []
    kept = Counter(path.read_text() for path in (tmp_path / "archive").rglob("*") if path.is_file())
    assert kept == Counter([*GOOD.values(), HALF, MIXED["same.jsonl"]])
    assert names(tmp_path / "quarantine") == ["bad.txt", "bad.txt.reason", "half.jsonl.bad-records"]
    store = SqliteStore(tmp_path / "digestd.db")
    try:
        assert sorted(one.paper.title for one in store.papers.all()) == ["Half", *(f"Paper {n}" for n in range(5))]
        assert store.stats()["digest_files"] == 6
    finally:
        store.close()
