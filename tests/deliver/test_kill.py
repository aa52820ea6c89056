"""kill -9 of a real process at work; afterwards nothing is lost, and copies are few, listed and equal."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random

import pytest
from support.history import check_history
from support.smtp_script import Hang, SmtpScript
from support.world import World, papers, reader

from digestd.model import OutboxState
from digestd.store.open import SqliteStore

CONNECTIONS = 8


def configuration(folder: Path, port: int, people: int) -> Path:
    """Write a configuration and its subscribers file; returns its path."""
    (folder / "subscribers.toml").write_text("".join(reader(f"r{number}", "robot") for number in range(people)))
    path = folder / "digestd.toml"
    path.write_text(
        f'[paths]\ninbox = "inbox"\ndatabase = "digestd.db"\n[ingest]\nsettle_seconds = 0\n[smtp]\nhost = "127.0.0.1"\n'
        f'port = {port}\ntls = "none"\nconnections = {CONNECTIONS}\n[mail]\nfrom_address = "papers@example.org"\n'
    )
    return path


@asynccontextmanager
async def digestd(config: Path, *command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a command of digestd in a process of its own, which is killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "digestd", "--config", str(config), *command,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        await process.communicate()


async def run(config: Path, *command: str) -> None:
    """Run a command to its end, which must be a success."""
    async with digestd(config, *command) as process:
        _, err = await asyncio.wait_for(process.communicate(), 600)
        assert process.returncode == 0, err.decode()


def composed(folder: Path, people: int) -> None:
    """Put a paper for everybody into a store, and compose the editions."""
    world = World(folder)
    world.people(*(reader(f"r{number}", "robot") for number in range(people)))
    world.drop(papers("A Robot"))
    assert world.publish().editions == people
    world.close()


async def kill_loop(folder: Path, people: int, kills: int, seed: int) -> tuple[int, int]:
    """Kill `digestd deliver` at random moments, let it finish, and check. Returns kills and extra copies."""
    draw = Random(seed)
    composed(folder, people)
    async with SmtpScript(keep_bodies=False) as relay:
        config = configuration(folder, relay.port, people)
        done = 0
        while done < kills:
            before = len(relay.messages)
            target = before + draw.randint(1, max(1, people // kills))
            async with digestd(config, "deliver") as process:
                while len(relay.messages) < target and process.returncode is None:
                    await asyncio.sleep(draw.random() * 0.01)
            if len(relay.messages) == before:
                break
            done += 1
        await drained(config, folder)
        with_store = SqliteStore(folder / "digestd.db")
        try:
            extra = check_history(with_store, relay.messages, kills=done, connections=CONNECTIONS)
        finally:
            with_store.close()
        assert {message.recipients[0] for message in relay.messages} == {f"r{n}@example.org" for n in range(people)}
        return done, extra


async def drained(config: Path, folder: Path) -> None:
    """Run `deliver` once more, after which every edition is settled: what a crash left is not kept waiting."""
    await run(config, "deliver")
    store = SqliteStore(folder / "digestd.db")
    try:
        assert store.outbox.counts()[OutboxState.READY] == 0
    finally:
        store.close()


async def test_kill_at_random_moments_of_deliver_loses_nothing(tmp_path: Path) -> None:
    kills, _ = await kill_loop(tmp_path, people=200, kills=4, seed=1)
    assert kills >= 3


@pytest.mark.faults
async def test_kill_two_hundred_times_over_twenty_thousand_editions_loses_nothing(tmp_path: Path) -> None:
    kills, extra = await kill_loop(tmp_path, people=20_000, kills=200, seed=2)
    print(f"\n{kills} kills over 20,000 editions on {CONNECTIONS} connections: lost 0, extra copies {extra}")
    assert kills >= 150


@pytest.mark.parametrize("step", ["MAIL", "DATA", "BODY", "DOT"])
async def test_kill_while_the_relay_is_silent_at_each_step_loses_nothing(tmp_path: Path, step: str) -> None:
    composed(tmp_path, people=3)
    async with SmtpScript({step: [Hang()]}) as relay:
        config = configuration(tmp_path, relay.port, people=3)
        async with digestd(config, "deliver"):
            await relay_reaches(relay, lambda: any(session.commands for session in relay.sessions))
            await relay_reaches(relay, lambda: hung(relay, step))
        await drained(config, tmp_path)
        store = SqliteStore(tmp_path / "digestd.db")
        try:
            extra = check_history(store, relay.messages, kills=1, connections=CONNECTIONS)
            assert store.outbox.counts()[OutboxState.SENT] == 3
        finally:
            store.close()
        assert extra >= (step == "DOT")


def hung(relay: SmtpScript, step: str) -> bool:
    """Return whether some connection has come to the step where it hears nothing."""
    if step == "DOT":
        return any(not message.is_accepted for message in relay.messages)
    if step == "BODY":
        return any(session.is_hung for session in relay.sessions)
    return any(line.upper().startswith(step) for session in relay.sessions for line in session.commands)


async def relay_reaches(relay: SmtpScript, condition: Callable[[], bool]) -> None:
    """Wait until the relay has seen something."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("moment", ["ingest begins", "file is archived", "half is sent"])
async def test_kill_in_run_once_counts_a_file_once_and_composes_an_issue_once(tmp_path: Path, moment: str) -> None:
    people = 40
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    async with SmtpScript(keep_bodies=False) as relay:
        config = configuration(tmp_path, relay.port, people)
        (inbox / "papers.jsonl").write_text(papers(*(f"Robot {number}" for number in range(200))))
        store_file = tmp_path / "digestd.db"
        async with digestd(config, "run-once") as process:
            reached = {
                "ingest begins": store_file.exists,
                "file is archived": lambda: not (inbox / "papers.jsonl").exists(),
                "half is sent": lambda: len(relay.messages) >= people // 2,
            }[moment]
            async with asyncio.timeout(30):
                while not reached() and process.returncode is None:
                    await asyncio.sleep(0.001)
        await run(config, "run-once")
        store = SqliteStore(store_file)
        try:
            assert len(list(store.papers.all())) == 200
            check_history(store, relay.messages, kills=1, connections=CONNECTIONS)
        finally:
            store.close()
        assert len({message.recipients[0] for message in relay.messages}) == people
        assert list(inbox.iterdir()) == []
