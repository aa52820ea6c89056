"""Signatures as a receiver checks them: by dkimpy, on the whole message, and after tampering."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from support.editions import SENDER, edition, seed_papers, snapshot
from support.pages import many

from digestd.model import Entry, Section
from digestd.publish.dkim import Signer
from digestd.publish.encode import Encoded, encoded
from digestd.publish.message import build_message
from digestd.publish.render import render

RSA = generate_rsa(65537, 2048)
ED25519 = Ed25519PrivateKey.generate()
AT = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)


def pem(key: PrivateKeyTypes) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def signer(key: PrivateKeyTypes, selector: str) -> Signer:
    return Signer.of_pem("example.org", selector, pem(key))


SIGNERS = (signer(RSA, "rsa"), signer(ED25519, "ed"))


def record(name: bytes, timeout: int = 5) -> bytes:
    """Answer for the DNS."""
    if name.startswith(b"rsa."):
        public = RSA.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)
    return b"v=DKIM1; k=ed25519; p=" + base64.b64encode(ED25519.public_key().public_bytes_raw())


def signed(*entries: Entry) -> bytes:
    of = edition(Section("Agents", entries or many(3), 3))
    return build_message(of, render(of, snapshot()), SENDER, SIGNERS)


def verified(message: bytes, number: int) -> bool:
    try:
        return bool(dkim.DKIM(message).verify(idx=number, dnsfunc=record))
    except dkim.DKIMException:
        return False


@pytest.mark.parametrize("number", [0, 1])
def test_signature_verifies_for_each_key(number: int) -> None:
    papers = [Entry(paper, ("agent",), 1.0) for paper in seed_papers(12)]
    assert verified(signed(*papers), number)


@pytest.mark.parametrize("number", [0, 1])
def test_signature_bears_what_relays_do_to_blanks(number: int) -> None:
    message = signed()
    folded = message.replace(b"Subject: ", b"Subject:  \t", 1).replace(b"\r\n    ", b"\r\n  ") + b"\r\n\r\n"
    assert folded != message
    assert verified(folded, number)


@given(st.lists(st.text("a. \t=é\n", max_size=300).map(encoded), min_size=1, max_size=5), st.text("a \t", max_size=90))
def test_signature_verifies_whatever_blanks_a_message_has(pieces: list[Encoded], blanks: str) -> None:
    head = f"From: <papers@example.org>\r\nSubject: a{blanks}\r\n  b\r\n"
    body = (*pieces, b"\r\n--end--\r\n")
    made = SIGNERS[1].sign(head, body, AT)
    assert verified(b"".join(((made + head + "\r\n").encode(), *body)), 0)


@pytest.mark.parametrize(
    "change",
    [
        (b"Agent Study 1", b"Agent Study 9"),
        (b"\r\nSubject: ", b"\r\nSubject: x"),
        (b"List-Unsubscribe=One-Click", b"List-Unsubscribe=Other"),
        (b"\r\nMIME-Version: ", b"\r\nSubject: another\r\nMIME-Version: "),
        (b"\r\nMIME-Version: ", b"\r\nFrom: <evil@example.net>\r\nMIME-Version: "),
        (b"\r\nMIME-Version: ", b"\r\nIn-Reply-To: <x@example.net>\r\nMIME-Version: "),
    ],
)
def test_signature_breaks_when_a_word_or_a_header_is_changed_or_added(change: tuple[bytes, bytes]) -> None:
    message = signed()
    changed = message.replace(*change)
    assert changed != message
    assert not any(verified(changed, number) for number in (0, 1))


def test_signature_of_the_same_edition_is_the_same() -> None:
    assert signed() == signed()


def test_signed_header_names_are_those_that_rfc_8058_wants() -> None:
    head = signed().partition(b"\r\n\r\n")[0].replace(b"\r\n ", b"")
    names = head.partition(b";h=")[2].partition(b";")[0].lower().split(b":")
    assert {b"list-unsubscribe", b"list-unsubscribe-post", b"from"} <= set(names)
    assert names.count(b"from") == 2
    assert max(map(len, signed().split(b"\r\n"))) <= 998


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (b"no key", "not a private key"),
        (pem(generate_rsa(65537, 1024)), "1024 bits"),
        (pem(generate_ec(SECP256R1())), "neither an RSA nor an Ed25519"),
    ],
)
def test_signer_refuses_what_is_no_key_for_mail(key: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Signer.of_pem("example.org", "s", key)


def test_signer_shows_nothing_of_its_key() -> None:
    assert repr(SIGNERS[0]) == "Signer(rsa._domainkey.example.org)"
