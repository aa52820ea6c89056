"""The courier and a relay that takes or refuses: what came of the attempt, and what the server saw."""

from __future__ import annotations

import pytest
from support.attempts import (
    BIG_LETTER,
    DEFERRED,
    ENVELOPE,
    FAILED,
    HASTY,
    LETTER,
    MESSAGE,
    RECIPIENT,
    RELAY,
    SENT,
    UNCERTAIN,
    carry,
    courier_for,
    ended,
    never,
    no,
    yes,
)
from support.smtp_actions import Hang, Script
from support.smtp_script import SmtpScript

from digestd.deliver.courier import BLOCK
from digestd.model import Blame, Outcome, Phase, Verdict


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
