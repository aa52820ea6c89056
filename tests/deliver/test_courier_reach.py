"""Reaching a relay, what it says beforehand, and what must go over no line."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from typing import Any

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
    SHORT,
    carry,
    courier_for,
    ended,
    never,
    yes,
)
from support.smtp_script import SmtpScript

from digestd.deliver.courier import SmtpCourier
from digestd.deliver.relay import Relay
from digestd.model import Phase


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
