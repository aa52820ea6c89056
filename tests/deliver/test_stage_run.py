"""How a run of delivery is made: who is still wanted, what is given back, and what shares a connection or a commit."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.history import check_history
from support.office import Altered, office
from support.smtp_actions import Hold

from digestd.deliver.pace import FIRST
from digestd.deliver.press import Press, Printed
from digestd.deliver.scribe import Scribe
from digestd.deliver.stage import AHEAD, DeliverReport
from digestd.deliver.tray import Tray
from digestd.errors import StoreBusy, StoreError
from digestd.model import OutboxState, SubscriberState
from digestd.store.base import Transition
from digestd.store.open import SqliteStore

READY, SENT, CANCELLED = OutboxState.READY, OutboxState.SENT, OutboxState.CANCELLED
CLAIMED, SENDING = OutboxState.CLAIMED, OutboxState.SENDING


# Still wanted?


@pytest.mark.parametrize("state", [SubscriberState.UNSUBSCRIBED, SubscriberState.SUPPRESSED])
async def test_deliver_to_one_who_left_while_it_was_ready_cancels(tmp_path: Path, state: SubscriberState) -> None:
    async with office(tmp_path, people=2) as it:
        it.move("r0", state)
        assert await it.deliver() == DeliverReport(sent=1, cancelled=1)
        assert [message.recipients[0] for message in it.relay.messages] == ["r1@example.org"]
        [row] = [row for row in it.rows() if row.state is CANCELLED]
        [line] = it.ledger(row)
        assert (line.state, line.reply) == ("cancelled", "the reader left before it was sent")


@pytest.mark.parametrize("extensions", [("PIPELINING",), ()], ids=["pipelining", "one by one"])
async def test_deliver_to_one_who_leaves_between_claim_and_body_sends_no_byte(
    tmp_path: Path, extensions: Sequence[str]
) -> None:
    allowed = asyncio.Event()
    async with office(tmp_path, {"DATA": [Hold("354 go", allowed)]}, people=2, extensions=extensions) as it:
        run = asyncio.create_task(it.deliver())
        await it.relay.until(lambda: it.relay.count("DATA") == 1)
        first = it.relay.sessions[0].commands
        [left] = {command.partition("<")[2].partition("@")[0] for command in first if command.startswith("RCPT")}
        it.move(left, SubscriberState.UNSUBSCRIBED)
        allowed.set()
        reports = [await run, await it.deliver()]  # which of them finds out depends on how fast the relay is
        assert [sum(report.sent for report in reports), sum(report.cancelled for report in reports)] == [1, 1]
        assert f"{left}@example.org" not in [message.recipients[0] for message in it.relay.messages]
        assert all(session.cut_body == b"" for session in it.relay.sessions)


async def test_deliver_to_a_paused_person_waits_until_they_are_back(tmp_path: Path) -> None:
    async with office(tmp_path) as it:
        it.move("r0", SubscriberState.PAUSED)
        assert await it.deliver() == DeliverReport()
        assert it.states() == {READY: 1}
        it.move("r0", SubscriberState.ACTIVE)
        assert await it.deliver() == DeliverReport(sent=1)


# The machinery


async def test_deliver_whose_outcome_cannot_be_written_raises_and_is_uncertain(tmp_path: Path) -> None:
    async with office(tmp_path, people=3) as it:
        record, calls = it.world.store.outbox.record, []

        def failing(owner: str, transitions: Sequence[Transition]) -> list[bool]:
            calls.append(transitions)
            if any(step.target is SENT for step in transitions):
                raise StoreError("the disk is full")
            return record(owner, transitions)

        with pytest.raises(StoreError, match="the disk is full"):
            await it.deliver(Altered(it.world.store, record=failing))
        assert it.states() == {SENDING: 1, READY: 2}
        assert len(it.relay.accepted) == 1
        assert (await it.deliver()).sent == 3
        assert check_history(it.world.store, it.relay.messages, kills=1, connections=1) == 1


async def test_deliver_with_the_store_busy_while_claiming_raises_and_leaves_all_ready(tmp_path: Path) -> None:
    def busy(*_: object) -> None:
        raise StoreBusy("another process has held the database")

    async with office(tmp_path, people=3, connections=4) as it:
        with pytest.raises(StoreBusy):
            await it.deliver(Altered(it.world.store, claim=busy))
        assert it.states() == {READY: 3}
        assert it.relay.sessions == []


async def test_deliver_with_stop_set_finishes_what_is_on_its_way_and_gives_back_the_rest(tmp_path: Path) -> None:
    stop, go = asyncio.Event(), asyncio.Event()
    async with office(tmp_path, {"DOT": [Hold("250 ok", go)]}, people=20) as it:
        run = asyncio.create_task(it.deliver(stop=stop))
        await it.relay.until(lambda: len(it.relay.messages) == 1)
        stop.set()
        go.set()
        assert await run == DeliverReport(sent=1)
        assert it.states() == {SENT: 1, READY: 19}
        assert {row.attempts for row in it.rows() if row.state is READY} == {0}
        assert await it.deliver(stop=stop) == DeliverReport()


async def test_deliver_that_is_cancelled_gives_back_what_it_claimed(tmp_path: Path) -> None:
    begun, go, claimed = threading.Event(), threading.Event(), threading.Event()
    async with office(tmp_path, people=20) as it:
        claim = it.world.store.outbox.claim

        def slow(*arguments: Any) -> Any:
            begun.set()
            assert go.wait(10)
            try:
                return claim(*arguments)
            finally:
                claimed.set()

        run = asyncio.create_task(it.deliver(Altered(it.world.store, claim=slow)))
        assert await asyncio.to_thread(begun.wait, 10)
        run.cancel()
        asyncio.get_running_loop().call_later(0.05, go.set)
        with pytest.raises(asyncio.CancelledError):
            await run
        assert await asyncio.to_thread(claimed.wait, 10)
        assert it.states() == {READY: 20}


async def test_deliver_cancelled_while_a_mark_is_written_waits_for_it(tmp_path: Path) -> None:
    begun, go = threading.Event(), threading.Event()
    async with office(tmp_path) as it:
        record = it.world.store.outbox.record

        def slow(owner: str, transitions: Sequence[Transition]) -> list[bool]:
            if transitions[0].target is SENT:
                begun.set()
                assert go.wait(10)
            return record(owner, transitions)

        run = asyncio.create_task(it.deliver(Altered(it.world.store, record=slow)))
        assert await asyncio.to_thread(begun.wait, 10)
        run.cancel()
        asyncio.get_running_loop().call_later(0.05, go.set)
        with pytest.raises(asyncio.CancelledError):
            await run
        assert it.states() == {SENT: 1}


async def test_deliver_twice_at_once_refuses_the_second_and_sends_each_edition_once(tmp_path: Path) -> None:
    go = asyncio.Event()
    async with office(tmp_path, {"DOT": [Hold("250 ok", go)]}, people=5) as it:
        first = asyncio.create_task(it.deliver())
        await it.relay.until(lambda: len(it.relay.messages) == 1)
        other = SqliteStore(it.world.settings.paths.database)
        with pytest.raises(StoreBusy, match="another digestd delivers from this store"):
            await it.deliver(other)
        other.close()
        go.set()
        assert (await first).sent == 5
        assert len(it.relay.messages) == 5


async def test_deliver_over_several_connections_carries_as_many_at_once(tmp_path: Path) -> None:
    go = asyncio.Event()
    async with office(tmp_path, {"DOT": [Hold("250 ok", go)] * 4}, people=10, connections=4) as it:
        run = asyncio.create_task(it.deliver())
        await it.relay.until(lambda: len(it.relay.messages) == 4)  # four bodies are in, and none is answered
        go.set()
        assert (await run).sent == 10
        assert len(it.relay.sessions) == 4


async def test_deliver_writes_marks_that_are_wanted_together_in_one_transaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[int] = []
    wanted: list[Transition] = []
    free = threading.Event()
    ask = Scribe.record

    def noted(scribe: Scribe, transition: Transition) -> asyncio.Future[bool]:
        wanted.append(transition)
        if len(wanted) == FIRST:
            free.set()  # the first commit has taken until every other connection wanted one
        return ask(scribe, transition)

    monkeypatch.setattr(Scribe, "record", noted)
    async with office(tmp_path, people=FIRST, connections=FIRST) as it:
        record = it.world.store.outbox.record

        def counted(owner: str, transitions: Sequence[Transition]) -> list[bool]:
            batches.append(len(transitions))
            if len(batches) == 1:
                assert free.wait(10)
            return record(owner, transitions)

        assert (await it.deliver(Altered(it.world.store, record=counted))).sent == FIRST
        assert sum(batches) == 2 * FIRST  # each edition: the body begins, the outcome
        assert batches[0] + batches[1] >= FIRST  # what was wanted while the first one was written shares the second


async def test_deliver_claims_no_more_than_it_can_soon_send(tmp_path: Path) -> None:
    limits: list[int] = []
    most = 0
    connections = 2
    async with office(tmp_path, people=100, connections=connections) as it:
        claim = it.world.store.outbox.claim

        def watched(owner: str, now: Any, limit: int) -> Any:
            nonlocal most
            limits.append(limit)
            got = claim(owner, now, limit)
            most = max(most, it.world.store.outbox.counts()[CLAIMED])
            return got

        assert (await it.deliver(Altered(it.world.store, claim=watched))).sent == 100
        assert set(limits) == {AHEAD * connections}
        # those at the press, the new ones, those in the tray, and two in each worker's hand
        assert most <= 2 * AHEAD * connections + 3 * connections


async def test_deliver_where_all_who_are_first_have_left_goes_on_to_the_next(tmp_path: Path) -> None:
    people = AHEAD * 3
    async with office(tmp_path, people=people) as it:
        for number in range(people - 1):
            it.move(f"r{number}", SubscriberState.UNSUBSCRIBED)
        assert await it.deliver() == DeliverReport(sent=1, cancelled=people - 1)


async def test_deliver_that_ends_early_waits_for_the_press(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the press would be ended with a message in the making, and its thread would fail."""
    async with office(tmp_path, {"MAIL": "421 4.3.2 going down"}, people=2 * AHEAD) as it:
        ending = asyncio.Event()
        begun = made = 0
        at_the_end: list[int] = []
        whole, close, finish = Press(it.world.store.editions, ()), Tray.close, Scribe.finish

        async def press(editions: Sequence[int]) -> list[Printed]:
            nonlocal begun, made
            begun += 1
            if begun > 1:
                await ending.wait()
                for _ in range(100):  # turns of the loop: many more than an end takes that does not wait
                    await asyncio.sleep(0)
            made += 1
            return whole.print(editions)

        def closed(tray: Tray[Any]) -> None:
            ending.set()
            close(tray)

        async def finished(scribe: Scribe) -> None:
            at_the_end.append(made)
            await finish(scribe)

        monkeypatch.setattr(Tray, "close", closed)
        monkeypatch.setattr(Scribe, "finish", finished)
        it.post = replace(it.post, press=press)
        assert (await it.deliver()).trouble is not None
        assert (begun, at_the_end) == (2, [2])
