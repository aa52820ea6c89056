"""Fault: a power cut at the n-th fsync. What was not synced is gone, be it a content, a name, or a removal.

What must hold: no loss, and a durable yes: a file that left the inbox is in the store, a reader who was told that
they left has left, and the copies that a cut makes are as few as those of a crash.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

import pytest
from support.composed import addresses, checked, composed, drained, write_people
from support.history import check_history
from support.office_files import configured
from support.powercut import COMPILER, after_the_cut, armed, begun
from support.processes import finished, run
from support.results import record
from support.smtp_script import SmtpScript
from support.world import papers

from digestd.model import OutboxState
from digestd.store.open import SqliteStore

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(COMPILER is None, reason="no C compiler for the shim"),
]

PEOPLE = 3
CONNECTIONS = 2
TITLES = ["A Robot", "A Second Robot"]


async def cut_at(folder: Path, number: int) -> tuple[bool, int]:
    """Run everything on an empty disk, cut the power at a sync, run again, and check.

    Returns whether the cut came before the end, and the number of extra copies.
    """
    disk, shadow = folder / "disk", folder / "shadow"
    (disk / "inbox").mkdir(parents=True)
    for title in TITLES:
        (disk / "inbox" / f"{title}.jsonl").write_text(papers(title))
    begun(disk, shadow)
    async with SmtpScript() as relay:
        config = configured(folder, relay.port, connections=CONNECTIONS, under="disk/")
        write_people(folder, PEOPLE)
        status, said = await finished(config, "run-once", fault=armed(disk, shadow, number))
        assert status in (0, -9), said
        is_cut = status == -9
        if is_cut:
            after_the_cut(disk, shadow)
            await run(config, "run-once")
        store = SqliteStore(disk / "digestd.db")
        try:
            extra = check_history(
                store,
                relay.messages,
                kills=int(is_cut),
                connections=CONNECTIONS,
                folder=disk,
                dropped=[papers(title) for title in TITLES],
                wanted=dict.fromkeys(addresses(PEOPLE), TITLES),
            )
            assert store.outbox.counts()[OutboxState.SENT] == PEOPLE
        finally:
            store.close()
    return is_cut, extra


async def cuts(tmp_path: Path, numbers: range) -> tuple[int, int]:
    """Cut at each of the numbers until a run ends by itself. Returns how many cuts there were, and extra copies."""
    done = copies = 0
    for number in numbers:
        is_cut, extra = await cut_at(tmp_path / str(number), number)
        shutil.rmtree(tmp_path / str(number))
        if not is_cut:
            return done, copies
        done, copies = done + 1, copies + extra
    raise AssertionError("it does not come to its end")


async def test_power_cut_at_every_twelfth_sync_of_run_once_loses_nothing(tmp_path: Path) -> None:
    done, _ = await cuts(tmp_path, range(11, 500, 12))
    assert done >= 2


@pytest.mark.faults
@pytest.mark.timeout(300)
async def test_power_cut_at_every_third_sync_of_run_once_loses_nothing(tmp_path: Path) -> None:
    done, _ = await cuts(tmp_path, range(2, 500, 3))
    assert done >= 10


@pytest.mark.faults
@pytest.mark.loop
@pytest.mark.timeout(3600)
async def test_power_cut_at_every_sync_of_run_once_loses_nothing(tmp_path: Path) -> None:
    done, extra = await cuts(tmp_path, range(1, 500))
    record("power cut at every fsync of a first run-once", f"{done} cuts: lost 0, extra copies {extra}")
    assert done > 20


async def cut_at_each(folder: Path, people: int, connections: int, syncs: Iterable[int]) -> tuple[int, int]:
    """Cut the power of `digestd deliver` at these syncs, one run after the other, until all is sent.

    Returns the cuts and the extra copies.
    """
    cuts_made = 0
    disk, shadow = folder / "disk", folder / "shadow"
    disk.mkdir(parents=True)
    async with SmtpScript(keep_bodies=False) as relay:
        config = composed(disk, relay, people, connections=connections)
        for number in syncs:
            begun(disk, shadow)
            status, said = await finished(config, "deliver", fault=armed(disk, shadow, number))
            assert status in (0, -9), said
            if status == 0:
                break
            after_the_cut(disk, shadow)
            shutil.rmtree(shadow)
            cuts_made += 1
        await drained(config)
        return cuts_made, checked(config, relay, people, kills=cuts_made, connections=connections)


def at_random(furthest: int, seed: int) -> Iterator[int]:
    """Yield syncs up to the furthest, without end."""
    draw = Random(seed)
    while True:
        yield draw.randint(1, furthest)


async def test_power_cuts_of_deliver_again_and_again_lose_nothing(tmp_path: Path) -> None:
    done, _ = await cut_at_each(tmp_path, 60, 4, at_random(40, seed=1))
    assert done >= 1


@pytest.mark.faults
@pytest.mark.loop
@pytest.mark.timeout(3600)
async def test_power_cuts_of_deliver_over_twenty_thousand_editions_lose_nothing(tmp_path: Path) -> None:
    # What was in hand at a cut goes out one by one first, at two syncs each: quick cuts would meet only that.
    done, extra = await cut_at_each(tmp_path, 20_000, 32, at_random(3_000, seed=2))
    record(
        "power cuts at random fsyncs of deliver over 20,000 editions, 32 connections",
        f"{done} cuts: lost 0, extra copies {extra} (allowed {done * 32}), differing 0",
    )
    assert done >= 5


@pytest.mark.faults
@pytest.mark.loop
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("people", "nth", "said"), [(20_000, 30, "thirtieth fsync"), (1_000, 1, "fsync")])
async def test_power_cut_at_every_or_every_thirtieth_sync_of_deliver_loses_nothing(
    tmp_path: Path, people: int, nth: int, said: str
) -> None:
    done = copies = 0
    for number in range(1, 100_000, nth):
        is_cut, extra = await cut_at_each(tmp_path / str(number), people, 32, [number])
        shutil.rmtree(tmp_path / str(number))
        if not is_cut:
            break
        done, copies = done + is_cut, copies + extra
    record(
        f"power cut once, at every {said} of deliver over {people:,} editions, 32 connections",
        f"{done} runs, a cut each: lost 0, extra copies {copies} (allowed {done * 32}), differing 0",
    )
    assert done >= 15
