"""Fault: a reader leaves while their edition is ready, claimed, or being sent. No mail is started after the yes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from support.composed import composed, stored
from support.history import check_history
from support.processes import digestd, run
from support.smtp_script import Hold, SmtpScript
from support.world import MONDAY

from digestd.model import Origin, OutboxState, SubscriberState
from digestd.store.open import SqliteStore


@contextmanager
def a_reader_leaves(config: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(config.with_name("digestd.db"))) as store:
        store.subscribers.set_state("r0@example.org", SubscriberState.UNSUBSCRIBED, Origin.READER, MONDAY)
        yield store


@pytest.mark.parametrize("step", ["before", "CONNECT", "MAIL", "RCPT", "DATA", "DOT"])
async def test_unsubscribe_while_ready_claimed_or_sending_no_mail_starts_after_the_yes(
    tmp_path: Path, step: str
) -> None:
    """The relay answers at `step` only once the reader has left; from DATA on, the mail had started before."""
    gone = asyncio.Event()
    replies = {"CONNECT": "220 go on", "DATA": "354 go ahead"}
    script = {} if step == "before" else {step: [Hold(replies.get(step, "250 ok"), gone)]}
    async with SmtpScript(script) as relay:
        config = composed(tmp_path, relay, 1, connections=1)
        if step == "before":
            with a_reader_leaves(config):
                pass
        async with digestd(config, "deliver") as process:
            if step != "before":
                await relay.until(lambda: reached(relay, step))
                with a_reader_leaves(config):
                    gone.set()
            await asyncio.to_thread(process.join, 20)
            assert process.exitcode == 0, config.with_name("command.log").read_text()
        await run(config, "deliver")
        had_begun = step == "DOT"
        assert len(relay.messages) == had_begun
        with stored(tmp_path) as store:
            left = {} if had_begun else {"r0@example.org": 0}
            check_history(store, relay.messages, kills=0, connections=1, left=left)
            state = OutboxState.SENT if had_begun else OutboxState.CANCELLED
            assert store.outbox.counts()[state] == 1


def reached(relay: SmtpScript, step: str) -> bool:
    if step == "CONNECT":
        return bool(relay.sessions)
    if step == "DOT":
        return bool(relay.messages)
    return any(line.upper().startswith(step) for line in relay.commands)
