"""The inbox when things go wrong around it: files that move, folders that fail, crashes. Nothing is lost or blocked."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.inbox_room import drop, ingest, names
from support.world import World, papers

from digestd.errors import DigestdError, FileRefused
from digestd.ingest import inbox, stage
from digestd.ingest.inbox import Changed, archive, quarantine, scan
from digestd.ingest.stage import ingest_file

BAD = "no known format\n"


def during_the_commit(world: World, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Let `act` happen after a file's papers were committed and before the file is put away."""
    real = world.store.papers.add

    def add(*arguments: object) -> object:
        counts = real(*arguments)  # type: ignore[arg-type]
        act()
        return counts

    monkeypatch.setattr(world.store.papers, "add", add)


def failing(real: Callable[..., object], code: int, times: int = 99) -> Callable[..., object]:
    """Return a system call that fails the first `times` with this errno."""
    left = [times]

    def call(*arguments: object, **options: object) -> object:
        left[0] -= 1
        if left[0] >= 0:
            raise OSError(code, os.strerror(code), str(arguments[0]))
        return real(*arguments, **options)

    return call


def test_file_that_vanishes_while_it_is_waited_for_is_nobodys_failure(world: World) -> None:
    path = drop(world, "a.jsonl")
    assert ingest(world, lambda _: path.unlink()) == []
    assert names(world.settings.paths.inbox) == []


def test_file_that_vanishes_behind_its_commit_is_ingested(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = drop(world, "a.jsonl")
    during_the_commit(world, monkeypatch, path.unlink)
    (report,) = ingest(world)
    assert (report.new, report.refused) == (1, None)


def test_file_that_goes_on_growing_while_it_is_waited_for_is_left(world: World) -> None:
    path = drop(world, "a.jsonl")

    def grow(_: float) -> None:
        path.write_text(papers("One", "Two"))

    assert ingest(world, grow) == []
    assert world.store.papers.newest() == 0
    assert ingest(world)[0].new == 2


def test_file_that_takes_the_name_behind_the_commit_is_not_archived_unread(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = drop(world, "a.jsonl")
    other = drop(world, ".other", papers("Two"))
    during_the_commit(world, monkeypatch, lambda: other.replace(path))
    (report,) = ingest(world)
    assert report.new == 1
    assert names(world.settings.paths.inbox) == ["a.jsonl"]
    assert names(world.settings.paths.archive) == []
    monkeypatch.undo()
    assert ingest(world)[0].new == 1
    assert world.store.papers.newest() == 2


def test_file_that_takes_the_name_between_link_and_removal_stays(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = drop(world, "a.jsonl")
    other = drop(world, ".other", papers("Two"))
    seen = path.lstat()
    real = os.link

    def link(*arguments: object, **options: object) -> None:
        real(*arguments, **options)  # type: ignore[arg-type]
        other.replace(path)

    monkeypatch.setattr(inbox.os, "link", link)
    [(failed, why)] = archive([(path, seen)], tmp_path / "archive", date(2026, 11, 23))
    assert (failed, type(why)) == (path, Changed)
    assert path.read_text() == papers("Two")
    assert names(tmp_path / "archive") == []


def test_half_a_file_is_not_blamed_while_the_other_half_arrives(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = drop(world, "a.jsonl", papers("One")[:-9])
    real = stage.formats.chosen

    def slow(*arguments: object) -> object:
        path.write_text(papers("One"))
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(stage.formats, "chosen", slow)
    assert ingest(world) == []
    assert not world.settings.paths.quarantine.exists()
    monkeypatch.undo()
    assert ingest(world)[0].new == 1


def test_link_that_takes_the_place_of_a_file_is_never_followed(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(papers("Secret"))
    path = drop(world, "a.jsonl")

    def swap(_: float) -> None:
        path.unlink()
        path.symlink_to(secret)

    assert ingest(world, swap) == []
    monkeypatch.setattr(stage, "still", lambda *_: None)
    status = secret.stat()
    with pytest.raises(FileRefused, match="too many levels of symbolic links"):
        stage._read(world.store.papers, path, 10**6, None, status)
    assert world.store.papers.newest() == 0


def test_crash_between_link_and_removal_keeps_the_file_and_counts_it_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(world, "a.jsonl")

    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "unlink", crash)
    with pytest.raises(KeyboardInterrupt):
        ingest(world)
    monkeypatch.undo()
    assert names(world.settings.paths.inbox) == names(world.settings.paths.archive) == ["a.jsonl"]
    (report,) = ingest(world)
    assert (report.repeated, report.new) == (True, 0)
    assert names(world.settings.paths.inbox) == []
    assert world.store.papers.newest() == 1


@pytest.mark.parametrize("folder", ["quarantine", "archive"])
def test_folder_that_cannot_be_used_keeps_no_other_file_from_being_ingested(world: World, folder: str) -> None:
    getattr(world.settings.paths, folder).write_text("a file in the way")
    old = drop(world, "0-old", BAD)
    os.utime(old, (1, 1))
    drop(world, "1.jsonl", papers("One"))
    drop(world, "2.jsonl", papers("Two"))
    ingested = world.rounds.ingest(wait=lambda _: None)
    reports = list(itertools.islice(ingested, 3))
    with pytest.raises(DigestdError, match=f"{folder}: file exists"):
        next(ingested)
    assert [report.new for report in reports] == [0, 1, 1]
    assert reports[0].refused is not None
    kept = {"quarantine": ["0-old"], "archive": ["1.jsonl", "2.jsonl"]}
    assert names(world.settings.paths.inbox) == kept[folder]


def test_system_that_is_short_of_handles_blames_no_file(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    drop(world, "a.jsonl")
    drop(world, "b.jsonl", papers("Two"))
    monkeypatch.setattr(stage.os, "open", failing(os.open, errno.EMFILE, times=1))
    with pytest.raises(DigestdError, match=r"a\.jsonl: too many open files"):
        ingest(world)
    monkeypatch.undo()
    assert names(world.settings.paths.inbox) == ["a.jsonl"]
    assert not world.settings.paths.quarantine.exists()
    assert ingest(world)[0].new == 1


def test_file_that_may_not_be_read_is_quarantined_with_the_reason(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(world, "a.jsonl")
    monkeypatch.setattr(stage.os, "open", failing(os.open, errno.EACCES, times=1))
    (report,) = ingest(world)
    assert report.refused == "it cannot be read: permission denied"
    assert (world.settings.paths.quarantine / "a.jsonl.reason").read_text() == f"a.jsonl: {report.refused}\n"


@pytest.mark.parametrize("content", [papers("One"), BAD], ids=["archive", "quarantine"])
def test_name_that_another_process_takes_first_gets_the_next_try(
    world: World, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    drop(world, "a.jsonl", content)
    monkeypatch.setattr(inbox.os, "link", failing(os.link, errno.EEXIST, times=2))
    assert len(ingest(world)) == 1
    monkeypatch.undo()
    assert names(world.settings.paths.inbox) == []
    put = names(world.settings.paths.archive) + names(world.settings.paths.quarantine)
    assert put in (["a.jsonl"], ["a.jsonl", "a.jsonl.reason"])


def test_quarantine_of_a_file_that_is_gone_leaves_no_note(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("x")
    seen = path.lstat()
    path.unlink()
    with pytest.raises(FileNotFoundError):
        quarantine(path, tmp_path / "quarantine", "because", seen)
    path.write_text("another one")
    with pytest.raises(Changed):
        quarantine(path, tmp_path / "quarantine", "because", seen)
    assert names(tmp_path / "quarantine") == []


def test_other_file_system_takes_files_links_and_the_note_of_a_pipe(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(world, "a.jsonl")
    drop(world, "b", BAD)
    (world.settings.paths.inbox / "link").symlink_to("/nowhere")
    os.mkfifo(world.settings.paths.inbox / "pipe")
    monkeypatch.setattr(inbox.os, "link", failing(os.link, errno.EXDEV))
    assert len(ingest(world)) == 4
    assert names(world.settings.paths.inbox) == []
    assert names(world.settings.paths.archive) == ["a.jsonl"]
    assert names(world.settings.paths.quarantine) == ["b", "b.reason", "link", "link.reason", "pipe.reason"]
    assert (world.settings.paths.quarantine / "link").readlink() == Path("/nowhere")


def test_other_failure_of_a_link_is_no_reason_to_copy(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    drop(world, "a.jsonl")
    monkeypatch.setattr(inbox.os, "link", failing(os.link, errno.ENOSPC))
    with pytest.raises(DigestdError, match="no space left on device"):
        ingest(world)
    assert names(world.settings.paths.inbox) == ["a.jsonl"]


def test_scan_of_a_folder_that_is_missing_or_whose_file_goes_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(scan(tmp_path / "none")) == []

    class Gone:
        name, path = "a", "a"

        def stat(self, *, follow_symlinks: bool) -> os.stat_result:
            assert not follow_symlinks
            raise FileNotFoundError

    class Listing(list[Gone]):
        def __enter__(self) -> Listing:
            return self

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(inbox.os, "scandir", lambda _: Listing([Gone()]))
    assert list(scan(tmp_path)) == []


def test_scan_yields_the_oldest_content_first(tmp_path: Path) -> None:
    for name, stamp in (("a", 30), ("b", 10), ("c", 20), ("d", 10)):
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, (stamp, stamp))
    assert [arrival.path.name for arrival in scan(tmp_path)] == ["b", "d", "c", "a"]


def test_scan_names_what_is_no_file(tmp_path: Path) -> None:
    os.mknod(tmp_path / "socket", 0o140644)
    (arrival,) = scan(tmp_path)
    assert arrival.refused == "it is a socket, not a regular file"
    assert inbox._kind(0o060644) == "a device"


@pytest.mark.parametrize(
    ("passed", "unrest"), [(0, 60), (10, 50), (59.5, 0.5), (60, 0), (10**6, 0), (-10, 50), (-61, 0), (-(10**6), 0)]
)
def test_unrest_counts_from_the_last_change_whatever_the_clock_did(
    tmp_path: Path, passed: float, unrest: float
) -> None:
    (tmp_path / "a").write_text("x")
    os.utime(tmp_path / "a", (1, 1))  # as a copier that keeps times does: the content is old, the file is not
    (arrival,) = scan(tmp_path)
    assert arrival.unrest(60, arrival.status.st_ctime + passed) == pytest.approx(unrest, abs=1e-3)


def test_ten_files_that_came_together_are_waited_for_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(10):
        path = drop(world, f"{number}.jsonl", papers(f"Paper {number}"))
    now = [path.stat().st_ctime]
    waited = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(stage, "time", SimpleNamespace(time=lambda: now[0]))
    assert sum(report.new for report in ingest(world, wait)) == 10
    assert 0 < sum(waited) <= world.settings.ingest.settle_seconds


def test_same_content_under_two_names_is_counted_once_and_both_are_put_away(world: World) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        drop(world, name)
    assert sorted((report.repeated, report.new) for report in ingest(world)) == [(False, 1), (True, 0)]
    assert names(world.settings.paths.archive) == ["a.jsonl", "b.jsonl"]


def test_content_that_another_process_commits_meanwhile_is_repeated(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = drop(world, "a.jsonl")
    assert ingest_file(world.store.papers, path, 10**6, world.now).new == 1
    monkeypatch.setattr(world.store.papers, "ingested", lambda _: False)
    assert ingest_file(world.store.papers, path, 10**6, world.now).repeated
