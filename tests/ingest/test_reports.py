"""What is told of a file: its bad records, a file that a person named, and names that fit nowhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.inbox_room import drop, ingest, names
from support.world import World, papers

from digestd.ingest.inbox import put_beside, shown, write_durably
from digestd.ingest.stage import KEPT_BAD_RECORDS, ingest_file, ingest_given, read_file
from digestd.service import build


def test_bad_records_of_files_of_one_name_are_both_kept_and_very_many_counted(world: World) -> None:
    drop(world, "a.jsonl", papers("One") + "{bad\n")
    ingest(world)
    drop(world, "a.jsonl", papers("Two") + "{bad\n" * (KEPT_BAD_RECORDS + 7))
    (report,) = ingest(world)
    assert (report.bad, len(report.bad_records)) == (KEPT_BAD_RECORDS + 7, KEPT_BAD_RECORDS)
    assert names(world.settings.paths.quarantine) == ["a.jsonl.2.bad-records", "a.jsonl.bad-records"]
    lines = (world.settings.paths.quarantine / "a.jsonl.2.bad-records").read_text().splitlines()
    assert (len(lines), lines[-1]) == (KEPT_BAD_RECORDS + 1, "and 7 more")


def test_file_of_bad_records_alone_stores_nothing_and_names_the_first(world: World) -> None:
    drop(world, "a.jsonl", '{"title": 1}\n' * 3)
    (report,) = ingest(world)
    assert report.refused == "no paper was found in it: line 1: title must be text, not int"
    drop(world, "b.txt", "Daily Papers\n\nMay 19\n")
    assert [one.refused for one in ingest(world)] == ["no paper was found in it"]


def test_given_file_beyond_the_cap_is_not_copied_but_explained(world: World, tmp_path: Path) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.truncate(100_000_001)
    report = ingest_given(world.store.papers, path, build.folders(world.settings), world.now)
    assert report.refused == "it is too large: 100,000,001 bytes, at most 100,000,000 are taken"
    assert names(world.settings.paths.quarantine) == ["huge.reason"]


def test_given_path_that_is_no_file_or_nothing_is_refused_and_not_copied(world: World, tmp_path: Path) -> None:
    folders = build.folders(world.settings)
    for path, reason in ((tmp_path, "it is not a regular file"), (tmp_path / "none", "no such file")):
        assert ingest_given(world.store.papers, path, folders, world.now).refused == reason
    assert not world.settings.paths.quarantine.exists()


def test_given_link_is_followed_and_one_whose_file_changes_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path, link = tmp_path / "a.jsonl", tmp_path / "link"
    path.write_text(papers("One"))
    link.symlink_to(path)
    monkeypatch.setattr(world.store.papers, "ingested", lambda _: bool(path.write_text(papers("One", "Two"))) and False)
    assert ingest_file(world.store.papers, link, 10**6, world.now).refused == "it changed while it was read"
    monkeypatch.undo()
    assert ingest_file(world.store.papers, link, 10**6, world.now).new == 2


def test_read_file_of_nothing_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(read_file(tmp_path / "none", 10))


def test_write_durably_replaces_whole_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "note"
    write_durably(path, "one")
    write_durably(path, "two \udcff")
    assert path.read_text() == "two \\udcff"
    assert names(tmp_path) == ["note"]


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        (b"a", b"a"),
        (b"x" * 255, b"x" * 180),
        ("ä".encode() * 127, "ä".encode() * 90),
        (b"x" + "ä".encode() * 127, b"x" + "ä".encode() * 89),
        (b"\xff" * 255, b"\xff" * 180),
    ],
)
def test_put_beside_keeps_a_name_as_far_as_whole_characters_fit(tmp_path: Path, name: bytes, stem: bytes) -> None:
    for text in ("one", "two", "two"):
        put_beside(tmp_path / "new", os.fsdecode(name), ".end", text)
    assert sorted(map(os.fsencode, names(tmp_path / "new"))) == [stem + b".2.end", stem + b".end"]


def test_shown_name_is_printable_whatever_its_bytes() -> None:
    assert shown(os.fsdecode(b"a\xff\n\x1b[31mb\xe2\x80\xae")) == "a\\xff [31mb"
