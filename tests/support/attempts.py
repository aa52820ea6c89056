"""One attempt of a courier against the scripted server: the letter, the limits, and how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from support.smtp_actions import Hang, Slow
from support.smtp_script import SmtpScript

from digestd.deliver.courier import SmtpCourier
from digestd.deliver.relay import Limits, Relay
from digestd.model import Blame, Envelope, Outcome, Phase, Verdict

SENT, DEFERRED, FAILED, UNCERTAIN = Verdict.SENT, Verdict.DEFERRED, Verdict.FAILED, Verdict.UNCERTAIN
RECIPIENT, MESSAGE, RELAY = Blame.RECIPIENT, Blame.MESSAGE, Blame.RELAY

ENVELOPE = Envelope("digest@example.org", "reader@example.net")
LETTER = b"Subject: Papers\r\nMessage-ID: <1@example.org>\r\n\r\nHello.\r\n"
BIG_LETTER = LETTER + (b"x" * 74 + b"\r\n") * 300_000  # 23 MB: more than the loopback's buffers hold

SHORT = 0.2  # only where a time limit must pass: elsewhere a busy machine would fail the test
HASTY = Limits(connect=5, greeting=SHORT, command=SHORT, data=SHORT, block=SHORT, dot=SHORT, quit=SHORT)
PATIENT = Limits(connect=10, greeting=10, command=10, data=10, block=10, dot=10, quit=10)


def dot_stuffed(message: bytes) -> bytes:
    """Any message as a courier takes it (RFC 5321 4.5.2): ours have no line that begins with a dot."""
    message = message if message.endswith(b"\r\n") else message + b"\r\n"
    return (b"\n" + message).replace(b"\n.", b"\n..")[1:]


async def yes() -> bool:
    return True


async def no() -> bool:
    return False


async def never() -> bool:
    pytest.fail("before_body was called although the relay had not said 354")


def limits_for(*actions: Any) -> Limits:
    """HASTY where one of the actions, or lists of them, is to run into a time limit."""
    flat = [action for each in actions for action in (each if isinstance(each, list) else [each])]
    return HASTY if any(isinstance(action, Hang | Slow) for action in flat) else PATIENT


def courier_for(server: SmtpScript, limits: Limits = PATIENT, **changes: Any) -> SmtpCourier:
    relay = Relay(server.host, server.port, tls="none", local_hostname="client.example")
    return SmtpCourier(replace(relay, **changes), limits)


async def carry(
    server: SmtpScript,
    message: bytes = LETTER,
    before_body: Callable[[], Awaitable[bool]] = yes,
    *,
    limits: Limits = PATIENT,
    envelope: Envelope = ENVELOPE,
    **changes: Any,
) -> Outcome:
    """One attempt by a courier of its own, closed afterwards and seen closed by the server."""
    courier = courier_for(server, limits, **changes)
    try:
        return await courier.carry(envelope, dot_stuffed(message), before_body)
    finally:
        await courier.close()
        await server.until_closed()


def ended(outcome: Outcome) -> tuple[Verdict, Phase, Blame]:
    return outcome.verdict, outcome.phase, outcome.blame


async def until_seen(courier: SmtpCourier) -> None:
    """Return once the courier's own side has noticed that the line is gone."""
    line = courier._line
    assert line is not None
    async with asyncio.timeout(5):
        while line.trouble is None:
            await asyncio.sleep(0)
