"""DKIM signatures (RFC 6376) with RSA or Ed25519 (RFC 8463) keys, relaxed/relaxed, always the same for an edition.

The signing time is the edition's, so that a second rendering is the same to the byte. Each signed header is named
once more than it stands (RFC 6376 8.15): a second From or Subject, put in on the way, breaks the signature.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

SMALLEST_RSA = 2048  # bits; receivers that follow RFC 8301 refuse less than 1024 and warn of less than this

# What a receiver shows, threads by, or acts on. RFC 8058 wants both List-Unsubscribe headers in it.
SIGNED = (
    *("From", "To", "Subject", "Date", "Message-ID", "Reply-To", "In-Reply-To", "References", "MIME-Version"),
    *("Content-Type", "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "Auto-Submitted", "Feedback-ID"),
)

_SIGNED = tuple(map(str.lower, SIGNED))

_BLANK = " \t"
_BLANKS = re.compile(r"[ \t]+")
_SHORT = 200  # octets; a shorter piece is canonical sooner than it is found among those that were kept
_LINE = 72  # characters of base64 in a line of the header


@dataclass(frozen=True, slots=True)
class Signer:
    """A key of a domain, published under `selector._domainkey.domain`. The key is in no text of it."""

    domain: str
    selector: str
    _key: RSAPrivateKey | Ed25519PrivateKey

    def __repr__(self) -> str:
        return f"Signer({self.selector}._domainkey.{self.domain})"

    @classmethod
    def of_pem(cls, domain: str, selector: str, pem: bytes) -> Signer:
        """Return the signer of a private key in PEM. Raises ValueError, with a sentence that shows nothing of it."""
        try:
            key = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise ValueError("not a private key in PEM without a passphrase") from None
        if isinstance(key, RSAPrivateKey) and key.key_size < SMALLEST_RSA:
            raise ValueError(f"an RSA key of {key.key_size} bits; at least {SMALLEST_RSA} are needed")
        if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
            raise ValueError("neither an RSA nor an Ed25519 key")
        return cls(domain, selector, key)

    def sign(self, head: str, body: Sequence[bytes], at: datetime) -> str:
        """Return the DKIM-Signature header of a message, with its line end.

        `head` are its headers, each with its line end and none twice, `body` its body in pieces. A piece ends at the
        end of a line or in a soft break, never between two blanks.
        """
        algorithm = "rsa-sha256" if isinstance(self._key, RSAPrivateKey) else "ed25519-sha256"
        standing = _relaxed(head)
        value = (
            f"v=1; a={algorithm}; c=relaxed/relaxed; d={self.domain};\r\n s={self.selector};"
            f" t={int(at.timestamp())};\r\n h={_named(frozenset(standing))};\r\n bh={_body_hash(body)};\r\n b="
        )
        signed = [standing[name] for name in _SIGNED if name in standing]
        [own] = _relaxed(f"DKIM-Signature: {value}\r\n").values()
        signature = self._signature("".join([*signed, own]).removesuffix("\r\n").encode("ascii"))
        return f"DKIM-Signature: {value}{_folded(signature)}\r\n"

    def _signature(self, octets: bytes) -> str:
        if isinstance(self._key, RSAPrivateKey):
            made = self._key.sign(octets, PKCS1v15(), SHA256())
        else:
            made = self._key.sign(hashlib.sha256(octets).digest())
        return base64.b64encode(made).decode("ascii")


def _relaxed(head: str) -> dict[str, str]:
    """Return headers in relaxed canonical form (RFC 6376 3.4.2), by their names in small letters."""
    return dict(map(_relaxed_header, head.replace("\r\n ", " ").split("\r\n")[:-1]))


@lru_cache(maxsize=4096)  # two of three are the same in every edition
def _relaxed_header(line: str) -> tuple[str, str]:
    written, _, value = line.partition(":")
    name = written.lower()
    return name, f"{name}:{' '.join(_BLANKS.split(value.strip(_BLANK)))}\r\n"


def _body_hash(body: Sequence[bytes]) -> str:
    """Return bh= of a body that ends in one line end and has no blank at a line's end (RFC 6376 3.4.4)."""
    pieces = [_relaxed_piece(piece) if len(piece) > _SHORT or b"  " in piece else piece for piece in body]
    relaxed = b"".join(pieces)
    digest = hashlib.sha256(_single_blanks(relaxed.replace(b"\t", b" ")) if b"\t" in relaxed else relaxed)
    return base64.b64encode(digest.digest()).decode("ascii")


# The cards of a day come again in many editions, and so do the lines of a frame.
@lru_cache(maxsize=16_384)
def _relaxed_piece(piece: bytes) -> bytes:
    return _single_blanks(piece)


def _single_blanks(piece: bytes) -> bytes:
    while b"  " in piece:  # an expression would take ten times as long: it stops at every blank
        piece = piece.replace(b"  ", b" ")
    return piece


@lru_cache(maxsize=64)  # most editions have the same headers
def _named(standing: frozenset[str]) -> str:
    """Return h= for the headers that stand in a message: each of SIGNED, and those that stand once more."""
    return _folded(":".join(name for name in SIGNED for _ in range(1 + (name.lower() in standing))), ":")


def _folded(text: str, behind: str = "") -> str:
    """Return a text in lines: cut behind a separator, or anywhere."""
    if not behind:
        return "\r\n ".join(text[start : start + _LINE] for start in range(0, len(text), _LINE))
    lines, line = [], ""
    for word in text.split(behind):
        if line and len(line) + len(word) + 1 > _LINE:
            lines.append(line)
            line = ""
        line += (behind if line or lines else "") + word
    return "\r\n ".join([*lines, line])
