"""Tokens and edition ids: HMAC-SHA-256 under the operator's key, stable for ever.

A token proves that we made it and says for what; it keeps no secret and never expires. Who may do what with
one is for the web and intake rooms to decide.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from digestd.model import Profile

# 128 bits cannot be guessed through a web page, and keep a token to 22 characters: short enough for a header.
_MAC_OCTETS = 16
_URL_SAFE = bytes.maketrans(b"+/", b"-_")

# One spelling per number: no leading zeros, and 19 digits hold every row number of the store.
_UNSUBSCRIBE_TOKEN = re.compile(r"([1-9][0-9]{0,18})\.([A-Za-z0-9_-]{22})")


@dataclass(frozen=True, slots=True)
class UnsubscribeToken:
    """A token taken apart but not yet believed: the subscriber it names, and the proof for `check`."""

    subscriber: int
    mac: str

    def check(self, key: bytes, address: str) -> bool:
        """Return whether this token was made under `key` for its subscriber at `address`."""
        return verify(key, "unsubscribe", _unsubscribe_subject(self.subscriber, address), self.mac)


def sign(key: bytes, purpose: str, subject: str) -> str:
    """Return 22 characters of base64url that prove `subject` for one `purpose` (RFC 2104, RFC 4648 section 5).

    The purpose goes into the key, so that a proof for one purpose is worth nothing for another, whatever
    the subjects look like.
    """
    mac = _keyed(key, purpose).copy()
    mac.update(subject.encode())
    written = binascii.b2a_base64(mac.digest()[:_MAC_OCTETS], newline=False)
    return written.rstrip(b"=").translate(_URL_SAFE).decode("ascii")


# A store has one key, and there are few purposes. A copy costs a quarter of what taking in the key does.
@lru_cache(maxsize=64)
def _keyed(key: bytes, purpose: str) -> hmac.HMAC:
    """Return an HMAC that has been told nothing yet, to be copied."""
    derived = hmac.digest(key, b"digestd token: " + purpose.encode(), hashlib.sha256)
    return hmac.new(derived, digestmod=hashlib.sha256)


def verify(key: bytes, purpose: str, subject: str, signature: str) -> bool:
    """Return whether `signature` is what `sign` gives, in a time that does not depend on where it differs.

    The texts are compared, not the octets they decode to: the last character of 22 carries four spare bits,
    and decoding would accept sixteen spellings of one signature.
    """
    return hmac.compare_digest(sign(key, purpose, subject).encode(), signature.encode("utf-8", "replace"))


def unsubscribe_token(key: bytes, subscriber: int, address: str) -> str:
    """Return the token that opens the unsubscribe page of `subscriber` (a positive number): `17.x0k…`.

    It is bound to the address too: when a number is given to another address, the old mails open nothing.
    """
    return f"{subscriber}.{sign(key, 'unsubscribe', _unsubscribe_subject(subscriber, address))}"


def feed_token(key: bytes, subscriber: int, address: str) -> str:
    """Return the token that opens a person's feed, and nothing else: it is handed to feed readers."""
    return f"{subscriber}.{sign(key, 'feed', _unsubscribe_subject(subscriber, address))}"


def read_unsubscribe_token(token: str) -> UnsubscribeToken | None:
    """Return the parts of a token, or None if it has not the shape of one. Call `check` before believing it."""
    parts = _UNSUBSCRIBE_TOKEN.fullmatch(token)
    return UnsubscribeToken(int(parts[1]), parts[2]) if parts else None


def confirm_token(key: bytes, signup: int, email: str, profile: Profile) -> str:
    """Return the token that opens the confirm page of a sign-up: bound to its address and its profile."""
    wanted = [profile.name, [query.query for query in profile.queries], profile.exclude, profile.cadence, profile.days]
    subject = json.dumps([signup, email.lower(), *wanted, profile.at.isoformat(), profile.timezone])
    return f"{signup}.{sign(key, 'confirm', subject)}"


def edition_id(key: bytes, subscriber: int, issue: str, profiles: Sequence[str]) -> str:
    """Return 32 hexadecimal digits, the same whenever the same issue is composed for the same person.

    `profiles` are the names of those that are due, in any order. An HMAC and not a plain digest, because the
    id stands in Message-ID, where nobody should be able to compute another reader's.
    """
    mac = _begun(key).copy()
    mac.update(f"[{subscriber}, {_json(issue)}, {_names(tuple(profiles))}]".encode())
    return mac.digest()[:_MAC_OCTETS].hex()


@lru_cache(maxsize=4)
def _begun(key: bytes) -> hmac.HMAC:
    """Return the HMAC of an edition's id, to be copied: see `_keyed`."""
    return hmac.new(key, b"digestd edition: ", hashlib.sha256)


_json = lru_cache(maxsize=4096)(json.dumps)  # of an issue, that many share


@lru_cache(maxsize=4096)
def _names(profiles: tuple[str, ...]) -> str:
    return json.dumps(sorted(set(profiles)))


def _unsubscribe_subject(subscriber: int, address: str) -> str:
    # A later change of letter case in the subscribers file must not break the links of mails already sent.
    return f"{subscriber}:{address.lower()}"
