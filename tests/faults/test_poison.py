"""Fault: an edition that crashes the process each time. It is set aside after three tries, and others flow."""

from __future__ import annotations

from pathlib import Path

from support.composed import addresses, composed, stored
from support.fail_points import kill_whenever
from support.history import check_history
from support.processes import finished, run
from support.smtp_script import SmtpScript

from digestd.model import OutboxState

POISON = "r1@example.org"


async def test_poison_edition_that_crashes_the_process_each_time_is_set_aside_after_three_tries_and_others_flow(
    tmp_path: Path,
) -> None:
    async with SmtpScript() as relay:
        config = composed(tmp_path, relay, 6, connections=2)
        crashes = 0
        for _ in range(8):
            status, _ = await finished(
                config, "deliver", fault=kill_whenever("digestd.publish.render:Renderer.render", POISON)
            )
            if status != -9:
                break
            crashes += 1
        assert crashes == 1 + 3  # once in company, and then three tries of its own
        with stored(tmp_path) as store:
            states = {row.email: row for state in OutboxState for row in store.outbox.rows(state, 100)}
            assert {row.state for email, row in states.items() if email != POISON} == {OutboxState.SENT}
            assert states[POISON].state is OutboxState.FAILED
            assert "three" in states[POISON].reason or "3" in states[POISON].reason
            check_history(store, relay.messages, kills=crashes, connections=2)
        assert {message.recipients[0] for message in relay.messages} == set(addresses(6)) - {POISON}
        await run(config, "outbox", "retry", str(states[POISON].edition))
        await run(config, "deliver")
        assert POISON in {message.recipients[0] for message in relay.messages}
