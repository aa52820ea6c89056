"""TLS and login: what is asked, what is refused, and that no secret leaves."""

from __future__ import annotations

import asyncio
import base64
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.attempts import (
    BIG_LETTER,
    DEFERRED,
    ENVELOPE,
    LETTER,
    PATIENT,
    RELAY,
    SENT,
    SHORT,
    UNCERTAIN,
    carry,
    courier_for,
    ended,
    limits_for,
    never,
    yes,
)
from support.certificates import self_signed
from support.smtp_actions import OK, Drop, Hang, Script
from support.smtp_script import SmtpScript

from digestd.deliver.courier import BLOCK, SmtpCourier
from digestd.deliver.relay import Relay
from digestd.model import Phase

USER, PASSWORD = "digestd", "correct-horse-battery"


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


async def test_close_over_tls_of_a_relay_that_does_not_answer_ends_within_the_limit(certificate: Path) -> None:
    async with SmtpScript(certificate=certificate) as server, asyncio.timeout(5):
        courier = courier_for(server, replace(PATIENT, quit=SHORT), tls="starttls", ca_file=str(certificate))
        await courier.carry(ENVELOPE, LETTER, yes)
        server.stop_reading()  # so that TLS is never shut down by both
        await courier.close()
