"""Faults of what is around: another process on the store, no file handles, no memory, a log that nobody reads."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest
from support.composed import addresses, checked, composed, drained, stored, write_people
from support.fail_points import Fault, at_most_files, blocked_log, out_of_memory, set_to
from support.office_files import configured
from support.processes import digestd, finished
from support.serving import serving
from support.smtp_script import Hold, SmtpScript
from support.world import papers

from digestd.store.open import SqliteStore

pytestmark = pytest.mark.faults

PEOPLE = 12


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Hold the store's write lock, as a shell of an operator does."""
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def waiting_for_locks(seconds: float) -> Fault:
    """Let the store wait so long for a lock, instead of 30 s."""
    return set_to("digestd.service.build:SqliteStore", partial(SqliteStore, busy_timeout=seconds))


async def test_store_locked_for_less_than_the_limit_is_waited_for(tmp_path: Path) -> None:
    async with SmtpScript() as relay:
        config = composed(tmp_path, relay, PEOPLE)
        async with digestd(config, "deliver", fault=waiting_for_locks(20)) as process:
            with locked(tmp_path / "digestd.db"):
                await asyncio.to_thread(process.join, 1.0)
                assert process.exitcode is None
            await asyncio.to_thread(process.join, 20)
            assert process.exitcode == 0
        checked(config, relay, PEOPLE)


async def test_store_locked_for_longer_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    async with SmtpScript() as relay:
        config = configured(tmp_path, relay.port)
        write_people(tmp_path, PEOPLE)
        async with serving(config, fault=waiting_for_locks(0.3)) as served:
            with locked(tmp_path / "digestd.db"):
                (tmp_path / "inbox" / "papers.jsonl").write_text(papers("A Robot"))
                await served.says("error=store-busy")
                assert relay.messages == []
            await served.until(lambda: len(relay.accepted) == PEOPLE)
            assert await served.stopped() == 0
        assert checked(config, relay, PEOPLE) == 0


async def test_store_locked_while_mail_is_on_its_way_loses_nothing(tmp_path: Path) -> None:
    late = asyncio.Event()
    async with SmtpScript({"DOT": [Hold("250 2.0.0 queued", late)] * 2}) as relay:
        config = composed(tmp_path, relay, PEOPLE, connections=2)
        async with digestd(config, "deliver", fault=waiting_for_locks(0.3)) as process:
            await relay.until(lambda: len(relay.messages) == 2)
            with locked(tmp_path / "digestd.db"):
                late.set()
                await asyncio.to_thread(process.join, 20)
            assert process.exitcode == 1
        await drained(config)
        checked(config, relay, PEOPLE, kills=1, connections=2)


async def test_two_deliverers_on_one_store_the_second_refuses_and_each_edition_goes_once(tmp_path: Path) -> None:
    """The daemon delivers; `run-once` beside it ingests and publishes, and leaves the sending to the daemon."""
    late = asyncio.Event()
    async with SmtpScript({"DOT": [Hold("250 2.0.0 queued", late)] * 2}) as relay:
        config = composed(tmp_path, relay, PEOPLE, connections=2)
        async with serving(config) as served:
            await relay.until(lambda: len(relay.messages) == 2)
            status, said = await finished(config, "run-once")
            assert (status, len(relay.messages)) == (0, 2), said
            assert "another digestd delivers from this store" in said
            late.set()
            await served.until(lambda: len(relay.accepted) == PEOPLE)
            assert await served.stopped() == 0
        assert checked(config, relay, PEOPLE, connections=2) == 0


async def test_two_run_once_at_the_same_time_send_each_edition_once(tmp_path: Path) -> None:
    async with SmtpScript() as relay:
        config = configured(tmp_path, relay.port)
        write_people(tmp_path, PEOPLE)
        (tmp_path / "inbox").mkdir()
        (tmp_path / "inbox" / "papers.jsonl").write_text(papers("A Robot"))
        async with digestd(config, "run-once") as first, digestd(config, "run-once", log="second.log") as second:
            for process in (first, second):
                await asyncio.to_thread(process.join, 30)
        await drained(config)
        assert checked(config, relay, PEOPLE) == 0


@pytest.mark.parametrize(
    "fault",
    [at_most_files(3), at_most_files(8), at_most_files(14), out_of_memory(20_000_000), out_of_memory(60_000_000)],
    ids=["3 files", "8 files", "14 files", "20 MB", "60 MB"],
)
async def test_out_of_file_descriptors_or_memory_loses_nothing(tmp_path: Path, fault: Fault) -> None:
    async with SmtpScript() as relay:
        config = composed(tmp_path, relay, PEOPLE, connections=8)
        await finished(config, "deliver", fault=fault)
        await drained(config)
        checked(config, relay, PEOPLE, kills=1, connections=8)


async def test_blocked_log_pipe_keeps_mail_waiting_and_all_goes_on_once_it_is_read(tmp_path: Path) -> None:
    read = tmp_path / "read"
    async with SmtpScript() as relay:
        config = composed(tmp_path, relay, PEOPLE)
        async with digestd(config, "serve", fault=blocked_log(read)) as process:
            await asyncio.to_thread(process.join, 1.0)
            assert process.exitcode is None
            read.touch()
            async with asyncio.timeout(20):
                while len(relay.accepted) < PEOPLE:
                    await asyncio.sleep(0.02)
            process.terminate()
            await asyncio.to_thread(process.join, 20)
            assert process.exitcode == 0
        assert checked(config, relay, PEOPLE) == 0
        with stored(tmp_path) as store:
            assert store.outbox.held() is None
        assert {message.recipients[0] for message in relay.messages} == set(addresses(PEOPLE))
