"""Quoted-printable (RFC 2045 6.7) in pieces: what many editions share is encoded once, and a body is joined of it.

Each piece is encoded alone and ends with a line; where its text does not, by a soft line break, which is not seen.
So any pieces, joined, are sound lines, and decode to their joined texts.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable
from typing import NamedTuple

LONGEST_LINE = 76  # octets, the soft break's = included
_SOFT_BREAK = b"=\r\n"
_ROOM = LONGEST_LINE - 1
_NEEDS_MORE = re.compile(rf"=|^\.|^(?:.{{{_ROOM}}})+\.")  # a sign of the encoding's own, or a dot before a line
_BETWEEN, _ENCODED_BETWEEN = "\n\x01\n", b"\r\n=01\r\n"  # between texts that are encoded together
_LINE_END = re.compile(rb"(?<!=)\n")  # soft breaks stay in their line


class Piece(NamedTuple):
    """A piece of a body: a text encoded, and its length in octets of UTF-8 before that."""

    encoded: bytes
    octets: int

    @classmethod
    def of(cls, text: str) -> Piece:
        """Return a text as a piece."""
        # Most words of an edition are one line of ASCII, which stands for itself.
        if text.isascii() and text.isprintable() and not _NEEDS_MORE.search(text):
            whole = text.encode()
            lines = [whole[start : start + _ROOM] + _SOFT_BREAK for start in range(0, len(whole), _ROOM)]
            return cls(b"".join(lines), len(whole))
        made = quoted_printable(text)
        return cls(made if text.endswith("\n") else _closed(made), len(text.encode("utf-8", "replace")))


def encoded_each(texts: Iterable[str]) -> dict[str, bytes]:
    """Return each of some short texts encoded, as a piece of its own: all of them by one call of the library."""
    distinct = list(dict.fromkeys(texts))
    made = quoted_printable(_BETWEEN.join(distinct)).split(_ENCODED_BETWEEN)
    if len(made) != len(distinct):  # a text holds what parts them
        return {text: Piece.of(text).encoded for text in distinct}
    return {text: _closed(part) for text, part in zip(distinct, made, strict=True)}


def joined(encoded: Iterable[bytes]) -> str:
    """Return the text of a body."""
    octets = b"".join(encoded)
    return binascii.a2b_qp(octets.replace(b"\r\n", b"\n")).decode("utf-8")


def quoted_printable(text: str) -> bytes:
    """Return `text` in quoted-printable: UTF-8, lines of at most LONGEST_LINE octets, every line end CRLF.

    Line feeds are the line ends of the text; a carriage return is not one, and is dropped.
    """
    octets = text.replace("\r", "").encode("utf-8", "replace")
    if b" \n" in octets or b"\t\n" in octets:  # the library makes the last line of a text right, but not the others
        made = b"\n".join([binascii.b2a_qp(line, istext=True) for line in octets.split(b"\n")])
    else:
        made = binascii.b2a_qp(octets, istext=True)
    # A line that begins with a dot would have to be sent with two (RFC 5321 4.5.2): whole messages would be copied.
    if made.startswith(b".") or b"\n." in made:
        made = b"\n".join(map(_without_leading_dot, _LINE_END.split(made)))
    return made.replace(b"\n", b"\r\n")


def _without_leading_dot(line: bytes) -> bytes:
    """Return an encoded line; where a piece of it begins with a dot, with its soft breaks set anew."""
    if not line.startswith(b".") and b"\n." not in line:
        return line
    rest = line.replace(b"=\n", b"")
    if rest.startswith(b"."):
        rest = b"=2E" + rest[1:]
    broken = []
    while len(rest) >= LONGEST_LINE:
        end = LONGEST_LINE - 1
        while end > 1 and (rest[end : end + 1] == b"." or b"=" in rest[end - 2 : end]):
            end -= 1
        if end > 1:
            broken.append(rest[:end])
            rest = rest[end:]
        else:  # a line of dots
            broken.append(rest[: LONGEST_LINE - 3])
            rest = b"=2E" + rest[LONGEST_LINE - 2 :]
    return b"=\n".join([*broken, rest])


def _closed(part: bytes) -> bytes:
    """Return encoded text whose last line is open, with a soft break behind it."""
    begin = part.rfind(b"\n") + 1
    if len(part) - begin < LONGEST_LINE:
        return part + _SOFT_BREAK
    at = len(part) - 1
    # An octet's three characters stay together, and no line begins with a dot.
    while at > begin and (b"=" in part[max(begin, at - 2) : at] or part.startswith(b".", at)):
        at -= 1
    if at > begin:
        return part[:at] + _SOFT_BREAK + part[at:] + _SOFT_BREAK
    return part[:-1] + _SOFT_BREAK + b"=2E" + _SOFT_BREAK  # a line of dots
