"""The courier and a real Postfix: what it accepted is read back from Dovecot byte by byte."""

from __future__ import annotations

import asyncio

import pytest
from support.attempts import dot_stuffed
from support.peers import SIZE_LIMIT, MailPeers, mail_peers

from digestd.deliver.courier import SmtpCourier
from digestd.deliver.relay import Relay
from digestd.model import Blame, Envelope, Outcome, Phase, Verdict

__all__ = ["mail_peers"]  # a fixture: pytest finds it by its name here

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]

BODIES = {
    "plain": b"Hello.\r\n",
    "dots": b".\r\n..\r\n.a\r\n\r\n...\r\n.\r\n",
    "long": b"".join(b"%06d %s\r\n" % (number, b"x" * 70) for number in range(20_000)),
    "widest": (b"y" * 998 + b"\r\n") * 3,
    "smuggled": b"a\r\n.\r\nMAIL FROM:<evil@example.org>\r\nRCPT TO:<evil@example.test>\r\nDATA\r\n",
    "empty": b"",
}


def letter(recipient: str, body: bytes) -> bytes:
    return (
        b"From: digest@example.org\r\nTo: %s\r\nSubject: Papers\r\nMessage-ID: <1@example.org>\r\n"
        b"Date: Mon, 23 Nov 2026 08:00:00 +0000\r\n\r\n%s" % (recipient.encode(), body)
    )


async def yes() -> bool:
    return True


async def deliver(peers: MailPeers, *letters: tuple[str, bytes]) -> list[Outcome]:
    """Carry the letters over one connection."""
    courier = SmtpCourier(Relay(peers.host, peers.smtp_port, "none", local_hostname="client.example.test"))
    try:
        return [
            await courier.carry(Envelope("digest@example.org", recipient), dot_stuffed(message), yes)
            for recipient, message in letters
        ]
    finally:
        await courier.close()


async def test_carry_to_postfix_of_every_body_is_read_back_the_same(mail_peers: MailPeers) -> None:
    letters = [(f"same.{name}@example.test", body) for name, body in BODIES.items()]

    outcomes = await deliver(mail_peers, *((address, letter(address, body)) for address, body in letters))

    assert [(outcome.verdict, outcome.code, outcome.status) for outcome in outcomes] == [
        (Verdict.SENT, 250, "2.0.0")
    ] * len(letters)
    for address, body in letters:
        [arrived] = mail_peers.mailbox(address)
        head, _, arrived_body = arrived.partition(b"\r\n\r\n")
        assert arrived_body == body
        assert b"Return-Path: <digest@example.org>" in head
        assert head.endswith(letter(address, b"").removesuffix(b"\r\n\r\n"))
    assert all(outcome.reply.startswith("2.0.0 Ok: queued as") for outcome in outcomes)


async def test_carry_to_postfix_of_an_unknown_address_fails_and_the_next_is_sent(mail_peers: MailPeers) -> None:
    recipients = ["unknown@example.test", "known@example.test", "unknown@example.test", "known@example.test"]

    outcomes = await deliver(mail_peers, *((recipient, letter(recipient, b"x\r\n")) for recipient in recipients))

    refused = (Verdict.FAILED, Phase.RCPT, Blame.RECIPIENT, 550, "5.1.1")
    sent = (Verdict.SENT, Phase.BODY, Blame.MESSAGE, 250, "2.0.0")
    assert [(it.verdict, it.phase, it.blame, it.code, it.status) for it in outcomes] == [refused, sent] * 2
    assert len(mail_peers.mailbox("known@example.test", at_least=2)) == 2


async def test_carry_to_postfix_of_a_message_over_its_size_fails(mail_peers: MailPeers) -> None:
    [outcome] = await deliver(mail_peers, ("big@example.test", b"a: b\r\n\r\n" + b"x" * SIZE_LIMIT + b"\r\n"))

    assert (outcome.verdict, outcome.blame) == (Verdict.FAILED, Blame.MESSAGE)


async def test_carry_to_postfix_by_eight_couriers_delivers_each_letter_once(mail_peers: MailPeers) -> None:
    address = "many@example.test"
    batches = [[(address, letter(address, b"%d.%d\r\n" % (batch, n))) for n in range(10)] for batch in range(8)]

    outcomes = await asyncio.gather(*(deliver(mail_peers, *batch) for batch in batches))

    assert all(outcome.verdict is Verdict.SENT for batch in outcomes for outcome in batch)
    arrived = mail_peers.mailbox(address, at_least=80)
    assert sorted(message.partition(b"\r\n\r\n")[2] for message in arrived) == sorted(
        b"%d.%d\r\n" % (batch, n) for batch in range(8) for n in range(10)
    )
