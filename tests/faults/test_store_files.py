"""Fault: corrupted page, truncated WAL, zero-byte file, newer schema, foreign file; and a file that is gone.

What must hold: the program refuses to send, ends with 78, names the backup command, and never makes a fresh store in
the place of one that was there.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from support.office_files import configured
from support.processes import digestd, finished
from support.smtp_script import SmtpScript
from support.world import World, papers, reader

from digestd.errors import StoreUnusable
from digestd.store.open import SqliteStore
from digestd.store.sqlite import ALWAYS_CHECKED

PAGE = 4096


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A store with an edition that waits, closed in good order."""
    world = World(tmp_path)
    world.people(reader("ada", "robot"))
    world.drop(papers("A Robot"))
    assert world.publish().editions == 1
    world.close()
    return world.settings.paths.database


def corrupted_page(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(PAGE * 3)
        file.write(b"\xff" * PAGE)


def zero_byte(path: Path) -> None:
    path.write_bytes(b"")


def newer_schema(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 999")


def foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")


def no_database(path: Path) -> None:
    path.write_text("something else " * 1000)


def cut_short(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(PAGE * 5)


def gone(path: Path) -> None:
    path.unlink()


WORDS = {foreign: "a database of another program", newer_schema: "written by a newer digestd"}


@pytest.mark.parametrize(
    "fault", [corrupted_page, zero_byte, newer_schema, foreign, no_database, cut_short, gone], ids=lambda f: f.__name__
)
async def test_corrupted_zero_byte_newer_foreign_or_missing_store_is_refused_with_78_and_sends_nothing(
    database: Path, fault: Callable[[Path], None]
) -> None:
    fault(database)
    before = database.read_bytes() if database.exists() else None
    async with SmtpScript() as relay:
        config = configured(database.parent, relay.port)
        for command in ("deliver", "run-once", "serve", "publish"):
            status, said = await finished(config, command)
            assert status == 78, said
            assert str(database) in said
            assert "Traceback" not in said
            assert WORDS.get(fault, "digestd db backup") in said
        assert relay.sessions == []
    assert (database.read_bytes() if database.exists() else None) == before


def killed_with_work_in_its_log(database: Path) -> int:
    """Leave the files as a kill leaves them, with commits in the log; returns the log's size."""
    folder = database.parent / "left"
    folder.mkdir()
    with closing(SqliteStore(database)) as store:
        with store._connections.write() as connection:
            connection.execute("CREATE TABLE t (x)")
            connection.executemany("INSERT INTO t VALUES (?)", [("x" * 2000,)] * 20)
        for ending in ("-wal", "-shm"):
            shutil.copy2(f"{database}{ending}", folder)
    for ending in ("-wal", "-shm"):
        shutil.copy2(folder / f"{database.name}{ending}", f"{database}{ending}")
    return Path(f"{database}-wal").stat().st_size


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
async def test_truncated_wal_is_refused_with_78_and_sends_nothing(database: Path, kept: float) -> None:
    size = killed_with_work_in_its_log(database)
    log = Path(f"{database}-wal")
    log.write_bytes(log.read_bytes()[: int(size * kept)])
    async with SmtpScript() as relay:
        status, said = await finished(configured(database.parent, relay.port), "deliver")
        assert (status, relay.sessions) == (78, [])
        assert "shorter than it was" in said
        assert "digestd db backup" in said


async def test_truncated_wal_that_was_removed_is_refused(database: Path) -> None:
    killed_with_work_in_its_log(database)
    Path(f"{database}-wal").unlink()
    with pytest.raises(StoreUnusable, match="committed work is lost"):
        SqliteStore(database)


def test_wal_that_a_kill_left_whole_is_taken_up(database: Path) -> None:
    killed_with_work_in_its_log(database)
    with closing(SqliteStore(database)) as store, store._connections.read() as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone()[0] == 20


def test_store_that_is_large_is_read_whole_after_an_end_that_nobody_planned_or_when_asked(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digestd.store.sqlite.ALWAYS_CHECKED", 0)
    assert ALWAYS_CHECKED > 1_000_000
    corrupted_page(database)
    SqliteStore(database).close()  # a planned end: the damage shows when that page is read
    with pytest.raises(StoreUnusable, match="damaged"):
        SqliteStore(database, thorough=True)
    killed_with_work_in_its_log(database)
    with pytest.raises(StoreUnusable, match="damaged"):
        SqliteStore(database)


async def test_kill_in_the_first_start_leaves_no_half_store(tmp_path: Path) -> None:
    """What a crash can leave of a first start: parts under another name, then the mark, then the store."""
    database = tmp_path / "digestd.db"
    SqliteStore(database).close()
    mark = tmp_path / "digestd.db.instance"
    database.rename(tmp_path / "digestd.db.new")
    with closing(SqliteStore(database)) as store:
        assert store.outbox.held() is None
    mark.unlink()
    database.write_bytes(database.read_bytes()[:PAGE])
    database.rename(tmp_path / "digestd.db.new")
    with closing(SqliteStore(database)) as store:
        assert store.outbox.held() is None
        assert store.papers.newest() == 0


async def test_first_start_of_two_processes_at_once_makes_one_store(tmp_path: Path) -> None:
    config = configured(tmp_path, 1)
    (tmp_path / "subscribers.toml").write_text(reader("ada", "robot"))
    async with digestd(config, "publish") as first, digestd(config, "publish", log="second.log") as second:
        first.join(30)
        second.join(30)
        said = (tmp_path / "command.log").read_text() + (tmp_path / "second.log").read_text()
        assert (first.exitcode, second.exitcode) == (0, 0), said
    with closing(SqliteStore(tmp_path / "digestd.db")) as store:
        assert store.outbox.held() is None
