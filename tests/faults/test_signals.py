"""Fault: SIGTERM under load, twice, and with a hung relay. No extra copies, and an exit in time."""

from __future__ import annotations

import asyncio
import signal
import time
from functools import partial
from pathlib import Path

import pytest
from support.composed import checked, composed, drained
from support.fail_points import Fault, set_to
from support.serving import serving
from support.smtp_script import Hang, Hold, SmtpScript

from digestd.service import daemon

pytestmark = pytest.mark.faults

PEOPLE = 150


def patient_for(seconds: float) -> Fault:
    """Let the daemon wait so long for what is on its way."""
    return set_to("digestd.service.daemon:serve", partial(daemon.serve, stop_limit=seconds))


async def test_sigterm_under_load_makes_no_extra_copies(tmp_path: Path) -> None:
    async with SmtpScript(keep_bodies=False) as relay:
        config = composed(tmp_path, relay, PEOPLE, connections=8)
        async with serving(config) as served:
            await relay.until(lambda: len(relay.messages) >= 10)
            assert await served.stopped() == 0
        sent = len(relay.messages)
        await drained(config)
        assert checked(config, relay, PEOPLE, connections=8) == 0
        assert 10 <= sent <= PEOPLE == len(relay.messages)


async def test_sigterm_twice_under_load_ends_at_once_and_loses_nothing(tmp_path: Path) -> None:
    async with SmtpScript(keep_bodies=False) as relay:
        config = composed(tmp_path, relay, PEOPLE, connections=8)
        async with serving(config) as served:
            await relay.until(lambda: len(relay.messages) >= 10)
            served.send(signal.SIGTERM)
            await served.says("event=stopping")
            assert await served.stopped() == 0
        await drained(config)
        checked(config, relay, PEOPLE, kills=1, connections=8)


@pytest.mark.parametrize(
    "step", ["MAIL", "DOT", *(pytest.param(step, marks=pytest.mark.faults) for step in ("CONNECT", "DATA", "BODY"))]
)
async def test_sigterm_with_a_hung_relay_ends_in_time(tmp_path: Path, step: str) -> None:
    async with SmtpScript({step: [Hang()] * 2}) as relay:
        config = composed(tmp_path, relay, 5, connections=2)
        async with serving(config, fault=patient_for(0.5)) as served:
            await relay.until(lambda: len(relay.sessions) == 2)
            if step == "DOT":
                await relay.until(lambda: len(relay.messages) == 2)
            begun = time.monotonic()
            assert await served.stopped() == 0
            assert time.monotonic() - begun < 15
        await drained(config)
        extra = checked(config, relay, 5, kills=1, connections=2)
        assert extra == (2 if step == "DOT" else 0), "only what came whole can come twice"


async def test_sigterm_waits_for_the_relay_to_take_what_is_on_its_way(tmp_path: Path) -> None:
    said = asyncio.Event()
    async with SmtpScript({"DOT": [Hold("250 2.0.0 taken", said)] * 2}) as relay:
        config = composed(tmp_path, relay, 5, connections=2)
        async with serving(config) as served:
            await relay.until(lambda: len(relay.messages) == 2)
            served.send(signal.SIGTERM)
            await served.says("event=stopping")
            said.set()
            assert await served.ended() == 0
            assert "event=stopped late=0" in served.log
        await drained(config)
        assert checked(config, relay, 5, connections=2) == 0


async def test_sigterm_twice_with_a_hung_relay_ends_at_once(tmp_path: Path) -> None:
    async with SmtpScript({"DOT": [Hang()] * 2}) as relay:
        config = composed(tmp_path, relay, 5, connections=2)
        async with serving(config, fault=patient_for(300)) as served:
            await relay.until(lambda: len(relay.messages) == 2)
            served.send(signal.SIGTERM)
            await served.says("event=stopping")
            assert await served.stopped() == 0
        await drained(config)
        assert checked(config, relay, 5, kills=1, connections=2) == 2
