"""The courier over lines that are lost, silent, slow, or talk nonsense."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from support.attempts import (
    BIG_LETTER,
    DEFERRED,
    ENVELOPE,
    FAILED,
    HASTY,
    LETTER,
    PATIENT,
    RECIPIENT,
    RELAY,
    SENT,
    SHORT,
    UNCERTAIN,
    carry,
    courier_for,
    ended,
    limits_for,
    never,
    until_seen,
    yes,
)
from support.smtp_actions import Drop, Endless, Hang, Hold, Script, Slow
from support.smtp_script import SmtpScript

from digestd.model import Phase

FAULTS_BEFORE_THE_BODY: list[tuple[Script, Phase]] = [
    ({"CONNECT": Drop()}, Phase.CONNECT),
    ({"CONNECT": Hang()}, Phase.CONNECT),
    ({"CONNECT": Slow("220 relay.example", 0.05)}, Phase.CONNECT),
    ({"CONNECT": Endless(b"220-welcome\r\n")}, Phase.CONNECT),
    ({"CONNECT": Endless(b"welcome ")}, Phase.CONNECT),
    ({"CONNECT": b"SSH-2.0-OpenSSH_9.2\r\n"}, Phase.CONNECT),
    ({"CONNECT": b"220 hello\r\n220 hello\r\n"}, Phase.CONNECT),
    ({"EHLO": Drop()}, Phase.CONNECT),
    ({"EHLO": Hang()}, Phase.CONNECT),
    ({"EHLO": Slow("250 relay.example", 0.05)}, Phase.CONNECT),
    ({"EHLO": Endless(b"250-X\r\n")}, Phase.CONNECT),
    ({"EHLO": b"\xff\xfe\x00\r\n"}, Phase.CONNECT),
    *(
        ({step: fault}, phase)
        for step, phase in (("MAIL", Phase.MAIL), ("RCPT", Phase.RCPT), ("DATA", Phase.DATA))
        for fault in (
            Drop(),
            Hang(),
            Slow("250 relay.example", 0.05),
            Endless(b"250-again\r\n"),
            Endless(b"x"),
            b"HTTP/1.1 400 Bad Request\r\n",
            b"250-one\r\n251 two\r\n",
            b"2500 ok\r\n",
            b"\r\n",
            "250" + "x" * 600,
            "654 what",
        )
    ),
    ({"DATA": b"354 go\r\n250 ok\r\n"}, Phase.DATA),
    ({"DATA": "250 ok"}, Phase.DATA),
]


@pytest.mark.parametrize(("script", "phase"), FAULTS_BEFORE_THE_BODY, ids=repr)
@pytest.mark.parametrize("extensions", [("PIPELINING",), ()], ids=repr)
async def test_carry_over_a_faulty_line_before_the_body_is_deferred_without_a_byte(
    script: Script, phase: Phase, extensions: tuple[str, ...]
) -> None:
    async with SmtpScript(script, extensions=extensions) as server, asyncio.timeout(5):
        outcome = await carry(server, before_body=never, limits=limits_for(*script.values()))

    assert (outcome.verdict, outcome.blame) == (DEFERRED, RELAY)
    assert outcome.phase is phase
    assert outcome.reply
    assert outcome.code is None
    assert server.messages == []
    assert server.sessions[0].cut_body == b""


@pytest.mark.parametrize("step", ["MAIL", "RCPT"])
async def test_carry_with_two_replies_to_one_command_never_mistakes_them(step: str) -> None:
    async with SmtpScript({step: [b"250 ok\r\n250 ok\r\n"]}, extensions=()) as server:
        courier = courier_for(server)
        first = await courier.carry(ENVELOPE, LETTER, never)
        second = await courier.carry(ENVELOPE, LETTER, yes)
        await courier.close()

    assert (first.verdict, first.blame) == (DEFERRED, RELAY)
    assert second.verdict is SENT
    assert len(server.messages) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Drop(),
        Hang(),
        Slow("250 2.0.0 queued", 0.05),
        Endless(b"250-again\r\n"),
        Endless(b"x" * 1000),
        b"HTTP/1.1 500\r\n",
        b"250-one\r\n550 two\r\n",
        b"\x00\xff\r\n",
        b"250 ok\r\n451 later\r\n",
        b"554 no\r\n250 ok\r\n",
    ],
    ids=repr,
)
async def test_carry_over_a_faulty_line_after_the_dot_is_uncertain(fault: Any) -> None:
    async with SmtpScript({"DOT": [fault]}) as server, asyncio.timeout(5):
        courier = courier_for(server, limits_for(fault))
        outcome = await courier.carry(ENVELOPE, LETTER, yes)
        after = await courier.carry(ENVELOPE, LETTER, yes)
        await courier.close()

    assert ended(outcome) == (UNCERTAIN, Phase.BODY, RELAY)
    assert outcome.code is None
    assert after.verdict is SENT
    assert len(server.sessions) == 2  # never again over the line that was in doubt


@pytest.mark.parametrize(
    "reply", [b"250 ok\r\n250 ok\r\n", b"250 ok\r\n421 bye\r\n", b"250 ok\r\nnoise\r\n", Drop("250 ok")], ids=repr
)
async def test_carry_accepted_with_noise_after_it_is_sent_and_the_line_left(reply: Any) -> None:
    async with SmtpScript({"DOT": [reply]}) as server:
        courier = courier_for(server)
        outcomes = [(await courier.carry(ENVELOPE, LETTER, yes)).verdict]
        await server.until(lambda: server.sessions[0].is_closed)
        outcomes.append((await courier.carry(ENVELOPE, LETTER, yes)).verdict)
        await courier.close()

    assert outcomes == [SENT, SENT]
    assert len(server.sessions) == 2


@pytest.mark.parametrize(
    "fault", [Drop(after=1), Drop(after=1_000_000), Hang(after=1), Hang(after=1_000_000)], ids=repr
)
async def test_carry_over_a_line_lost_in_the_body_is_uncertain(fault: Drop | Hang) -> None:
    async with SmtpScript({"BODY": fault}, extensions=()) as server, asyncio.timeout(10):
        outcome = await carry(server, BIG_LETTER, limits=limits_for(fault))

    assert ended(outcome) == (UNCERTAIN, Phase.BODY, RELAY)
    assert server.messages == []
    assert server.sessions[0].cut_body.startswith(b"S")


async def test_carry_with_a_slow_before_body_does_not_count_it_as_the_relays_time() -> None:
    async def slow() -> bool:
        await asyncio.sleep(2 * SHORT)  # past every limit of the relay
        return True

    async with SmtpScript() as server:
        assert (await carry(server, before_body=slow, limits=HASTY)).verdict is SENT


async def test_carry_over_a_line_lost_while_before_body_waits_is_deferred() -> None:
    async with SmtpScript() as server:
        courier = courier_for(server)

        async def before_body() -> bool:
            await server.hang_up()
            await until_seen(courier)
            return True

        outcome = await courier.carry(ENVELOPE, LETTER, before_body)

    assert ended(outcome) == (DEFERRED, Phase.DATA, RELAY)
    assert server.messages == []


async def test_carry_with_a_reply_while_before_body_waits_is_deferred() -> None:
    async with SmtpScript() as server:
        courier = courier_for(server)

        async def before_body() -> bool:
            await server.hang_up("250 2.0.0 queued already")
            await until_seen(courier)
            return True

        outcome = await courier.carry(ENVELOPE, LETTER, before_body)

    assert ended(outcome) == (DEFERRED, Phase.DATA, RELAY)
    assert "a reply too many: 250 2.0.0 queued already" in outcome.reply


async def test_carry_with_a_reply_of_megabytes_keeps_a_sentence() -> None:
    async with SmtpScript({"RCPT": "\n".join(["550-5.1.1 no"] * 300_000 + ["550 5.1.1 no"])}) as server:
        outcome = await carry(server)

    assert ended(outcome) == (DEFERRED, Phase.RCPT, RELAY)
    assert len(outcome.reply) <= 500


async def test_carry_with_a_long_reply_within_reason_is_read_whole() -> None:
    reply = "\n".join([*(f"550-5.1.1 line {number}" for number in range(200)), "550 5.1.1 end"])
    async with SmtpScript({"RCPT": reply}) as server:
        outcome = await carry(server)

    assert ended(outcome) == (FAILED, Phase.RCPT, RECIPIENT)
    assert outcome.reply.startswith("5.1.1 line 0 5.1.1 line 1 ")


async def test_carry_over_a_line_in_bytes_is_read_as_whole_replies() -> None:
    limits = replace(PATIENT, command=5)
    async with SmtpScript({"RCPT": Slow("250-2.1.5 well\r\n250 2.1.5 ok", 0.0)}) as server:
        assert (await carry(server, limits=limits)).verdict is SENT


@pytest.mark.parametrize("step", ["CONNECT", "MAIL", "RCPT", "DATA", "BODY", "DOT"])
async def test_carry_cancelled_closes_the_line_at_once_and_raises(step: str) -> None:
    async with SmtpScript({step: Hang()}, extensions=()) as server:
        courier = courier_for(server)
        attempt = asyncio.create_task(courier.carry(ENVELOPE, BIG_LETTER, yes))
        if step == "CONNECT":
            await server.until(lambda: len(server.sessions) == 1)
        elif step == "BODY":
            await server.until(lambda: server.sessions != [] and server.sessions[0].cut_body != b"")
        elif step == "DOT":
            await server.until(lambda: server.messages != [])
        else:
            await server.until(lambda: server.verbs[-1:] == [step])
        line = courier._line
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        if line is not None:  # cut, not closed: what has not left yet must not follow
            await asyncio.wait_for(line._closed, 5)
        if step != "BODY":  # where the server has stopped reading, it cannot see the end
            await server.until_closed()

    assert courier._line is None
    assert "QUIT" not in server.verbs
    assert server.accepted == []


async def test_close_of_a_hung_relay_ends_within_the_limit() -> None:
    async with SmtpScript({"QUIT": Hang()}) as server, asyncio.timeout(5):
        courier = courier_for(server, replace(PATIENT, quit=SHORT))
        await courier.carry(ENVELOPE, LETTER, yes)
        await courier.close()
        await server.until_closed()

    assert server.verbs[-1] == "QUIT"


async def test_carry_by_many_couriers_delivers_each_message_once() -> None:
    release = asyncio.Event()
    async with SmtpScript({"DOT": [Hold("250 2.0.0 at last", release)]}) as server:

        async def deliver(number: int) -> None:
            courier = courier_for(server)
            for turn in range(10):
                message = f"Message-ID: <{number}.{turn}>\r\n\r\n".encode()
                assert (await courier.carry(ENVELOPE, message, yes)).verdict is SENT
            await courier.close()

        couriers = [asyncio.create_task(deliver(number)) for number in range(8)]
        await server.until(lambda: len(server.messages) >= 71)  # one waits, the others go on
        release.set()
        await asyncio.gather(*couriers)

    assert sorted(message.header("message-id") for message in server.accepted) == sorted(
        f"<{number}.{turn}>" for number in range(8) for turn in range(10)
    )
