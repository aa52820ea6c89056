"""One connection for many messages: when a courier keeps its line, leaves it, and opens another."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from support.attempts import (
    DEFERRED,
    ENVELOPE,
    FAILED,
    LETTER,
    MESSAGE,
    PATIENT,
    RECIPIENT,
    RELAY,
    SENT,
    UNCERTAIN,
    courier_for,
    ended,
    limits_for,
    never,
    until_seen,
    yes,
)
from support.smtp_actions import OK, Drop, Hang, Script
from support.smtp_script import SmtpScript

from digestd.model import Blame, Phase, Verdict


async def test_courier_with_several_messages_uses_one_connection() -> None:
    async with SmtpScript() as server:
        courier = courier_for(server)
        outcomes = [await courier.carry(ENVELOPE, LETTER, yes) for _ in range(3)]
        await courier.close()
        await courier.close()  # harmless

    assert [outcome.verdict for outcome in outcomes] == [SENT] * 3
    assert server.verbs == ["EHLO", *["MAIL", "RCPT", "DATA"] * 3, "QUIT"]


async def test_courier_past_its_age_says_quit_and_reopens() -> None:
    async with SmtpScript() as server:
        courier = courier_for(server, replace(PATIENT, age=0))
        for _ in range(2):
            await courier.carry(ENVELOPE, LETTER, yes)
        await courier.close()

    assert [session.commands.count("DATA") for session in server.sessions] == [1, 1]


@pytest.mark.parametrize("farewell", ["421 4.4.2 idle too long", ""], ids=["421", "silent"])
async def test_courier_whose_idle_line_was_closed_reopens_without_a_failure(farewell: str) -> None:
    async with SmtpScript() as server:
        courier = courier_for(server)
        await courier.carry(ENVELOPE, LETTER, yes)
        await server.hang_up(farewell)
        await server.until_closed()
        await until_seen(courier)
        outcome = await courier.carry(ENVELOPE, LETTER, yes)
        await courier.close()

    assert outcome.verdict is SENT
    assert len(server.sessions) == len(server.accepted) == 2


async def test_courier_whose_kept_line_is_cut_at_mail_tries_a_new_one_at_once() -> None:
    async with SmtpScript({"MAIL": [OK, Drop()]}) as server:
        courier = courier_for(server)
        outcomes = [(await courier.carry(ENVELOPE, LETTER, yes)).verdict for _ in range(2)]
        await courier.close()

    assert outcomes == [SENT, SENT]
    assert len(server.sessions) == len(server.messages) == 2


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ({"MAIL": [OK, Drop(), Drop()]}, (DEFERRED, Phase.MAIL, RELAY)),
        ({"MAIL": [OK, Hang()]}, (DEFERRED, Phase.MAIL, RELAY)),
        ({"MAIL": [OK, Drop("421 4.4.2 idle too long")]}, (DEFERRED, Phase.MAIL, RELAY)),
        ({"DOT": [OK, Drop()]}, (UNCERTAIN, Phase.BODY, RELAY)),
        ({"BODY": [OK, Drop()]}, (UNCERTAIN, Phase.BODY, RELAY)),
    ],
    ids=repr,
)
async def test_courier_whose_kept_line_fails_otherwise_does_not_try_again(
    script: Script, expected: tuple[Verdict, Phase, Blame]
) -> None:
    async with SmtpScript(script) as server:
        courier = courier_for(server, limits_for(*script.values()))
        await courier.carry(ENVELOPE, LETTER, yes)
        outcome = await courier.carry(ENVELOPE, LETTER, yes)
        await courier.close()

    assert ended(outcome) == expected
    assert len(server.messages) == (2 if "DOT" in script else 1)


@pytest.mark.parametrize(
    ("script", "verdict"),
    [
        ({"RCPT": ["550 5.1.1 unknown"]}, FAILED),
        ({"RCPT": ["450 4.2.0 later"]}, DEFERRED),
        ({"DATA": ["451 4.3.0 later"]}, DEFERRED),
        ({"DOT": ["554 5.6.0 no"]}, FAILED),
        ({"DOT": ["452 4.3.1 later"]}, DEFERRED),
    ],
    ids=repr,
)
@pytest.mark.parametrize("extensions", [("PIPELINING",), ()], ids=repr)
async def test_courier_after_a_refused_message_resets_and_goes_on(
    script: Script, verdict: Verdict, extensions: tuple[str, ...]
) -> None:
    async with SmtpScript(script, extensions=extensions) as server:
        courier = courier_for(server)
        outcomes = [(await courier.carry(ENVELOPE, LETTER, yes)).verdict for _ in range(3)]
        await courier.close()

    assert outcomes == [verdict, SENT, SENT]
    assert len(server.sessions) == 1
    assert server.count("RSET") == 1
    assert len(server.accepted) == 2


async def test_courier_with_reset_refused_reopens() -> None:
    async with SmtpScript({"RCPT": ["550 5.1.1 unknown"], "RSET": "502 what?"}) as server:
        courier = courier_for(server)
        outcomes = [ended(await courier.carry(ENVELOPE, LETTER, yes)) for _ in range(3)]
        await courier.close()

    assert outcomes == [
        (FAILED, Phase.RCPT, RECIPIENT),
        (DEFERRED, Phase.MAIL, RELAY),
        (SENT, Phase.BODY, MESSAGE),
    ]
    assert len(server.sessions) == 2


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "DOT"])
async def test_courier_after_421_reopens(step: str) -> None:
    async with SmtpScript({step: ["421 4.3.2 enough"]}) as server:
        courier = courier_for(server)
        outcomes = [await courier.carry(ENVELOPE, LETTER, yes) for _ in range(2)]
        await courier.close()

    assert [outcome.verdict for outcome in outcomes] == [DEFERRED, SENT]
    assert outcomes[0].blame is RELAY
    assert len(server.sessions) == 2
    assert len(server.accepted) == 1


async def test_courier_whose_rcpt_is_refused_but_data_goes_ahead_sends_nothing_and_reopens() -> None:
    async with SmtpScript({"RCPT": ["550 5.1.1 unknown"], "DATA": ["354 go ahead"]}) as server:
        courier = courier_for(server)
        first = await courier.carry(ENVELOPE, LETTER, never)
        second = await courier.carry(ENVELOPE, LETTER, yes)
        await courier.close()

    assert ended(first) == (FAILED, Phase.RCPT, RECIPIENT)
    assert second.verdict is SENT
    assert len(server.sessions) == 2
    assert len(server.messages) == 1


@pytest.mark.parametrize("fault", [Hang(), Drop()], ids=repr)
async def test_courier_whose_rcpt_is_refused_and_data_not_answered_reopens(fault: Hang | Drop) -> None:
    async with SmtpScript({"RCPT": ["550 5.1.1 unknown"], "DATA": [fault]}) as server, asyncio.timeout(5):
        courier = courier_for(server)
        first = await courier.carry(ENVELOPE, LETTER, never)
        second = await courier.carry(ENVELOPE, LETTER, yes)
        await courier.close()

    assert ended(first) == (FAILED, Phase.RCPT, RECIPIENT)
    assert second.verdict is SENT
    assert len(server.sessions) == 2
