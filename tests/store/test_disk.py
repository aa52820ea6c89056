"""Room on the disk: the floor, the ballast, and what happens when even so the disk is full or fails."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.store_room import MONDAY, StoreRoom, profile, work

from digestd.errors import StoreError, StoreFailed, StoreFull
from digestd.model import OutboxState, SubscriberState
from digestd.store.base import Transition
from digestd.store.disk import Disk
from digestd.store.open import SqliteStore

KILOBYTE = 1_000
PLENTY = 10**18


class Narrow(Disk):
    """A disk that says how much is free."""

    room = PLENTY

    def free(self) -> int:
        return self.room


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Narrow(tmp_path / "digestd.db", 100 * KILOBYTE, 50 * KILOBYTE)


@pytest.fixture
def room(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoreRoom]:
    made = StoreRoom.__new__(StoreRoom)
    made.path, made._files, made.store = disk.path, 0, SqliteStore(disk.path, disk=disk)
    yield made
    made.store.close()


def with_free(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(Narrow, "room", free)


def test_free_is_what_the_system_says(tmp_path: Path) -> None:
    status = os.statvfs(tmp_path)
    assert Disk(tmp_path / "x").free() == pytest.approx(status.f_bavail * status.f_frsize, rel=0.2)


def test_disk_below_its_floor_new_work_is_refused_and_settling_goes_on(
    room: StoreRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.subscribe("ada@example.org", profile())
    room.ingest([work(1)])
    room.publish()
    outbox = room.store.outbox
    (claim,), _ = outbox.claim("me", MONDAY, 1)
    with_free(monkeypatch, 100 * KILOBYTE - 1)
    for new_work in (lambda: room.ingest([work(2)]), room.store.editions.save.__get__(room.store.editions)):
        with pytest.raises(StoreFull, match=r"only 0 MB are free .* \(disk\.min_free_mb\)"):
            new_work() if new_work.__name__ == "<lambda>" else new_work([], "0", MONDAY)
    with pytest.raises(StoreFull):
        outbox.claim("me", MONDAY, 1)
    assert outbox.record(
        "me", [Transition(claim.edition, OutboxState.CLAIMED, OutboxState.SENDING, MONDAY, sha256="0")]
    ) == [True]
    room.state("ada@example.org", SubscriberState.UNSUBSCRIBED)
    with_free(monkeypatch, 100 * KILOBYTE)
    room.ingest([work(2)])
    assert room.store.papers.newest() == 2


def test_ballast_is_laid_where_it_leaves_the_floor_and_laid_again_once_there_is_room(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_free(monkeypatch, 149 * KILOBYTE)
    disk.require()
    assert not disk.ballast_file.exists()
    with_free(monkeypatch, 150 * KILOBYTE)
    disk.require()
    status = disk.ballast_file.stat()
    assert (status.st_size, status.st_blocks * 512 >= status.st_size) == (50 * KILOBYTE, True)
    assert disk.give_up_ballast()
    assert not disk.give_up_ballast()
    disk.require()
    assert disk.ballast_file.exists()


def test_ballast_that_cannot_be_laid_stops_nothing(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    disk.require()
    assert list(disk.path.parent.iterdir()) == []


def test_disk_without_floor_and_ballast_asks_nothing(tmp_path: Path) -> None:
    Disk(tmp_path / "missing" / "x").require()


class Full:
    """A write connection whose COMMIT finds the disk full while the ballast is there."""

    def __init__(self, real: sqlite3.Connection, ballast: Path, code: int) -> None:
        self._real, self._ballast, self._code = real, ballast, code

    def execute(self, statement: str, *values: object) -> sqlite3.Cursor:
        if statement == "COMMIT" and self._ballast.exists():
            error = sqlite3.OperationalError("disk")
            error.sqlite_errorcode = self._code
            raise error
        return self._real.execute(statement, *values)

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)


def sending(room: StoreRoom, disk: Disk, code: int) -> Transition:
    """Bring an edition to where it is sent, and let the disk fail from then on."""
    room.subscribe("ada@example.org", profile())
    room.ingest([work(1)])
    room.publish()
    outbox = room.store.outbox
    (claim,), _ = outbox.claim("me", MONDAY, 1)
    outbox.record("me", [Transition(claim.edition, OutboxState.CLAIMED, OutboxState.SENDING, MONDAY, sha256="0")])
    connections = room.store._connections
    connections._writer = Full(connections._writer, disk.ballast_file, code)  # type: ignore[assignment]
    return Transition(claim.edition, OutboxState.SENDING, OutboxState.SENT, MONDAY, ledger="sent")


@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE])
def test_disk_full_the_ballast_is_given_up_so_that_marks_succeed(room: StoreRoom, disk: Disk, code: int) -> None:
    mark = sending(room, disk, code)
    assert disk.ballast_file.exists()
    with pytest.raises(StoreFull, match="the disk is full"):
        room.subscribe("ben@example.org", profile())
    assert room.store.outbox.record("me", [mark]) == [True]
    assert not disk.ballast_file.exists()
    assert room.store.outbox.row("1")[0].state is OutboxState.SENT
    assert [line.state for line in room.store.outbox.row("1")[1]] == ["sent"]


def test_disk_full_without_ballast_the_mark_fails_and_nothing_changes(room: StoreRoom, disk: Disk) -> None:
    mark = sending(room, disk, sqlite3.SQLITE_FULL)
    room.store._connections.disk = Disk(disk.path.with_name("other"))
    with pytest.raises(StoreFull):
        room.store.outbox.record("me", [mark])
    assert room.store.outbox.row("1")[0].state is OutboxState.SENDING


def test_disk_that_fails_ends_all_writing_of_this_process(room: StoreRoom, disk: Disk) -> None:
    mark = sending(room, disk, sqlite3.SQLITE_IOERR_FSYNC)
    with pytest.raises(StoreFailed, match="the disk failed"):
        room.store.outbox.record("me", [mark])
    disk.give_up_ballast()  # the next write would succeed
    for write in (lambda: room.store.outbox.record("me", [mark]), lambda: room.ingest([work(2)])):
        with pytest.raises(StoreFailed):
            write()
    assert room.store.outbox.row("1")[0].state is OutboxState.SENDING
    room.store.close()
    with closing(SqliteStore(disk.path)) as again:
        assert again.outbox.row("1")[0].state is OutboxState.SENDING
        assert again.outbox.recover("next", MONDAY, hold=False) == 1


def test_store_whose_mark_cannot_be_written_claims_nothing(room: StoreRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    room.subscribe("ada@example.org", profile())
    room.ingest([work(1)])
    room.publish()
    monkeypatch.setattr("digestd.store.instance.write_mark", full)
    with pytest.raises(StoreError, match="its mark cannot be written: No space left"):
        room.store.outbox.claim("me", MONDAY, 1)
    assert room.store.outbox.row("1")[0].state is OutboxState.READY
