"""Fault: kill -9, at random and at exact moments of ingest, match, compose, render and delivery.

What must hold: nothing is lost, copies are at most one for each connection and crash, listed, and equal to the byte.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from support.composed import addresses, checked, composed, drained, stored, write_people
from support.fail_points import Fault, kill_at, kill_at_mark
from support.history import check_history
from support.office_files import configured
from support.processes import digestd, finished, run
from support.results import record
from support.smtp_script import Hang, Hold, SmtpScript
from support.world import papers

from digestd.model import OutboxState

KILLED = -9


@dataclass(frozen=True, slots=True)
class Loop:
    """What a loop of kills came to: the kills, after how many nothing was sent twice, and the extra copies.

    `aside` are the editions that were set aside for them.
    """

    kills: int
    clean: int
    extra: int
    aside: int


async def kill_loop(folder: Path, people: int, kills: int, connections: int, seed: int) -> Loop:
    """Kill `digestd deliver` at random moments, let it finish, and check."""
    draw = Random(seed)
    async with SmtpScript(keep_bodies=False) as relay:
        config = composed(folder, relay, people, connections=connections)
        ends: list[int] = []  # how many messages had come from each that was killed
        is_killed = False
        while len(ends) + is_killed < kills and len(relay.messages) < people:
            before = len(relay.messages)
            target = before + draw.randint(1, max(1, people // kills))
            async with digestd(config, "deliver") as process:
                if is_killed:  # what it had begun to send is in by now
                    ends.append(len(relay.messages))
                while len(relay.messages) < target and process.exitcode is None:
                    await asyncio.sleep(draw.random() * 0.01)
            is_killed = process.exitcode == KILLED
        ends += [len(relay.messages)] * is_killed
        await drained(config)
        with stored(folder) as store:
            aside = store.outbox.rows(OutboxState.FAILED, people)
        for row in aside:  # killed three times with this one in hand: visible, and sent when the operator says so
            await run(config, "outbox", "retry", str(row.edition))
        await drained(config)
        extra = checked(config, relay, people, kills=len(ends), connections=connections)
        return Loop(len(ends), len(ends) - len(copied(relay, ends)), extra, len(aside))


def copied(relay: SmtpScript, ends: Sequence[int]) -> set[int]:
    """Return the numbers of the kills after which something was sent again."""
    last = {message.header("Message-ID"): at for at, message in enumerate(relay.messages)}
    first = (at for at, message in enumerate(relay.messages) if at != last[message.header("Message-ID")])
    return {bisect_right(ends, at) for at in first}


async def test_kill_at_random_moments_of_deliver_loses_nothing(tmp_path: Path) -> None:
    done = await kill_loop(tmp_path, people=200, kills=6, connections=8, seed=1)
    assert done.kills >= 4


@pytest.mark.faults
@pytest.mark.loop
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("connections", [8, 32])
async def test_kill_two_hundred_times_over_twenty_thousand_editions_loses_nothing(
    tmp_path: Path, connections: int
) -> None:
    done = await kill_loop(tmp_path, people=20_000, kills=200, connections=connections, seed=connections)
    record(
        f"200 random kills over 20,000 editions, {connections} connections",
        f"{done.kills} kills: lost 0, set aside {done.aside}, differing 0,"
        f" extra copies {done.extra} (allowed {done.kills * connections}), none after {done.clean} of the kills",
    )
    assert done.kills >= 150


@pytest.mark.parametrize(
    ("fault", "is_sent_by_then"),
    [
        (kill_at("digestd.publish.stage:select"), False),
        (kill_at("digestd.store.editions:SqliteEditions.save"), False),
        (kill_at("digestd.store.editions:SqliteEditions.save", after=True), False),
        (kill_at("digestd.publish.render:Renderer.render"), False),
        (kill_at("digestd.deliver.press:build_message", after=True), False),
        (kill_at("digestd.store.outbox:SqliteOutbox.claim", after=True), False),
        (kill_at_mark("sending"), False),
        (kill_at_mark("sending", after=True), False),
        (kill_at_mark("sent"), True),
        (kill_at_mark("sent", after=True), True),
    ],
    ids=[
        "in compose", "before an edition is kept", "after it is kept", "in render", "after render", "after a claim",
        "after 354, before it is marked sending", "after it is marked sending", "before the mark", "after the mark",
    ],
)  # fmt: skip
async def test_kill_in_match_compose_render_and_around_each_mark_makes_one_edition_for_each_issue(
    tmp_path: Path, fault: Fault, is_sent_by_then: bool
) -> None:
    people = 3
    async with SmtpScript() as relay:
        config = configured(tmp_path, relay.port, connections=2)
        write_people(tmp_path, people)
        (tmp_path / "inbox").mkdir()
        (tmp_path / "inbox" / "papers.jsonl").write_text(papers("A Robot"))
        status, said = await finished(config, "run-once", fault=fault)
        assert status == KILLED, said
        assert bool(relay.messages) == is_sent_by_then
        await run(config, "run-once")
        checked(config, relay, people, kills=1, connections=2)


@pytest.mark.parametrize("step", ["MAIL", "DATA", "BODY", "DOT"])
async def test_kill_while_the_relay_is_silent_after_354_in_the_body_or_after_the_dot_loses_nothing(
    tmp_path: Path, step: str
) -> None:
    async with SmtpScript({step: [Hang()]}) as relay:
        config = composed(tmp_path, relay, 3)
        async with digestd(config, "deliver"):
            await relay.until(lambda: hung(relay, step))
        await drained(config)
        assert checked(config, relay, 3, kills=1) >= (step == "DOT")


def hung(relay: SmtpScript, step: str) -> bool:
    """Return whether some connection has come to the step where it hears nothing."""
    if step == "DOT":
        return any(not message.is_accepted for message in relay.messages)
    if step == "BODY":
        return any(session.is_hung for session in relay.sessions)
    return any(line.upper().startswith(step) for session in relay.sessions for line in session.commands)


async def test_kill_while_the_250_is_on_its_way_makes_one_copy_for_each_connection(tmp_path: Path) -> None:
    late = asyncio.Event()
    async with SmtpScript({"DOT": [Hold("250 2.0.0 queued", late)] * 3}) as relay:
        config = composed(tmp_path, relay, 9, connections=3)
        async with digestd(config, "deliver"):
            await relay.until(lambda: len(relay.messages) == 3)
        late.set()
        await drained(config)
        assert checked(config, relay, 9, kills=1, connections=3) == 3


@pytest.mark.parametrize("moment", ["ingest begins", "file is archived", "half is sent"])
async def test_kill_in_run_once_counts_a_file_once_and_composes_an_issue_once(tmp_path: Path, moment: str) -> None:
    people, titles = 40, [f"Robot {number}" for number in range(60)]
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    async with SmtpScript(keep_bodies=False) as relay:
        config = configured(tmp_path, relay.port, connections=8)
        write_people(tmp_path, people)
        (inbox / "papers.jsonl").write_text(papers(*titles))
        reached = {
            "ingest begins": (tmp_path / "digestd.db").exists,
            "file is archived": lambda: not (inbox / "papers.jsonl").exists(),
            "half is sent": lambda: len(relay.messages) >= people // 2,
        }[moment]
        async with digestd(config, "run-once") as process, asyncio.timeout(30):
            while not reached() and process.exitcode is None:
                await asyncio.sleep(0.001)
        await run(config, "run-once")
        with stored(tmp_path) as store:
            wanted = dict.fromkeys(addresses(people), titles)
            assert len(list(store.papers.all())) == 60
            check_history(
                store, relay.messages, kills=1, connections=8, folder=tmp_path, dropped=[papers(*titles)], wanted=wanted
            )
        assert {message.recipients[0] for message in relay.messages} == set(addresses(people))
        assert list(inbox.iterdir()) == []


@pytest.mark.faults
async def test_kill_in_run_once_while_presses_make_what_is_expected_ends_them_and_loses_nothing(tmp_path: Path) -> None:
    people = 4_000
    async with SmtpScript(keep_bodies=False) as relay:
        config = configured(tmp_path, relay.port, connections=8)
        write_people(tmp_path, people)
        (tmp_path / "inbox").mkdir()
        (tmp_path / "inbox" / "papers.jsonl").write_text(papers("A Robot"))
        presses: set[int] = set()
        async with digestd(config, "run-once") as process, asyncio.timeout(60):
            while not presses and process.exitcode is None:
                await asyncio.sleep(0.001)
                presses = children(process.pid)
        assert process.exitcode == KILLED
        async with asyncio.timeout(10):
            while any(Path(f"/proc/{press}").exists() for press in presses):
                await asyncio.sleep(0.01)
        await run(config, "run-once")
        checked(config, relay, people, kills=1, connections=8)


def children(pid: int | None) -> set[int]:
    """Return the presses that a process has begun."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended since
            parent = status.read_text().rpartition(")")[2].split()[1]
            if parent == str(pid) and b"press_process" in status.with_name("cmdline").read_bytes():
                found.add(int(status.parent.name))
    return found
