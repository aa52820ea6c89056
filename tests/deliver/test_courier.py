"""The courier against a server that misbehaves by name: what came of the attempt, and what the server saw."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.certificates import self_signed
from support.smtp_actions import OK, Drop, Endless, Hang, Hold, Script, Slow
from support.smtp_script import SmtpScript

from digestd.deliver.courier import BLOCK, Limits, Relay, SmtpCourier
from digestd.deliver.line import dot_stuffed
from digestd.model import Blame, Envelope, Outcome, Phase, Verdict

SENT, DEFERRED, FAILED, UNCERTAIN = Verdict.SENT, Verdict.DEFERRED, Verdict.FAILED, Verdict.UNCERTAIN
RECIPIENT, MESSAGE, RELAY = Blame.RECIPIENT, Blame.MESSAGE, Blame.RELAY

ENVELOPE = Envelope("digest@example.org", "reader@example.net")
LETTER = b"Subject: Papers\r\nMessage-ID: <1@example.org>\r\n\r\nHello.\r\n"
BIG_LETTER = LETTER + (b"x" * 74 + b"\r\n") * 300_000  # 23 MB: more than the loopback's buffers hold
USER, PASSWORD = "digestd", "correct-horse-battery"

SHORT = 0.2  # only where a time limit must pass: elsewhere a busy machine would fail the test
HASTY = Limits(connect=5, greeting=SHORT, command=SHORT, data=SHORT, block=SHORT, dot=SHORT, quit=SHORT)
PATIENT = Limits(connect=10, greeting=10, command=10, data=10, block=10, dot=10, quit=10)

BARE = ("SIZE 10485760", "8BITMIME", "SMTPUTF8")  # without PIPELINING: one command at a time


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
        return await courier.carry(envelope, message, before_body)
    finally:
        await courier.close()
        await server.until_closed()


def ended(outcome: Outcome) -> tuple[Verdict, Phase, Blame]:
    return outcome.verdict, outcome.phase, outcome.blame


# The good case


async def test_carry_to_a_good_relay_is_sent() -> None:
    async with SmtpScript() as server:
        outcome = await carry(server)

    assert outcome == Outcome(SENT, Phase.BODY, MESSAGE, "2.0.0 queued", 250, "2.0.0")
    assert server.commands == [
        "EHLO client.example",
        f"MAIL FROM:<digest@example.org> SIZE={len(LETTER)}",
        "RCPT TO:<reader@example.net>",
        "DATA",
        "QUIT",
    ]
    [message] = server.messages
    assert (message.sender, message.recipients, message.octets) == (
        "digest@example.org",
        ("reader@example.net",),
        LETTER,
    )


@pytest.mark.parametrize(
    "extensions",
    [(), ("SIZE",), ("SIZE 0",), ("SIZE much",), ("PIPELINING",), ("8BITMIME", "X-UNKNOWN a=b  c")],
    ids=repr,
)
async def test_carry_to_a_relay_with_few_extensions_is_sent(extensions: tuple[str, ...]) -> None:
    async with SmtpScript(extensions=extensions) as server:
        outcome = await carry(server)

    assert outcome.verdict is SENT
    assert server.messages[0].octets == LETTER
    size = f" SIZE={len(LETTER)}" if extensions and extensions[0].startswith("SIZE") else ""
    assert f"MAIL FROM:<digest@example.org>{size}" in server.commands


@pytest.mark.parametrize(
    "message",
    [
        b".\r\n",
        b".",
        b"",
        b"..\r\n.\r\n.a\r\n\r\n.\r\n",
        b"a: b\r\n\r\nends without a line end",
        b"a: b\r\n\r\n.\r\nMAIL FROM:<evil@example.org>\r\n",
        b"x" * BLOCK + b"\r\n.",
        b"\r\n." * BLOCK,
        BIG_LETTER[: 9 * BLOCK] + b"\r\n",
    ],
    ids=lambda message: f"{message[:12]!r}-{len(message)}",
)
async def test_carry_of_dots_and_blocks_arrives_unchanged(message: bytes) -> None:
    async with SmtpScript() as server:
        outcome = await carry(server, message)

    assert outcome.verdict is SENT
    expected = message if message.endswith(b"\r\n") else message + b"\r\n"
    assert server.messages[0].octets == expected
    assert len(server.messages) == 1


def test_dot_stuffed_message_with_bare_line_feed_has_no_early_end() -> None:
    stuffed = dot_stuffed(b"a\n.\nMAIL FROM:<evil@example.org>\r\n")
    assert b"\n.\n" not in stuffed
    assert stuffed.count(b"\n.\r\n") == 1


async def test_before_body_is_called_after_354_and_before_the_first_byte() -> None:
    async with SmtpScript({"BODY": Hang()}) as server:
        seen: list[tuple[list[str], bytes]] = []

        async def before_body() -> bool:
            seen.append((server.verbs, server.sessions[0].cut_body))
            return True

        await carry(server, before_body=before_body, limits=HASTY)

    assert seen == [(["EHLO", "MAIL", "RCPT", "DATA"], b"")]
    assert server.sessions[0].cut_body == b"S"


@pytest.mark.parametrize("extensions", [("PIPELINING",), ()], ids=repr)
async def test_carry_withdrawn_before_the_body_leaves_no_byte(extensions: tuple[str, ...]) -> None:
    async with SmtpScript(extensions=extensions) as server:
        outcome = await carry(server, before_body=no)

    assert ended(outcome) == (DEFERRED, Phase.DATA, MESSAGE)
    assert outcome.reply.startswith("withdrawn before its first byte")
    assert server.verbs == ["EHLO", "MAIL", "RCPT", "DATA"]
    assert (server.messages, server.sessions[0].cut_body) == ([], b"")


async def test_carry_with_before_body_that_raises_closes_the_line_and_raises() -> None:
    async def broken() -> bool:
        raise RuntimeError("the store is away")

    async with SmtpScript() as server:
        courier = courier_for(server)
        with pytest.raises(RuntimeError, match="the store is away"):
            await courier.carry(ENVELOPE, LETTER, broken)
        await server.until_closed()
        assert (await courier.carry(ENVELOPE, LETTER, yes)).verdict is SENT
        await courier.close()

    assert server.sessions[0].cut_body == b""
    assert len(server.messages) == 1


# The connection and its reuse


async def test_courier_with_several_messages_uses_one_connection() -> None:
    async with SmtpScript() as server:
        courier = courier_for(server)
        outcomes = [await courier.carry(ENVELOPE, LETTER, yes) for _ in range(3)]
        await courier.close()
        await courier.close()  # harmless

    assert [outcome.verdict for outcome in outcomes] == [SENT] * 3
    assert server.verbs == ["EHLO", *["MAIL", "RCPT", "DATA"] * 3, "QUIT"]


async def test_courier_past_its_messages_says_quit_and_reopens() -> None:
    async with SmtpScript() as server:
        courier = courier_for(server, replace(PATIENT, messages=2))
        for _ in range(5):
            assert (await courier.carry(ENVELOPE, LETTER, yes)).verdict is SENT
        await courier.close()
        await server.until_closed()

    assert [session.commands.count("DATA") for session in server.sessions] == [2, 2, 1]
    assert all(session.commands[-1] == "QUIT" for session in server.sessions)


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


async def until_seen(courier: SmtpCourier) -> None:
    """Return once the courier's own side has noticed that the line is gone."""
    line = courier._line
    assert line is not None
    async with asyncio.timeout(5):
        while line.trouble is None:
            await asyncio.sleep(0)


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


# Refusals


@pytest.mark.parametrize("extensions", [("PIPELINING",), ()], ids=repr)
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ({"CONNECT": "554 5.7.1 go away"}, (DEFERRED, Phase.CONNECT, RELAY)),
        ({"CONNECT": "421 4.3.2 busy"}, (DEFERRED, Phase.CONNECT, RELAY)),
        ({"EHLO": "421 4.3.2 busy"}, (DEFERRED, Phase.CONNECT, RELAY)),
        ({"EHLO": "550 5.7.1 bad name"}, (DEFERRED, Phase.CONNECT, RELAY)),
        ({"MAIL": "451 4.3.0 later"}, (DEFERRED, Phase.MAIL, RELAY)),
        ({"MAIL": "550 5.1.0 sender refused"}, (DEFERRED, Phase.MAIL, RELAY)),
        ({"RCPT": "450 4.2.0 later"}, (DEFERRED, Phase.RCPT, RECIPIENT)),
        ({"RCPT": "550 5.1.1 unknown"}, (FAILED, Phase.RCPT, RECIPIENT)),
        ({"RCPT": "552 5.2.2 full"}, (FAILED, Phase.RCPT, RECIPIENT)),
        ({"RCPT": "550 5.7.26 policy"}, (DEFERRED, Phase.RCPT, RELAY)),
        ({"RCPT": "550-5.1.1 no such user\n550-5.1.1 really\n550 5.1.1 none"}, (FAILED, Phase.RCPT, RECIPIENT)),
        ({"DATA": "451 4.3.0 later"}, (DEFERRED, Phase.DATA, MESSAGE)),
        ({"DATA": "554 5.5.0 no"}, (FAILED, Phase.DATA, MESSAGE)),
    ],
    ids=repr,
)
async def test_carry_refused_before_the_body_sends_no_byte_of_it(
    script: Script, expected: tuple[Verdict, Phase, Blame], extensions: tuple[str, ...]
) -> None:
    [(step, reply)] = script.items()
    assert isinstance(reply, str)
    async with SmtpScript(script, extensions=extensions) as server:
        outcome = await carry(server, before_body=never)

    assert ended(outcome) == expected
    assert outcome.code == int(reply[:3])
    assert outcome.status == reply[4:].split()[0]
    assert server.messages == []
    assert server.sessions[0].cut_body == b""
    if not extensions and step in ("MAIL", "RCPT"):  # one at a time: nothing is asked after a refusal
        assert server.verbs[-2 if "QUIT" in server.verbs else -1] == step


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("421 4.3.2 shutting down", (DEFERRED, Phase.BODY, RELAY)),
        ("450 4.7.1 greylisted", (DEFERRED, Phase.BODY, MESSAGE)),
        ("452 4.3.1 disk full", (DEFERRED, Phase.BODY, MESSAGE)),
        ("554 5.6.0 unreadable", (FAILED, Phase.BODY, MESSAGE)),
        ("550 5.7.26 unauthenticated", (DEFERRED, Phase.BODY, RELAY)),
        ("354 go on", (UNCERTAIN, Phase.BODY, RELAY)),
        ("220 hello", (UNCERTAIN, Phase.BODY, RELAY)),
        ("650 hm", (UNCERTAIN, Phase.BODY, RELAY)),
    ],
)
async def test_carry_refused_after_the_dot_is_judged_by_the_reply(
    reply: str, expected: tuple[Verdict, Phase, Blame]
) -> None:
    async with SmtpScript({"DOT": reply}) as server:
        outcome = await carry(server)

    assert ended(outcome) == expected
    assert [message.octets for message in server.messages] == [LETTER]


async def test_carry_refused_in_the_body_stops_sending_and_leaves_the_line() -> None:
    async with SmtpScript({"BODY": ["552 5.3.4 too big"]}, extensions=()) as server:
        courier = courier_for(server)
        refused = await courier.carry(ENVELOPE, BIG_LETTER, yes)
        after = await courier.carry(ENVELOPE, LETTER, yes)
        await courier.close()
        await server.until_closed()

    assert ended(refused) == (FAILED, Phase.BODY, MESSAGE)
    assert 0 < len(server.sessions[0].cut_body) < len(BIG_LETTER)
    assert after.verdict is SENT
    assert len(server.sessions) == 2


async def test_carry_accepted_in_the_middle_of_the_body_is_uncertain() -> None:
    async with SmtpScript({"BODY": "250 2.0.0 fine"}, extensions=()) as server:
        outcome = await carry(server, BIG_LETTER)

    assert ended(outcome) == (UNCERTAIN, Phase.BODY, RELAY)
    assert "before its end" in outcome.reply
    assert len(server.sessions[0].cut_body) < len(BIG_LETTER)


# Lines that are lost, silent, slow, or talk nonsense

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


async def test_close_over_tls_of_a_relay_that_does_not_answer_ends_within_the_limit(certificate: Path) -> None:
    async with SmtpScript(certificate=certificate) as server, asyncio.timeout(5):
        courier = courier_for(server, replace(PATIENT, quit=SHORT), tls="starttls", ca_file=str(certificate))
        await courier.carry(ENVELOPE, LETTER, yes)
        server.stop_reading()  # so that TLS is never shut down by both
        await courier.close()


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


# What a relay says beforehand, and what must go over no line


async def test_carry_of_a_message_over_the_relays_size_fails_without_asking() -> None:
    async with SmtpScript(extensions=(f"SIZE {len(LETTER) - 1}",)) as server:
        outcome = await carry(server, before_body=never)

    assert ended(outcome) == (FAILED, Phase.MAIL, MESSAGE)
    assert f"{len(LETTER)} octets and 127.0.0.1 takes {len(LETTER) - 1}" in outcome.reply
    assert server.verbs == ["EHLO", "QUIT"]


async def test_carry_of_a_message_of_just_the_relays_size_is_sent() -> None:
    async with SmtpScript(extensions=(f"SIZE {len(LETTER)}",)) as server:
        assert (await carry(server)).verdict is SENT


async def test_carry_to_an_international_address_asks_for_smtputf8() -> None:
    async with SmtpScript() as server:
        outcome = await carry(server, envelope=replace(ENVELOPE, recipient="jürgen@bücher.example"))

    assert outcome.verdict is SENT
    assert f"MAIL FROM:<digest@example.org> SIZE={len(LETTER)} SMTPUTF8" in server.commands
    assert "RCPT TO:<jürgen@bücher.example>" in server.commands


async def test_carry_to_an_international_address_without_smtputf8_fails_and_keeps_the_line() -> None:
    async with SmtpScript(extensions=("PIPELINING",)) as server:
        courier = courier_for(server)
        first = await courier.carry(replace(ENVELOPE, recipient="jürgen@example.net"), LETTER, never)
        second = await courier.carry(ENVELOPE, LETTER, yes)
        await courier.close()

    assert ended(first) == (FAILED, Phase.RCPT, RECIPIENT)
    assert "does not offer SMTPUTF8" in first.reply
    assert second.verdict is SENT
    assert server.verbs == ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]


async def test_carry_from_an_international_sender_without_smtputf8_stops_the_relay() -> None:
    async with SmtpScript(extensions=()) as server:
        outcome = await carry(server, envelope=replace(ENVELOPE, sender="prüf@example.org"))

    assert ended(outcome) == (DEFERRED, Phase.MAIL, RELAY)
    assert server.verbs == ["EHLO", "QUIT"]


@pytest.mark.parametrize(
    "address",
    ["", "a@b\r\nRCPT TO:<evil@example.org>", "a@b> SIZE=1", "<a@b", "a b@c", "a@b\x00", "a@b\x85", "\udc80@b"],
)
async def test_carry_to_an_unsafe_address_fails_without_a_connection(address: str) -> None:
    async with SmtpScript() as server:
        outcome = await carry(server, envelope=replace(ENVELOPE, recipient=address), before_body=never)

    assert ended(outcome) == (FAILED, Phase.RCPT, RECIPIENT)
    assert server.sessions == []


async def test_carry_from_an_unsafe_sender_stops_the_relay_without_a_connection() -> None:
    async with SmtpScript() as server:
        outcome = await carry(server, envelope=replace(ENVELOPE, sender="a@b\nDATA"), before_body=never)

    assert ended(outcome) == (DEFERRED, Phase.MAIL, RELAY)
    assert server.sessions == []


async def test_carry_from_the_null_sender_is_sent() -> None:
    async with SmtpScript() as server:
        assert (await carry(server, envelope=replace(ENVELOPE, sender=""))).verdict is SENT

    assert server.commands[1].startswith("MAIL FROM:<> ")


async def test_carry_of_a_message_beyond_ascii_fails_without_a_connection() -> None:
    async with SmtpScript() as server:
        outcome = await carry(server, "Grüße\r\n".encode(), before_body=never)

    assert ended(outcome) == (FAILED, Phase.BODY, MESSAGE)
    assert server.sessions == []


# Reaching the relay


async def test_carry_to_a_closed_port_is_deferred_with_the_reason() -> None:
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        port = placeholder.getsockname()[1]
        outcome = await SmtpCourier(Relay("127.0.0.1", port, tls="none"), PATIENT).carry(ENVELOPE, LETTER, never)

    assert ended(outcome) == (DEFERRED, Phase.CONNECT, RELAY)
    assert outcome.reply == f"cannot reach 127.0.0.1 port {port}: Connection refused"


async def test_carry_to_a_name_without_address_is_deferred_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_args: Any, **_named: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    outcome = await SmtpCourier(Relay("nowhere.invalid", 25, tls="none"), PATIENT).carry(ENVELOPE, LETTER, never)

    assert ended(outcome) == (DEFERRED, Phase.CONNECT, RELAY)
    assert outcome.reply == "no address for nowhere.invalid port 25: Name or service not known"


async def test_carry_to_a_host_with_a_dead_address_first_tries_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    async with SmtpScript() as server:
        with socket.socket() as dead:
            dead.bind(("127.0.0.1", 0))
            addresses = [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", dead.getsockname()),
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (server.host, server.port)),
            ]
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_named: addresses)
            assert (await carry(server, host="relay.example")).verdict is SENT


async def test_carry_to_a_name_that_resolves_to_nothing_is_deferred(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_named: [])
    outcome = await SmtpCourier(Relay("empty.invalid", 25, tls="none"), PATIENT).carry(ENVELOPE, LETTER, never)

    assert ended(outcome) == (DEFERRED, Phase.CONNECT, RELAY)
    assert "no address" in outcome.reply


async def test_carry_to_a_host_that_takes_no_connection_is_deferred_in_time() -> None:
    with socket.socket() as full:  # a listener whose backlog is full answers no SYN
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        courier = SmtpCourier(Relay(*full.getsockname(), tls="none"), replace(PATIENT, connect=SHORT))
        async with asyncio.timeout(5):
            outcome = await courier.carry(ENVELOPE, LETTER, never)
        for filler in fillers:
            filler.close()

    assert ended(outcome) == (DEFERRED, Phase.CONNECT, RELAY)
    assert "did not answer in time" in outcome.reply


async def test_carry_to_a_relay_without_ehlo_says_helo() -> None:
    async with SmtpScript({"EHLO": "502 5.5.1 unknown command"}) as server:
        outcome = await carry(server)

    assert outcome.verdict is SENT
    assert server.verbs == ["EHLO", "HELO", "MAIL", "RCPT", "DATA", "QUIT"]
    assert "MAIL FROM:<digest@example.org>" in server.commands


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("localhost", True),
        ("relay.localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("192.0.2.1", False),
        ("relay.example", False),
        ("localhost.example", False),
        ("127.0.0.1.example", False),
    ],
)
def test_relay_is_loopback(host: str, is_loopback: bool) -> None:
    assert Relay(host, 25).is_loopback is is_loopback


# TLS and login


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"), "127.0.0.1", "localhost")


@pytest.fixture(scope="module")
def foreign_certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"), "other.example")


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.parametrize("method", ["PLAIN", "LOGIN", "CRAM-MD5", "CRAM-MD5 LOGIN PLAIN"])
async def test_carry_over_tls_logs_in_and_is_sent(certificate: Path, tls: str, method: str) -> None:
    async with SmtpScript(
        certificate=certificate, implicit_tls=tls == "implicit", accounts={USER: PASSWORD}, auth_methods=method
    ) as server:
        outcome = await carry(
            server, BIG_LETTER[: 3 * BLOCK] + b"\r\n", tls=tls, ca_file=str(certificate),
            username=USER, password=PASSWORD,
        )  # fmt: skip

    assert outcome.verdict is SENT
    assert len(server.messages[0].octets) == 3 * BLOCK + 2
    assert [login[:2] for login in server.logins] == [(method.split()[-1], USER)]
    assert server.sessions[0].is_secure
    before_login = server.verbs[: server.verbs.index("AUTH")]
    assert before_login == (["EHLO", "STARTTLS", "EHLO"] if tls == "starttls" else ["EHLO"])


async def test_courier_over_tls_reuses_the_connection(certificate: Path) -> None:
    async with SmtpScript(certificate=certificate) as server:
        courier = courier_for(server, tls="starttls", ca_file=str(certificate))
        assert [(await courier.carry(ENVELOPE, LETTER, yes)).verdict for _ in range(3)] == [SENT] * 3
        await courier.close()
        await server.until_closed()

    assert server.verbs == ["EHLO", "STARTTLS", "EHLO", *["MAIL", "RCPT", "DATA"] * 3, "QUIT"]


@pytest.mark.parametrize("fault", [Drop(), Hang(), b"nonsense\r\n"], ids=repr)
async def test_carry_over_tls_with_a_fault_after_the_dot_is_uncertain(certificate: Path, fault: Any) -> None:
    limits = replace(PATIENT, dot=SHORT)  # the handshake takes its time
    async with SmtpScript({"DOT": fault}, certificate=certificate) as server:
        outcome = await carry(server, limits=limits, tls="starttls", ca_file=str(certificate))

    assert ended(outcome) == (UNCERTAIN, Phase.BODY, RELAY)


async def test_carry_with_starttls_stripped_is_deferred_and_nothing_goes_in_clear_text() -> None:
    async with SmtpScript(accounts={USER: PASSWORD}) as server:
        outcome = await carry(server, tls="starttls", username=USER, password=PASSWORD, before_body=never)

    assert ended(outcome) == (DEFERRED, Phase.TLS, RELAY)
    assert outcome.reply == "127.0.0.1 does not offer STARTTLS: nothing is sent in clear text"
    assert server.verbs == ["EHLO"]


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_carry_to_a_relay_with_an_unknown_certificate_is_deferred(certificate: Path, tls: str) -> None:
    async with SmtpScript(certificate=certificate, implicit_tls=tls == "implicit") as server:
        outcome = await carry(server, tls=tls, username=USER, password=PASSWORD, before_body=never)

    assert ended(outcome) == (DEFERRED, Phase.TLS, RELAY)
    assert outcome.reply.startswith(f"the certificate of 127.0.0.1 port {server.port} is not accepted: self")
    assert server.logins == []
    assert "MAIL" not in server.verbs


async def test_carry_to_a_relay_with_anothers_certificate_is_deferred(foreign_certificate: Path) -> None:
    async with SmtpScript(certificate=foreign_certificate) as server:
        outcome = await carry(server, tls="starttls", ca_file=str(foreign_certificate))

    assert ended(outcome) == (DEFERRED, Phase.TLS, RELAY)
    assert "mismatch" in outcome.reply


async def test_carry_to_a_clear_port_as_if_it_were_tls_is_deferred() -> None:
    async with SmtpScript() as server:
        outcome = await carry(server, tls="implicit")

    assert ended(outcome) == (DEFERRED, Phase.TLS, RELAY)
    assert outcome.reply.startswith("no TLS with 127.0.0.1")


@pytest.mark.parametrize("fault", [Drop("220 go ahead"), Hang(), "454 4.7.0 no TLS now", b"\xff\r\n"], ids=repr)
async def test_carry_with_a_fault_in_starttls_is_deferred(certificate: Path, fault: Any) -> None:
    async with SmtpScript({"STARTTLS": fault}, certificate=certificate) as server, asyncio.timeout(5):
        limits = replace(PATIENT, command=SHORT) if isinstance(fault, Hang) else PATIENT
        outcome = await carry(server, limits=limits, tls="starttls", ca_file=str(certificate), before_body=never)

    assert ended(outcome) == (DEFERRED, Phase.TLS, RELAY)
    assert "MAIL" not in server.verbs


async def test_carry_with_words_slipped_in_before_tls_forgets_them(certificate: Path) -> None:
    injected = b"220 go ahead\r\n250-relay.example\r\n250 SIZE 1\r\n"  # CVE-2011-0411 and its kin
    async with SmtpScript({"STARTTLS": injected}, certificate=certificate) as server:
        outcome = await carry(server, tls="starttls", ca_file=str(certificate))

    assert outcome.verdict is SENT
    assert server.sessions[0].is_secure


async def test_carry_with_a_missing_ca_file_is_deferred_with_its_name(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pem")
    async with SmtpScript() as server:
        outcome = await carry(server, tls="starttls", ca_file=missing)

    assert ended(outcome) == (DEFERRED, Phase.TLS, RELAY)
    assert missing in outcome.reply
    assert server.sessions == []


async def test_carry_with_login_in_clear_text_to_another_machine_is_refused_before_connecting() -> None:
    courier = SmtpCourier(Relay("192.0.2.1", 25, "none", USER, PASSWORD), PATIENT)
    outcome = await courier.carry(ENVELOPE, LETTER, never)

    assert ended(outcome) == (DEFERRED, Phase.LOGIN, RELAY)
    assert outcome.reply == "no login to 192.0.2.1 in clear text: set tls to starttls or implicit"


async def test_carry_with_login_in_clear_text_on_loopback_is_sent() -> None:
    async with SmtpScript(accounts={USER: PASSWORD}) as server:
        assert (await carry(server, username=USER, password=PASSWORD)).verdict is SENT

    assert server.logins == [("PLAIN", USER, PASSWORD)]


@pytest.mark.parametrize("password", ["wrong", None, "\udcff\udc80 surrogates"])
async def test_carry_with_a_wrong_password_asks_once_and_is_deferred(password: str | None) -> None:
    async with SmtpScript(accounts={USER: PASSWORD}) as server:
        outcome = await carry(server, username=USER, password=password, before_body=never)

    assert ended(outcome) == (DEFERRED, Phase.LOGIN, RELAY)
    assert (outcome.code, outcome.status) == (535, "5.7.8")
    assert server.verbs == ["EHLO", "AUTH"]


@pytest.mark.parametrize("methods", ["GSSAPI XOAUTH2", None])
async def test_carry_with_no_common_way_to_log_in_is_deferred(methods: str | None) -> None:
    accounts = None if methods is None else {USER: PASSWORD}
    async with SmtpScript(accounts=accounts, auth_methods=methods or "") as server:
        outcome = await carry(server, username=USER, password=PASSWORD, before_body=never)

    assert ended(outcome) == (DEFERRED, Phase.LOGIN, RELAY)
    assert "offers none of PLAIN, LOGIN and CRAM-MD5" in outcome.reply


@pytest.mark.parametrize("fault", [Drop(), Hang(), "421 4.7.0 enough", "454 4.7.0 later", b"\xff\r\n"], ids=repr)
async def test_carry_with_a_fault_in_login_is_deferred(fault: Any) -> None:
    async with SmtpScript({"AUTH": fault}, accounts={USER: PASSWORD}) as server, asyncio.timeout(5):
        outcome = await carry(server, limits=limits_for(fault), username=USER, password=PASSWORD, before_body=never)

    assert ended(outcome) == (DEFERRED, Phase.LOGIN, RELAY)


@pytest.mark.parametrize(
    "script",
    [
        {"AUTH": "535 5.7.8 refused: {line}"},
        {"AUTH": "535-5.7.8 refused\n535 5.7.8 {line}"},
        {"AUTH": f"535 5.7.8 wrong password {PASSWORD}"},
        {"AUTH": f"535 5.7.8 wrong password {PASSWORD[:12]}..."},
        {"AUTH": b"garbage with {line} " + PASSWORD.encode() + b"\r\n"},
        {"MAIL": f"451 4.3.0 {PASSWORD}"},
        {"MAIL": f"garbage {PASSWORD}".encode() + b"\r\n"},
        {"DOT": f"250 queued for {PASSWORD}"},
        {"DOT": f"250 ok\r\n451 {PASSWORD}\r\n".encode()},
        {"CONNECT": f"554 {PASSWORD}"},
    ],
    ids=repr,
)
async def test_carry_to_an_echoing_relay_never_repeats_the_password(
    script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    async with SmtpScript(script, accounts={USER: PASSWORD}) as server:
        courier = courier_for(server, username=USER, password=PASSWORD)
        outcome = await courier.carry(ENVELOPE, LETTER, yes)
        await courier.close()

    plain = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
    shown = f"{outcome!r} {courier!r} {courier._relay!r} {caplog.text}"
    for secret in (PASSWORD, PASSWORD[:12], plain, plain[:24], base64.b64encode(PASSWORD.encode()).decode()):
        assert secret not in shown
    assert "***" in outcome.reply


async def test_open_of_a_good_relay_returns_none_and_of_a_bad_one_the_outcome() -> None:
    async with SmtpScript({"CONNECT": [OK, "554 5.3.2 closed"]}) as server:
        courier = courier_for(server)
        assert await courier.open() is None
        refused = await courier.open()

    assert refused is not None
    assert ended(refused) == (DEFERRED, Phase.CONNECT, RELAY)
    assert server.verbs == ["EHLO", "QUIT"]


def test_self_signed_certificate_is_its_own_authority(certificate: Path) -> None:
    assert ssl.create_default_context(cafile=certificate).get_ca_certs() != []
