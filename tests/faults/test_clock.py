"""Fault: the clock jumps by +1 h, −1 h, +10 years, −1 day, at run time and over a restart.

What must hold of delivery: nothing is given up for its age alone, what waits goes on waiting as long as it would
have and no longer, and nothing is sent twice or in a storm. (That an issue is composed once is publishing's.)
"""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from support.history import check_history
from support.office_files import configured
from support.processes import FAKETIME, finished, run_at
from support.smtp_script import SmtpScript
from support.world import World, papers, reader

from digestd.model import OutboxState
from digestd.store.open import SqliteStore

JUMPS = {
    "+1 h": timedelta(hours=1),
    "-1 h": timedelta(hours=-1),
    "-1 day": timedelta(days=-1),
    "+10 years": timedelta(days=3652),
}


def made(folder: Path, relay: SmtpScript, people: int = 4) -> World:
    world = World(folder, relay)
    world.people(*(reader(f"r{number}", "robot") for number in range(people)))
    world.drop(papers("A Robot"))
    assert world.publish().editions == people
    return world


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS)
async def test_clock_jump_before_the_first_try_sends_each_edition_once(tmp_path: Path, jump: timedelta) -> None:
    async with SmtpScript() as relay:
        with closing(made(tmp_path, relay)) as world:
            world.now += jump
            await world.deliver()
            if jump == timedelta(hours=-1):  # composed an hour from now: it waits for that hour, and no longer
                assert relay.messages == []
            world.later(hours=1)
            await world.deliver()
            check_history(world.store, relay.messages, kills=0, connections=4)
            assert len(relay.messages) == 4


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS)
async def test_clock_jump_while_editions_wait_for_their_next_try_gives_nothing_up_and_makes_no_storm(
    tmp_path: Path, jump: timedelta
) -> None:
    async with SmtpScript({"RCPT": "451 4.7.1 come back later"}) as relay:
        with closing(made(tmp_path, relay)) as world:
            await world.deliver()
            world.now += jump
            for _ in range(10):  # ten ticks without time going on: at most one more try
                await world.deliver()
            assert relay.count("RCPT") <= 8
            assert world.store.outbox.counts()[OutboxState.READY] == 4
            world.later(hours=8)
            await world.deliver()
            assert world.store.outbox.counts()[OutboxState.READY] == 4, "an old clock gives nothing up"
            assert relay.count("RCPT") in (8, 12)


async def test_clock_jump_of_ten_years_and_back_leaves_nothing_waiting_for_ten_years(tmp_path: Path) -> None:
    async with SmtpScript({"RCPT": ["451 4.7.1 later"] * 4}) as relay:
        with closing(made(tmp_path, relay)) as world:
            world.now += JUMPS["+10 years"]
            assert (await world.deliver()).deferred == 4
            world.now -= JUMPS["+10 years"]
            assert (await world.deliver()).sent == 4
            check_history(world.store, relay.messages, kills=0, connections=4)


@pytest.mark.peer
@pytest.mark.skipif(FAKETIME is None, reason="libfaketime is not installed")
@pytest.mark.faults
@pytest.mark.parametrize("jump", JUMPS)
async def test_clock_jump_over_a_restart_of_the_process_sends_each_edition_once(tmp_path: Path, jump: str) -> None:
    """The process has its own clock (libfaketime); the first run leaves editions that wait."""
    seconds = JUMPS[jump].total_seconds()
    async with SmtpScript({"RCPT": ["451 4.7.1 later"] * 2}) as relay:
        config = configured(tmp_path, relay.port)
        (tmp_path / "subscribers.toml").write_text("".join(reader(f"r{n}", "robot") for n in range(4)))
        (tmp_path / "inbox").mkdir()
        (tmp_path / "inbox" / "papers.jsonl").write_text(papers("A Robot"))
        await finished(config, "run-once")
        assert len(relay.messages) == 2
        await run_at(seconds, config, "deliver")
        await run_at(seconds + 7 * 3600, config, "deliver")
        assert len(relay.messages) == 4
        with closing(SqliteStore(tmp_path / "digestd.db")) as store:
            check_history(store, relay.messages, kills=0, connections=4)
