"""The next message announced behind the final dot (RFC 2920): what is saved, and that nothing is mixed up."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.attempts import DEFERRED, ENVELOPE, FAILED, LETTER, PATIENT, SENT, courier_for, no, yes
from support.smtp_actions import OK, Drop
from support.smtp_script import SmtpScript

from digestd.model import Blame, Envelope

SECOND = Envelope("digest@example.org", "second@example.net")
OTHER = LETTER.replace(b"Hello", b"A second one")


async def test_courier_announces_the_next_and_carries_it_without_asking_again() -> None:
    async with SmtpScript() as server:
        courier = courier_for(server)
        first = await courier.carry(ENVELOPE, LETTER, yes, (SECOND, len(OTHER)))
        await server.until(lambda: server.count("DATA") == 2)  # before anybody asked for the second one
        second = await courier.carry(SECOND, OTHER, yes)
        await courier.close()
        await server.until_closed()

    assert (first.verdict, second.verdict) == (SENT, SENT)
    assert server.verbs == ["EHLO", *["MAIL", "RCPT", "DATA"] * 2, "QUIT"]
    assert [(one.recipients, one.octets) for one in server.messages] == [
        ((ENVELOPE.recipient,), LETTER),
        ((SECOND.recipient,), OTHER),
    ]


async def test_courier_with_another_message_than_announced_cuts_the_line_first() -> None:
    async with SmtpScript() as server:
        courier = courier_for(server)
        await courier.carry(ENVELOPE, LETTER, yes, (SECOND, len(OTHER)))
        assert (await courier.carry(ENVELOPE, LETTER, yes)).verdict is SENT
        await courier.close()
        await server.until_closed()

    assert len(server.sessions) == 2
    assert [one.recipients for one in server.messages] == [(ENVELOPE.recipient,)] * 2
    assert [session.cut_body for session in server.sessions] == [b"", b""]


async def test_courier_that_closes_after_an_announcement_says_nothing_that_could_be_a_body() -> None:
    async with SmtpScript() as server:
        courier = courier_for(server)
        await courier.carry(ENVELOPE, LETTER, yes, (SECOND, len(OTHER)))
        await courier.close()
        await server.until_closed()

    assert server.count("QUIT") == 0
    assert len(server.messages) == 1
    assert server.sessions[0].cut_body == b""


async def test_courier_announces_nothing_to_a_relay_without_pipelining() -> None:
    async with SmtpScript(extensions=("SIZE 1000000",)) as server:
        courier = courier_for(server)
        await courier.carry(ENVELOPE, LETTER, yes, (SECOND, len(OTHER)))
        await courier.close()
        await server.until_closed()

    assert server.verbs == ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]


@pytest.mark.parametrize(
    ("recipient", "octets", "limits"),
    [
        ("line@example.net\r\nRCPT TO:<x@y.z>", 10, PATIENT),
        ("big@example.net", 11_000_000, PATIENT),
        ("last@example.net", 10, replace(PATIENT, age=0)),
    ],
    ids=["unsafe", "too large", "past its age"],
)
async def test_courier_announces_nothing_that_could_not_follow(recipient: str, octets: int, limits: object) -> None:
    async with SmtpScript() as server:
        courier = courier_for(server, limits)  # type: ignore[arg-type]
        envelope = Envelope("digest@example.org", recipient)
        assert (await courier.carry(ENVELOPE, LETTER, yes, (envelope, octets))).verdict is SENT
        await courier.close()
        await server.until_closed()

    assert server.count("MAIL") == 1


async def test_courier_whose_announcement_is_refused_says_so_of_the_second_alone() -> None:
    async with SmtpScript({"RCPT": [OK, "550 5.1.1 no such user"]}) as server:
        courier = courier_for(server)
        first = await courier.carry(ENVELOPE, LETTER, yes, (SECOND, len(OTHER)))
        second = await courier.carry(SECOND, OTHER, no, (ENVELOPE, len(LETTER)))
        third = await courier.carry(ENVELOPE, LETTER, yes)
        await courier.close()

    assert [one.verdict for one in (first, second, third)] == [SENT, FAILED, SENT]
    assert second.blame is Blame.RECIPIENT


async def test_courier_whose_first_message_is_refused_at_the_dot_still_carries_the_second() -> None:
    async with SmtpScript({"DOT": ["554 5.6.0 no", OK]}) as server:
        courier = courier_for(server)
        first = await courier.carry(ENVELOPE, LETTER, yes, (SECOND, len(OTHER)))
        second = await courier.carry(SECOND, OTHER, yes)
        await courier.close()

    assert (first.verdict, second.verdict) == (FAILED, SENT)
    assert [one.recipients for one in server.accepted] == [(SECOND.recipient,)]


@pytest.mark.parametrize("leaving", ["421 4.7.0 enough for one session", Drop()], ids=["421", "dropped"])
async def test_courier_whose_relay_leaves_after_a_message_opens_another_for_the_announced(leaving: object) -> None:
    async with SmtpScript({"MAIL": [OK, leaving]}) as server:  # type: ignore[dict-item]
        courier = courier_for(server)
        first = await courier.carry(ENVELOPE, LETTER, yes, (SECOND, len(OTHER)))
        second = await courier.carry(SECOND, OTHER, yes)
        await courier.close()

    assert (first.verdict, second.verdict) == (SENT, SENT)
    assert [session.number for session in server.sessions] == [0, 1] or len(server.sessions) == 2


async def test_courier_whose_relay_leaves_again_blames_it() -> None:
    busy = "421 4.7.0 not now"
    async with SmtpScript({"MAIL": [OK, busy, busy]}) as server:
        courier = courier_for(server)
        await courier.carry(ENVELOPE, LETTER, yes, (SECOND, len(OTHER)))
        second = await courier.carry(SECOND, OTHER, no)
        await courier.close()

    assert (second.verdict, second.blame, second.code) == (DEFERRED, Blame.RELAY, 421)
