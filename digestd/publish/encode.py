"""Quoted-printable (RFC 2045 6.7) in pieces: what many editions share is encoded once, and a body is joined of it.

A body is a sequence of texts of its own and of shared pieces. Each is encoded alone, so a shared one costs an
edition no more than its bytes; where one ends within a line, a soft line break keeps the two apart and is not seen.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

LONGEST_LINE = 76  # octets, the soft break's = included
_SOFT_BREAK = b"=\r\n"


@dataclass(frozen=True, slots=True, eq=False)
class Shared:
    """A piece of a body that many editions have: whole lines, encoded; `octets` is the length of their text."""

    encoded: bytes
    octets: int

    @classmethod
    def of(cls, text: str) -> Shared:
        """Return a text, and a line end behind it, as a shared piece."""
        return cls(quoted_printable(text) + b"\r\n", len(text.encode("utf-8", "replace")) + 1)

    @property
    def text(self) -> str:
        """The text, with its line end."""
        return binascii.a2b_qp(self.encoded.replace(b"\r\n", b"\n")).decode("utf-8")


Piece = str | Shared


def joined(pieces: Iterable[Piece]) -> str:
    """Return the text of a body."""
    return "".join(piece if isinstance(piece, str) else piece.text for piece in pieces)


def encoded(pieces: Iterable[Piece]) -> list[bytes]:
    """Return a body in quoted-printable, piece by piece: joined, they are lines of at most LONGEST_LINE octets.

    Line feeds are the line ends of the texts; a carriage return is not one, and is dropped.
    """
    parts: list[bytes] = []
    is_open = False  # the last piece ended within a line
    for piece in pieces:
        if isinstance(piece, Shared):
            if is_open:
                parts[-1] = _closed(parts[-1])
            parts.append(piece.encoded)
            is_open = False
        elif piece:
            if is_open:
                parts[-1] = _closed(parts[-1])
            parts.append(quoted_printable(piece))
            is_open = not piece.endswith("\n")
    return parts


def quoted_printable(text: str) -> bytes:
    """Return `text` in quoted-printable: UTF-8, lines of at most LONGEST_LINE octets, every line end CRLF."""
    return b"\r\n".join(map(_line, text.replace("\r", "").split("\n")))


# Most lines of a frame are the templates' own and the same in every edition.
@lru_cache(maxsize=4096)
def _line(text: str) -> bytes:
    line = binascii.b2a_qp(text.encode("utf-8", "replace"), istext=True)
    # A line that begins with a dot would have to be sent with two (RFC 5321 4.5.2): whole messages would be copied.
    if line.startswith(b".") or b"\n." in line:
        line = _without_leading_dots(line)
    return line.replace(b"\n", b"\r\n")


def _without_leading_dots(line: bytes) -> bytes:
    """Return an encoded line with its soft breaks set anew, so that no piece of it begins with a dot."""
    rest = line.replace(b"=\n", b"")
    if rest.startswith(b"."):
        rest = b"=2E" + rest[1:]
    broken = []
    while len(rest) >= LONGEST_LINE:
        end = LONGEST_LINE - 1
        while end > 1 and (rest[end : end + 1] == b"." or b"=" in rest[end - 2 : end]):
            end -= 1
        end = end if end > 1 else LONGEST_LINE - 3  # a line of dots
        broken.append(rest[:end])
        rest = rest[end:]
    return b"=\n".join([*broken, rest])


def _closed(part: bytes) -> bytes:
    """Return encoded text whose last line is open, with a soft break behind it."""
    last = part.rpartition(b"\n")[2]
    if len(last) < LONGEST_LINE:
        return part + _SOFT_BREAK
    at = len(part) - 1
    while b"=" in part[at - 2 : at]:  # an octet's three characters stay together
        at -= 1
    return part[:at] + _SOFT_BREAK + part[at:] + _SOFT_BREAK
