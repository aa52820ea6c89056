"""Copies of a store while it is used, and the way from one schema to the next."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.store_room import StoreRoom, opened, profile, work

from digestd.errors import StoreError, StoreUnusable
from digestd.store.backup import back_up
from digestd.store.migrate import Step, migrate, steps
from digestd.store.open import SqliteStore
from digestd.store.sqlite import APPLICATION_ID, SCHEMA_VERSION

TO_2 = Step(2, "colour", "CREATE TABLE colour (name TEXT) STRICT;\nINSERT INTO colour VALUES ('red');\n")
TO_3 = Step(
    3,
    "shade",
    "ALTER TABLE colour ADD COLUMN shade TEXT;\n"
    "CREATE TRIGGER t AFTER INSERT ON colour\nBEGIN SELECT 1; SELECT 2;\nEND;\n",
)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[StoreRoom]:
    with opened(tmp_path / "digestd.db") as made:
        made.subscribe("ada@example.org", profile())
        made.ingest([work(number) for number in range(500)])
        yield made


def test_backup_of_a_store_in_use_is_whole_and_alone(room: StoreRoom, tmp_path: Path) -> None:
    target, seen = tmp_path / "copy.db", []
    size = back_up(room.path, target, lambda done, total: seen.append((done, total)))
    assert size == target.stat().st_size
    assert seen
    assert seen[-1][0] == seen[-1][1]
    assert target.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.glob("copy.db*")) == ["copy.db"]
    with closing(SqliteStore(target)) as copy:
        assert copy.papers.newest() == 500
        assert copy.editions.key() == room.store.editions.key()
        assert copy.outbox.held()


def test_backup_goes_on_while_others_write(room: StoreRoom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digestd.store.backup.PAGES", 5)
    numbers = iter(range(500, 10_000))

    def write(_done: int, _total: int) -> None:
        thread = threading.Thread(target=lambda: room.ingest([work(next(numbers))]))
        thread.start()
        thread.join(10)

    back_up(room.path, tmp_path / "copy.db", write)
    written = room.store.papers.newest()
    assert written > 510
    with closing(SqliteStore(tmp_path / "copy.db")) as copy:
        assert copy.papers.newest() == 500, "the state of one moment"


def test_backup_takes_no_other_files_place(room: StoreRoom, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    target.write_text("mine")
    with pytest.raises(StoreError, match="takes no other file's place"):
        back_up(room.path, target)
    assert target.read_text() == "mine"
    assert [path.name for path in tmp_path.glob("copy.db*")] == ["copy.db"]


def test_backup_into_a_folder_that_is_not_there_says_so(room: StoreRoom, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="the backup cannot be written: No such file"):
        back_up(room.path, tmp_path / "missing" / "copy.db")


def test_backup_of_nothing_of_another_program_or_of_a_damaged_store_is_refused(tmp_path: Path) -> None:
    path, target = tmp_path / "digestd.db", tmp_path / "copy.db"
    with pytest.raises(StoreError, match="there is no store"):
        back_up(path, target)
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE theirs (x)")
    with pytest.raises(StoreUnusable, match="another program"):
        back_up(path, target)
    path.unlink()
    with opened(path) as room:
        room.ingest([work(number) for number in range(500)])
    with path.open("r+b") as file:
        file.seek(4096 * (path.stat().st_size // 4096 - 2))
        file.write(b"\xff" * 4096)
    with pytest.raises(StoreUnusable, match="damaged"):
        back_up(path, target)
    assert list(tmp_path.glob("copy.db*")) == []


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as raw:
        return int(raw.execute("PRAGMA user_version").fetchone()[0])


def test_migrate_with_nothing_to_do_changes_nothing(room: StoreRoom) -> None:
    assert migrate(room.path, steps()) == []
    assert version(room.path) == SCHEMA_VERSION


def test_steps_of_the_program_lead_to_its_schema_one_by_one() -> None:
    found = [step.version for step in steps()]
    assert found == sorted(set(found))
    assert found == list(range(SCHEMA_VERSION - len(found) + 1, SCHEMA_VERSION + 1))


def test_migrate_takes_the_steps_that_lead_to_the_version(room: StoreRoom) -> None:
    room.store.close()
    assert migrate(room.path, [TO_2, TO_3], version=3) == [TO_2, TO_3]
    with closing(sqlite3.connect(room.path)) as raw:
        assert raw.execute("SELECT name, shade FROM colour").fetchall() == [("red", None)]
        assert raw.execute("SELECT count(*) FROM paper").fetchone()[0] == 500
    assert version(room.path) == 3
    with pytest.raises(StoreUnusable, match="newer digestd"):
        SqliteStore(room.path)


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        ("CREATE TABLE x (a);\nnonsense;\n", "syntax error"),
        ("DELETE FROM subscriber;\n", "does not hold what is in the store"),
    ],
)
def test_migrate_whose_second_step_fails_leaves_the_store_as_it_was(room: StoreRoom, broken: str, error: str) -> None:
    room.store.close()
    with pytest.raises(StoreError, match=error):
        migrate(room.path, [TO_2, Step(3, "broken", broken)], version=3)
    assert version(room.path) == SCHEMA_VERSION
    with closing(SqliteStore(room.path)) as store:
        assert store.papers.newest() == 500
        assert store.stats()["subscribers"] == {"active": 1}


def test_migrate_without_a_way_says_so(room: StoreRoom, tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match="no way leads from schema 1 to 3"):
        migrate(room.path, [TO_3], version=3)
    with pytest.raises(StoreError, match="there is no store yet"):
        migrate(tmp_path / "none.db", [])


def test_store_of_an_older_schema_is_refused_with_the_way_to_mend_it(
    room: StoreRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.store.close()
    monkeypatch.setattr("digestd.store.sqlite.SCHEMA_VERSION", 2)
    with pytest.raises(StoreUnusable, match=r"schema 1, this digestd needs 2; .*db backup FILE.*db migrate"):
        SqliteStore(room.path)


def test_stats_count_what_is_there(room: StoreRoom) -> None:
    room.publish()
    found = room.store.stats()
    assert found["papers"] == 500
    assert found["outbox"] == {"ready": 1}
    assert found["announced"] == 80  # twenty cards, and titles
    assert found["schema"] == SCHEMA_VERSION
    assert isinstance(found["log_bytes"], int)
    assert found["log_bytes"] > 0
    with closing(sqlite3.connect(room.path)) as raw:
        assert raw.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
