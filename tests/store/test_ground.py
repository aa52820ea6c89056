"""The ground under every method: files that cannot be used, readers beside a writer, and errors in our own words."""

from __future__ import annotations

import gc
import os
import sqlite3
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from support.store_room import MONDAY, SNAPSHOT, StoreRoom, opened, profile, work

from digestd.errors import StoreBusy, StoreError, StoreUnusable
from digestd.store.base import DigestFile
from digestd.store.open import SqliteStore
from digestd.store.sql import read
from digestd.store.sqlite import APPLICATION_ID, SCHEMA_VERSION, Connections, from_ms, to_ms


def test_store_in_a_missing_folder_makes_it(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "a" / "b" / "digestd.db")) as store:
        assert store.papers.newest() == 0


def test_store_that_is_a_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=str(tmp_path)):
        SqliteStore(tmp_path)


@contextmanager
def nobody() -> Iterator[None]:
    """Be a user who may write nothing here, since the administrator may write everywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_store_in_a_file_that_may_only_be_read_says_so_at_the_first_write() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "digestd.db"
        with opened(path) as room:
            room.ingest([work(1)])
        path.chmod(0o444)
        folder.chmod(0o555)
        try:
            with (
                nobody(),
                pytest.raises(StoreError, match=r"digestd\.db") as raised,
                closing(SqliteStore(path)) as store,
            ):
                store.outbox.claim("me", MONDAY, 1)
            assert not isinstance(raised.value, StoreBusy)
        finally:
            folder.chmod(0o755)


def test_store_that_is_refused_leaves_no_connection_open(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_text("no database " * 100)
    kept: list[Connections] = []
    whole = Connections.__init__

    def remembered(self: Connections, *arguments: object, **named: object) -> None:
        kept.append(self)
        whole(self, *arguments, **named)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Connections, "__init__", remembered)
        with pytest.raises(StoreUnusable):
            SqliteStore(path)
    assert kept[0]._opened == []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gc.collect()


def test_store_is_stamped_durable_and_keeps_foreign_keys(room: StoreRoom) -> None:
    with closing(sqlite3.connect(room.path)) as raw:
        stamps = [
            raw.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version", "journal_mode")
        ]
    assert stamps == [APPLICATION_ID, SCHEMA_VERSION, "wal"]
    connections = room.store._connections
    with connections.write() as writer:
        assert [writer.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "foreign_keys")] == [2, 1]
    with connections.read() as reader, pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("DELETE FROM paper")


def test_store_that_breaks_a_constraint_says_it_as_a_store_error(room: StoreRoom) -> None:
    with pytest.raises(StoreError, match="UNIQUE constraint failed"), room.store._connections.write() as connection:
        connection.execute("INSERT INTO snapshot (sha256, content) VALUES ('x', '{}'), ('x', '{}')")


def test_store_used_wrongly_by_us_is_no_store_error(room: StoreRoom) -> None:
    with pytest.raises(sqlite3.ProgrammingError), room.store._connections.write() as connection:
        connection.execute("SELECT :missing", {})


def test_write_that_begins_inside_a_write_of_the_same_thread_is_refused(room: StoreRoom) -> None:
    with pytest.raises(StoreError, match="within a transaction"), room.store._connections.write():
        room.subscribe("a@example.org", profile())
    assert list(room.store.subscribers.all()) == []


def test_keep_of_a_snapshot_while_the_store_is_locked_is_busy(room: StoreRoom) -> None:
    with closing(SqliteStore(room.path, busy_timeout=0.05)) as store, closing(sqlite3.connect(room.path)) as other:
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy):
            store.editions.keep(SNAPSHOT)
        other.execute("ROLLBACK")
        assert store.editions.keep(SNAPSHOT) == SNAPSHOT.sha256


def test_read_at_once_does_not_wait_for_who_holds_the_whole_file(room: StoreRoom) -> None:
    with closing(SqliteStore(room.path, busy_timeout=30)) as store, closing(sqlite3.connect(room.path)) as other:
        with store.at_once():
            assert store.papers.newest() == 0
            with store._connections.read() as connection:
                assert connection.execute("PRAGMA busy_timeout").fetchone()[0] == 0
        assert store.papers.newest() == 0
        with store._connections.read() as connection:
            assert connection.execute("PRAGMA busy_timeout").fetchone()[0] == 30_000
            assert connection.execute("PRAGMA query_only").fetchone()[0] == 1
        other.execute("BEGIN IMMEDIATE")
        with store.at_once():
            assert store.papers.newest() == 0, "a writer holds up nobody who reads"


def test_read_beside_a_busy_writer_sees_what_was_committed(room: StoreRoom) -> None:
    room.ingest([work(1)])
    seen: list[int] = []

    def slow() -> int:  # is asked for within the transaction, after the papers
        reader = threading.Thread(target=lambda: seen.append(room.store.papers.newest()))
        reader.start()
        reader.join(10)
        seen.append(room.store.papers.newest())
        return 0

    room.store.papers.add_file(DigestFile("a", "test", 1, "a" * 64), [work(2), work(3)], slow, MONDAY)
    assert seen == [1, 1]
    assert room.store.papers.newest() == 3


def test_write_of_several_threads_takes_turns(room: StoreRoom) -> None:
    def add(number: int) -> None:
        room.subscribe(f"r{number}@example.org", profile())

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(list(room.store.subscribers.all())) == 8


def test_schema_is_whole_statements_and_its_tables_are_strict(room: StoreRoom) -> None:
    assert sqlite3.complete_statement(read("schema.sql"))
    with closing(sqlite3.connect(room.path)) as raw:
        tables = raw.execute("SELECT name, strict FROM pragma_table_list WHERE name NOT LIKE 'sqlite_%'").fetchall()
        assert {name for name, strict in tables if not strict} == set()
        made = {row[0] for row in raw.execute("SELECT name FROM sqlite_schema WHERE sql IS NOT NULL")}
        assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
    named = {
        word for line in read("schema.sql").splitlines() if line.startswith("CREATE") for word in [line.split()[2]]
    }
    assert named == made - {"sqlite_sequence"}


def test_moments_are_kept_to_the_millisecond() -> None:
    assert from_ms(to_ms(MONDAY)) == MONDAY
    assert to_ms(from_ms(1_795_424_400_123)) == 1_795_424_400_123
