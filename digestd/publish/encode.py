"""Quoted-printable (RFC 2045 6.7) in pieces: what many editions share is encoded once, and a body is joined of it.

Each piece is encoded alone and ends with a line; where its text does not, by a soft line break, which is not seen.
So any pieces, joined, are sound lines, and decode to their joined texts. No line begins with a dot, which would have
to be sent with two (RFC 5321 4.5.2): a message is not searched for them again.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Sequence
from typing import NewType

LONGEST_LINE = 76  # octets, the soft break's = included
_SOFT_BREAK = b"=\r\n"
_ROOM = LONGEST_LINE - 1
_NEXT_LINE_WITH_DOT = re.compile(rb"\n\.")  # in half the time of `in`

# What this module makes and nothing else: whole lines of ASCII that end with CRLF, none of which begins with a dot.
Encoded = NewType("Encoded", bytes)


def encoded(text: str) -> Encoded:
    """Return a text encoded as a piece."""
    made = quoted_printable(text)
    return Encoded(made if made.endswith(b"\n") or not made else _closed(made))


def encoded_lines(texts: Sequence[str]) -> list[Encoded]:
    """Return clean texts, each as a piece, by one call of the library.

    None of their lines ends with a blank, and their last lines are open.
    """
    # With a letter behind the last of each, the library leaves room for the soft break that takes its place.
    octets = "~\n".join([*texts, ""]).encode("utf-8", "replace")
    made = binascii.b2a_qp(octets, istext=True).replace(b"\n", b"\r\n")
    *pieces, _ = made.split(b"~\r\n")
    if has_line_with_dot(made) or len(pieces) != len(texts):
        return list(map(encoded, texts))
    return [Encoded(piece + _SOFT_BREAK) for piece in pieces]


def encoded_addresses(addresses: Iterable[str]) -> list[Encoded]:
    """Return web addresses, which are ASCII without blanks, each encoded as a piece."""
    pieces = []
    for address in addresses:
        if not address or "=" in address or address[0] == "." or len(address) > 2 * _ROOM:
            pieces.append(encoded(address))
        elif len(address) <= _ROOM:
            pieces.append(Encoded(f"{address}=\r\n".encode("ascii")))
        elif address[_ROOM] != ".":
            pieces.append(Encoded(f"{address[:_ROOM]}=\r\n{address[_ROOM:]}=\r\n".encode("ascii")))
        else:
            pieces.append(encoded(address))
    return pieces


def joined(pieces: Iterable[bytes]) -> str:
    """Return the text of a body."""
    octets = b"".join(pieces)
    return binascii.a2b_qp(octets.replace(b"\r\n", b"\n")).decode("utf-8")


def quoted_printable(text: str) -> bytes:
    """Return `text` in quoted-printable: UTF-8, lines of at most LONGEST_LINE octets, every line end CRLF.

    Line feeds are the line ends of the text; a carriage return is not one, and is dropped.
    """
    octets = text.encode("utf-8", "replace").replace(b"\r", b"")
    # Line by line, because the library makes right what blanks the last line of a text ends with, but no other's.
    lines = [binascii.b2a_qp(line, istext=True) for line in octets.split(b"\n")]
    made = b"\n".join(lines)
    if has_line_with_dot(made):
        made = b"\n".join(map(_without_leading_dot, lines))
    return made.replace(b"\n", b"\r\n")


def has_line_with_dot(octets: bytes) -> bool:
    """Return whether a line begins with a dot: one behind a bare LF too, which is a line's end for some servers."""
    return octets.startswith(b".") or _NEXT_LINE_WITH_DOT.search(octets) is not None


def _without_leading_dot(line: bytes) -> bytes:
    """Return an encoded line; where a piece of it begins with a dot, with its soft breaks set anew."""
    if not has_line_with_dot(line):
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
