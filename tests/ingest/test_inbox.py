"""The inbox: which files are taken, where each ends up, and that a content counts once."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from support.inbox_room import drop, ingest, names
from support.world import World, papers

from digestd.errors import DigestdError
from digestd.ingest import inbox
from digestd.ingest.stage import ingest_given
from digestd.service import build


def test_inbox_good_file_is_archived_by_day_and_counted_once(world: World) -> None:
    drop(world, "a.jsonl", papers("One", "Two"))
    (report,) = ingest(world)
    assert (report.papers, report.new, report.revised, report.duplicate, report.bad) == (2, 2, 0, 0, 0)
    assert names(world.settings.paths.archive) == ["a.jsonl"]
    assert (world.settings.paths.archive / "2026-11-23" / "a.jsonl").exists()
    drop(world, "a.jsonl", papers("One", "Two"))
    (again,) = ingest(world)
    assert (again.repeated, again.papers) == (True, 0)
    assert names(world.settings.paths.archive) == ["a.jsonl", "a.jsonl.2"]


def test_inbox_crash_before_the_archive_does_not_count_twice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    drop(world, "a.jsonl")
    monkeypatch.setattr("digestd.ingest.stage.archive", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        ingest(world)
    monkeypatch.undo()
    (report,) = ingest(world)
    assert report.repeated
    assert world.store.papers.newest() == 1
    assert names(world.settings.paths.inbox) == []


def test_inbox_what_is_no_regular_file_is_put_aside_unopened(world: World, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(papers("Secret"))
    (world.settings.paths.inbox / "link.jsonl").symlink_to(secret)
    os.mkfifo(world.settings.paths.inbox / "pipe")
    (world.settings.paths.inbox / "folder").mkdir()
    reports = {report.file: report.refused for report in ingest(world)}
    assert reports == {
        "link.jsonl": "it is a symbolic link, not a regular file",
        "pipe": "it is a named pipe, not a regular file",
    }
    assert world.store.papers.newest() == 0
    assert secret.exists()
    assert (world.settings.paths.quarantine / "link.jsonl").is_symlink()
    assert (world.settings.paths.quarantine / "pipe.reason").read_text().endswith("not a regular file\n")


def test_inbox_unfinished_and_hidden_names_are_left(world: World) -> None:
    for name in (".hidden", "a.part", "b.tmp", "c.crdownload", "d~"):
        drop(world, name)
    assert ingest(world) == []
    assert len(names(world.settings.paths.inbox)) == 5


@pytest.mark.parametrize(
    "name", [b"new\nline", b"\x1b[31mred", b"\xff\xfe", b"x" * 255, "\u202etxt.jsonl".encode(), b"'; --"]
)
def test_inbox_hostile_name_is_taken_and_shown_harmless(world: World, name: bytes) -> None:
    drop(world, name)
    (report,) = ingest(world)
    assert report.new == 1
    assert report.file.isprintable()
    assert names(world.settings.paths.inbox) == []
    drop(world, name, "unknown")
    (refused,) = ingest(world)
    assert refused.refused is not None
    assert len(list(world.settings.paths.quarantine.iterdir())) == 2


def test_inbox_refused_files_of_one_name_do_not_overwrite_one_another(world: World) -> None:
    for content in ("first", "second"):
        drop(world, "a.txt", content)
        ingest(world)
    assert names(world.settings.paths.quarantine) == ["a.txt", "a.txt.2", "a.txt.2.reason", "a.txt.reason"]


def test_inbox_bad_records_are_listed_beside_and_the_file_archived(world: World) -> None:
    drop(world, "a.jsonl", papers("One") + "{bad\n")
    (report,) = ingest(world)
    assert (report.new, report.bad, report.bad_records[0].line) == (1, 1, 2)
    assert names(world.settings.paths.quarantine) == ["a.jsonl.bad-records"]
    assert (world.settings.paths.quarantine / "a.jsonl.bad-records").read_text().startswith("line 2: not valid JSON")


def test_inbox_file_without_any_paper_is_refused_and_nothing_stored(world: World) -> None:
    drop(world, "a.jsonl", '{"title": ""}\n')
    (report,) = ingest(world)
    assert report.refused == "no paper was found in it: line 1: the title is missing"


def test_inbox_young_file_waits_until_it_rests(world: World) -> None:
    drop(world, "a.jsonl")
    left: list[float] = []
    assert list(world.rounds.ingest(left=left.append)) == []
    assert [0 < seconds <= world.settings.ingest.settle_seconds for seconds in left] == [True]
    waited: list[float] = []
    (report,) = world.rounds.ingest(wait=waited.append)
    assert report.new == 1
    assert 0 < waited[0] <= world.settings.ingest.settle_seconds


def test_inbox_file_that_changes_while_it_is_read_is_left(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = drop(world, "a.jsonl", papers("One"))
    real = world.store.papers.gather

    def slow(*arguments: object) -> object:
        with path.open("a") as file:
            file.write(papers("Two"))
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(world.store.papers, "gather", slow)
    assert ingest(world) == []
    assert world.store.papers.newest() == 0
    monkeypatch.undo()
    assert ingest(world)[0].new == 2


def test_inbox_on_another_file_system_than_the_archive(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, "another file system")

    monkeypatch.setattr(inbox.os, "link", refuse)
    drop(world, "a.jsonl")
    drop(world, "b.txt", "unknown")
    (world.settings.paths.inbox / "link").symlink_to("nowhere")
    ingest(world)
    assert names(world.settings.paths.archive) == ["a.jsonl"]
    assert names(world.settings.paths.quarantine) == ["b.txt", "b.txt.reason", "link", "link.reason"]
    assert names(world.settings.paths.inbox) == []


def test_inbox_archive_that_cannot_be_written_is_one_sentence(world: World) -> None:
    world.settings.paths.archive.write_text("a file in the way")
    drop(world, "a.jsonl")
    with pytest.raises(DigestdError, match="archive.*not a directory|archive.*exists"):
        ingest(world)
    assert names(world.settings.paths.inbox) == ["a.jsonl"]


def test_given_file_stays_and_a_refused_one_is_copied_to_the_quarantine(world: World, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.txt"
    good.write_text(papers("One"))
    bad.write_text("unknown")
    folders = build.folders(world.settings)
    reports = [ingest_given(world.store.papers, path, folders, world.now) for path in (good, bad)]
    assert (reports[0].new, reports[1].refused is not None) == (1, True)
    assert good.exists()
    assert bad.exists()
    assert names(world.settings.paths.quarantine) == ["bad.txt", "bad.txt.reason"]


def test_work_known_by_title_is_known_again_with_an_id(world: World) -> None:
    first = '{"title": "On Robots: A Study", "abstract": "Short."}\n'
    second = '{"title": "On robots - a study", "id": "arXiv:2310.10637v2", "authors": ["Doe, Jane"]}\n'
    older = '{"title": "On Robots, First Draft", "id": "arXiv:2310.10637v1", "abstract": "Old."}\n'
    other = '{"title": "On Robots: A Study", "id": "arXiv:2401.00001", "authors": ["A. Other"]}\n'
    counts = []
    for number, text in enumerate((first, second, older, other)):
        drop(world, f"{number}.jsonl", text)
        (report,) = ingest(world)
        counts.append((report.new, report.revised, report.duplicate))
    assert counts == [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 0)]
    known, another = world.store.papers.all()
    assert (known.paper.id, known.paper.abstract, known.paper.version) == ("arXiv:2310.10637", "Short.", 2)
    assert known.paper.url == "https://arxiv.org/abs/2310.10637"
    assert another.paper.id == "arXiv:2401.00001"


def test_revision_changes_the_paper_but_not_its_place(world: World) -> None:
    drop(world, "1.jsonl", '{"title": "T one", "id": "doi:10.1000/x", "abstract": "A.", "version": 1}\n')
    drop(world, "2.jsonl", '{"title": "T two", "id": "https://doi.org/10.1000/X", "version": 2}\n')
    ingest(world)
    (paper,) = world.store.papers.all()
    assert (paper.pk, paper.paper.title, paper.paper.abstract, paper.paper.version) == (1, "T two", "A.", 2)
