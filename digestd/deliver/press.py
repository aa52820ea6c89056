"""The press: claimed editions become messages in their envelopes, for a courier to carry.

What one edition does stays its own: one that cannot be rendered, or that would differ from what was sent before,
comes out spoilt, with the reason. Synchronous, and of one thread at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from digestd.errors import AddressRefused
from digestd.model import Edition, Envelope, Sender
from digestd.publish.addresses import ascii_address
from digestd.publish.message import build_message
from digestd.publish.render import Renderer
from digestd.publish.tokens import unsubscribe_token
from digestd.store.base import Claim, Editions

if TYPE_CHECKING:
    from digestd.publish.dkim import Signer

MAX_REASON = 500  # characters


@dataclass(frozen=True, slots=True)
class Sealed:
    """A claimed edition as its message, ready for the line, in an envelope; the SHA-256 is of it, in hexadecimal."""

    claim: Claim
    envelope: Envelope
    message: bytes
    sha256: str


Printed = tuple[bytes, str] | str  # a message and its SHA-256, or why there is none


@dataclass(frozen=True, slots=True)
class Spoilt:
    """A claimed edition of which no message can be made, and why."""

    claim: Claim
    reason: str


class Press:
    """Makes the messages of the editions of a store, signed by `signers`."""

    def __init__(self, editions: Editions, signers: tuple[Signer, ...]) -> None:
        self._editions = editions
        self._signers = signers
        self._key = editions.key()
        self._snapshots: dict[str, tuple[Renderer, Sender]] = {}  # there are few, and each is read once

    def print(self, editions: Sequence[int]) -> list[Printed]:
        """Return what is made of each edition, as `each` does."""
        return list(self.each(editions))

    def each(self, editions: Sequence[int]) -> Iterator[Printed]:
        """Yield what is made of each edition, in their order. Raises StoreError when the store cannot be read."""
        loaded = self._editions.load(editions, self._token)
        for _, sha256 in loaded.values():
            if sha256 not in self._snapshots:
                snapshot = self._editions.snapshot(sha256)
                self._snapshots[sha256] = Renderer(snapshot), snapshot.sender
        for edition in editions:
            yield self._printed(*loaded[edition])

    def _printed(self, edition: Edition, snapshot: str) -> Printed:
        try:
            renderer, sender = self._snapshots[snapshot]
            message = build_message(edition, renderer.render(edition), sender, self._signers)
        except Exception as error:  # whatever one edition does, the others go on
            return f"it cannot be rendered: {error!r}"[:MAX_REASON]
        return message, hashlib.sha256(message).hexdigest()

    def _token(self, subscriber: int, address: str) -> str:
        return unsubscribe_token(self._key, subscriber, address)


def sealed(claim: Claim, printed: Printed, sender: str) -> Sealed | Spoilt:
    """Return the message of a claim in its envelope, or why it must not be sent."""
    if isinstance(printed, str):
        return Spoilt(claim, printed)
    message, sha256 = printed
    if claim.sha256 not in (None, sha256):
        return Spoilt(claim, "a second rendering differs from what was sent before")
    try:
        return Sealed(claim, Envelope(sender, ascii_address(claim.address)), message, sha256)
    except AddressRefused as error:
        return Spoilt(claim, str(error))
