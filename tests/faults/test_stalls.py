"""Fault: the event loop is blocked, or what writes the marks breaks. What must hold: late, but sent.

That a loop which stays blocked is restarted is the watchdog's (tests/service/test_notify.py).
"""

from __future__ import annotations

from pathlib import Path

import pytest
from support.composed import checked, composed
from support.fail_points import Fault, broken_at, stalled_at
from support.serving import serving
from support.smtp_script import SmtpScript

pytestmark = pytest.mark.faults

PEOPLE = 12
CONNECTIONS = 3


@pytest.mark.parametrize(
    ("fault", "kills"),
    [
        (stalled_at("digestd.service.rounds:Rounds.deliver", 2.0), 0),
        (stalled_at("digestd.store.outbox:SqliteOutbox.record", 2.0), 0),
        (broken_at("digestd.store.outbox:SqliteOutbox.record"), 1),
        (broken_at("digestd.store.outbox:SqliteOutbox.claim"), 0),
        (broken_at("digestd.deliver.stage:deliver"), 0),
    ],
    ids=["loop blocked", "writer blocked", "writer broken", "claim broken", "stage broken"],
)
async def test_event_loop_blocked_or_writer_dead_is_late_but_sent(tmp_path: Path, fault: Fault, kills: int) -> None:
    async with SmtpScript() as relay:
        config = composed(tmp_path, relay, PEOPLE, connections=CONNECTIONS)
        async with serving(config, fault=fault) as served:
            await served.until(lambda: len({message.recipients[0] for message in relay.accepted}) == PEOPLE)
            assert await served.stopped() == 0
        checked(config, relay, PEOPLE, kills=kills, connections=CONNECTIONS)
