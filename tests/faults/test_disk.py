"""Fault: the disk is full at any write, or fails a sync (EIO).

What must hold: the ballast is given up so that marks succeed, claiming and ingesting stop and it is said, and all goes
on by itself once there is room; after an EIO the process ends, and no edition is wrongly marked as sent.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.composed import addresses, checked, composed, drained, stored, write_people
from support.fail_points import both, room_with_the_ballast
from support.history import check_history
from support.office_files import configured
from support.powercut import COMPILER, armed, begun
from support.processes import digestd, finished, run
from support.results import record
from support.serving import serving
from support.smtp_script import Hold, SmtpScript
from support.tracing import needs_strace, traced
from support.world import papers

from digestd.model import OutboxState

pytestmark = pytest.mark.faults

needs_shim = pytest.mark.skipif(COMPILER is None, reason="no C compiler for the shim")
PEOPLE = 3


@needs_shim
@pytest.mark.parametrize("ballast", [1, 0], ids=["ballast", "no ballast"])
async def test_disk_full_when_an_edition_is_to_be_marked_sent_the_ballast_lets_the_mark_succeed(
    tmp_path: Path, ballast: int
) -> None:
    accepted, full = asyncio.Event(), tmp_path / "full"
    async with SmtpScript({"DOT": [Hold("250 2.0.0 queued", accepted)]}) as relay:
        more = f"[disk]\nmin_free_mb = 0\nballast_mb = {ballast}"
        config = composed(tmp_path, relay, PEOPLE, connections=1, more=more)
        begun(tmp_path, shadow := tmp_path.with_name(f"{tmp_path.name}.shadow"))
        fault = both(room_with_the_ballast(full), armed(tmp_path, shadow, 0, full))
        async with digestd(config, "deliver", fault=fault) as process:
            await relay.until(lambda: len(relay.messages) == 1)
            full.touch()
            accepted.set()
            await asyncio.to_thread(process.join, 30)
        assert process.exitcode == (0 if ballast else 1)
        assert full.exists() == (not ballast)
        full.unlink(missing_ok=True)
        await drained(config)
        assert checked(config, relay, PEOPLE, kills=1, connections=1) == (0 if ballast else 1)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """Mount a disk of its own at a folder, where that is allowed."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no disk may be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.peer
async def test_disk_full_claiming_and_ingesting_stop_and_recover_alone(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk, 40):
        async with SmtpScript() as relay:
            more = "[disk]\nmin_free_mb = 10\nballast_mb = 2"
            config = configured(tmp_path, relay.port, under="disk/", more=more)
            write_people(tmp_path, PEOPLE)
            (disk / "inbox").mkdir()
            async with serving(config) as served:
                with (disk / "filler").open("wb") as file:
                    os.posix_fallocate(file.fileno(), 0, 38_000_000)
                (disk / "inbox" / "papers.jsonl").write_text(papers("A Robot"))
                await served.says("error=store-full")
                await served.says("MB are free on the disk")
                assert (disk / "inbox" / "papers.jsonl").exists()
                assert relay.messages == []
                (disk / "filler").unlink()
                await served.until(lambda: len(relay.messages) == PEOPLE)
                await served.until(lambda: (disk / "digestd.db.ballast").exists())
                assert await served.stopped() == 0


async def failing(folder: Path, call: str, error: str, number: int, *, on: bool) -> int | None:
    """Let a system call of run-once fail from the n-th on, or once; run again, and check. Returns its status."""
    folder.mkdir()
    async with SmtpScript() as relay:
        config = configured(folder, relay.port, connections=1)
        write_people(folder, PEOPLE)
        (folder / "inbox").mkdir()
        (folder / "inbox" / "papers.jsonl").write_text(papers("A Robot"))
        inject = f"inject={call}:error={error}:when={number}{'+' if on else ''}"
        status, said = await traced(config, "run-once", "-e", f"trace={call}", "-e", inject)
        assert "Traceback" not in said
        assert "bug in digestd" not in said, said
        await run(config, "run-once")
        with stored(folder) as store:
            wanted = {address: ["A Robot"] for address in addresses(PEOPLE)}
            check_history(
                store,
                relay.messages,
                kills=1,
                connections=1,
                folder=folder,
                dropped=[papers("A Robot")],
                wanted=wanted,
            )
            assert store.outbox.counts()[OutboxState.SENT] == PEOPLE
    return status


@needs_strace
@pytest.mark.parametrize("number", [2, 9])
async def test_disk_full_at_a_write_loses_nothing(tmp_path: Path, number: int) -> None:
    assert await failing(tmp_path / "x", "pwrite64", "ENOSPC", number, on=True) == 1


@needs_strace
@pytest.mark.parametrize("number", [2, 5])
async def test_fsync_eio_stops_and_no_row_is_wrongly_sent(tmp_path: Path, number: int) -> None:
    assert await failing(tmp_path / "x", "fdatasync", "EIO", number, on=False) == 1


@needs_strace
@pytest.mark.faults
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("call", "error"), [("pwrite64", "ENOSPC"), ("fdatasync", "EIO"), ("fsync", "EIO")])
async def test_disk_full_or_eio_at_any_write_loses_nothing(tmp_path: Path, call: str, error: str) -> None:
    failed = 0
    for number in range(1, 200, 3):
        status = await failing(tmp_path / str(number), call, error, number, on=error == "ENOSPC")
        if status == 0:
            break
        failed += 1
    record(f"{error} at every third {call} of run-once", f"{failed} failures: lost 0, wrongly sent 0")
    assert failed >= 2


@needs_strace
async def test_fsync_eio_ends_serve_so_that_it_is_started_anew(tmp_path: Path) -> None:
    async with SmtpScript() as relay:
        config = composed(tmp_path, relay, PEOPLE, connections=1)
        inject = "inject=fdatasync:error=EIO:when=2"
        status, said = await traced(config, "serve", "-e", "trace=fdatasync", "-e", inject)
        assert status == 1
        assert "the disk failed" in said
        await drained(config)
        checked(config, relay, PEOPLE, kills=1, connections=1)


async def test_disk_without_room_for_the_floor_deliver_says_so(tmp_path: Path) -> None:
    async with SmtpScript() as relay:
        config = composed(tmp_path, relay, PEOPLE, more="[disk]\nmin_free_mb = 10000000")
        status, said = await finished(config, "deliver")
        assert (status, relay.messages) == (1, [])
        assert "disk.min_free_mb" in said
