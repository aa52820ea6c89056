"""Fault: kill -9 at every step of ingest, by strace at each system call that changes something.

What must hold: the file is ingested once, stands in the inbox or in the archive, and its readers get it once.
"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
from support.composed import addresses, write_people
from support.history import check_history
from support.office_files import configured
from support.processes import run
from support.results import record
from support.smtp_script import SmtpScript
from support.tracing import needs_strace, traced
from support.world import papers

from digestd.store.open import SqliteStore

pytestmark = [pytest.mark.faults, needs_strace]

CALLS = ("pwrite64", "write", "fdatasync", "fsync", "ftruncate", "link", "linkat", "unlink", "rename", "mkdir")
TITLES = ["A Robot", "A Second Robot"]


def prepared(folder: Path, port: int) -> Path:
    folder.mkdir()
    (folder / "inbox").mkdir()
    for title in TITLES:
        (folder / "inbox" / f"{title}.jsonl").write_text(papers(title))
    write_people(folder, 2)
    return configured(folder, port, connections=1)


async def steps(folder: Path) -> list[tuple[str, int]]:
    """Return every step of a clean run that is worth a kill: a system call and the how manieth it is."""
    async with SmtpScript() as relay:
        config = prepared(folder, relay.port)
        status, said = await traced(config, "run-once", "-e", f"trace={','.join(CALLS)}")
        assert status == 0, said
    counted: Counter[str] = Counter()
    found = []
    for line in (folder / "strace.log").read_text().splitlines():
        thread, call = line.split()[0], line.split()[1].partition("(")[0]
        if call in CALLS:
            counted[f"{thread} {call}"] += 1
            found.append((call, counted[f"{thread} {call}"]))
    return sorted(set(found))


async def killed_at(folder: Path, call: str, number: int) -> int:
    """Kill at a step, run again, and check. Returns 1 when the kill came, which depends on the thread."""
    async with SmtpScript() as relay:
        config = prepared(folder, relay.port)
        inject = f"inject={call}:signal=KILL:when={number}"
        status, _ = await traced(config, "run-once", "-e", f"trace={call}", "-e", inject)
        await run(config, "run-once")
        store = SqliteStore(folder / "digestd.db")
        try:
            check_history(
                store,
                relay.messages,
                kills=1,
                connections=1,
                folder=folder,
                dropped=[papers(title) for title in TITLES],
                wanted=dict.fromkeys(addresses(2), TITLES),
            )
            assert len(list(store.papers.all())) == len(TITLES)
        finally:
            store.close()
    shutil.rmtree(folder)
    return int(status != 0)


async def killed_at_each(tmp_path: Path, every: int) -> tuple[int, int]:
    """Kill at every so manieth step. Returns how many steps there are, and how many kills came."""
    found = await steps(tmp_path / "clean")
    kills = 0
    for number, (call, when) in enumerate(found):
        if number % every == every // 2:
            kills += await killed_at(tmp_path / f"{call}-{when}", call, when)
    return len(found), kills


async def test_kill_at_some_steps_of_ingest_counts_each_file_once(tmp_path: Path) -> None:
    count, kills = await killed_at_each(tmp_path, every=40)
    assert count > 30
    assert kills >= 1


@pytest.mark.faults
@pytest.mark.timeout(300)
async def test_kill_at_every_eighth_step_of_ingest_counts_each_file_once(tmp_path: Path) -> None:
    _, kills = await killed_at_each(tmp_path, every=8)
    assert kills >= 5


@pytest.mark.faults
@pytest.mark.loop
@pytest.mark.timeout(3600)
async def test_kill_at_every_step_of_ingest_counts_each_file_once(tmp_path: Path) -> None:
    count, kills = await killed_at_each(tmp_path, every=1)
    record("kill -9 at every system call of run-once", f"{count} steps, {kills} kills: lost 0, counted twice 0")
    assert kills > count / 2
