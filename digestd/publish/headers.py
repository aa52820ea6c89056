"""Header values by our own hand: unstructured text and mailboxes (RFC 5322), in encoded-words (RFC 2047) as needed.

The email package is kept out on purpose: it breaks long URLs in List-Unsubscribe, and decodes foreign text that
looks like an encoded-word into headers of its own.
"""

from __future__ import annotations

import binascii
import re
from operator import itemgetter
from typing import Final

from digestd.match.text import clean
from digestd.publish.card import LONGEST_NAME, shorten

FOLD = "\r\n "
_FOLD_AT = 78  # characters, RFC 5322 2.1.1
_LONGEST_ENCODED_WORD = 75  # characters, RFC 2047 section 2
_WRAPPING = len("=?utf-8?q??=")

# What a phrase may hold without quotes (RFC 5322 3.2.3, atext), and blanks.
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
# The octets that may stand for themselves in an encoded-word of a phrase (RFC 2047 section 5, rule 3).
_Q_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_Q: Final = tuple("_" if octet == 0x20 else chr(octet) if octet in _Q_SAFE else f"={octet:02X}" for octet in range(256))
_CONTINUED = ("=8", "=9", "=A", "=B")  # octets that continue a character in UTF-8, as Q writes them


def unstructured(name: str, text: str) -> str:
    """Return a clean `text` as the value of the header `name`, folded; in encoded-words (RFC 2047) if it needs them.

    It needs them for anything but printable ASCII, for a word too long for a line, and when it holds `=?`: what
    looks like an encoded-word is encoded, so that it is decoded to itself and to nothing else.
    """
    used = len(name) + 2
    if _is_plain(text) and max(map(len, words := text.split(" "))) <= _FOLD_AT - used:
        return _folded(used, words)
    return FOLD.join(_encoded_words(text, _FOLD_AT - used))


def mailbox(header: str, name: str, address: str) -> str:
    """Return `name <address>` as the value of `header` (RFC 5322 3.4), folded before the address where it is long."""
    phrase = _phrase(header, name)
    if not phrase:
        return f"<{address}>"
    last = phrase.rpartition("\n")[2] if "\n" in phrase else f"{header}: {phrase}"
    return f"{phrase}{' ' if len(last) + len(address) + 3 <= _FOLD_AT else FOLD}<{address}>"


def _phrase(header: str, name: str) -> str:
    """Return a display name as it is, quoted (RFC 5322 3.2.4), or in encoded-words (RFC 2047 5), as it needs."""
    name = shorten(clean(name), LONGEST_NAME)
    used = len(header) + 2
    if not _is_plain(name) or len(name) > _FOLD_AT - used - 2:
        return FOLD.join(_encoded_words(name, _FOLD_AT - used))
    if _ATOMS.fullmatch(name):
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and "=?" not in text


def _folded(used: int, words: list[str]) -> str:
    lines: list[str] = []
    line = words[0]
    for word in words[1:]:
        if used + len(line) + 1 + len(word) > _FOLD_AT:
            lines.append(line)
            line, used = word, 1
        else:
            line += " " + word
    return FOLD.join([*lines, line])


def _encoded_words(text: str, room: int) -> list[str]:
    """Return encoded-words (RFC 2047), the first of at most `room` characters; no character is split between two."""
    octets = text.encode()
    q = "".join(itemgetter(*octets)(_Q))  # a third of what translate() takes with a table of words
    # Base64 where it is shorter, which is where few letters are ASCII.
    return _b_words(text, room) if len(q) > len(octets) * 4 / 3 else _q_words(q, room)


def _q_words(q: str, room: int) -> list[str]:
    room = min(room, _LONGEST_ENCODED_WORD) - _WRAPPING
    words, start = [], 0
    while len(q) - start > room:
        end = _beginning(q, start + room)
        words.append(f"=?utf-8?q?{q[start:end]}?=")
        start, room = end, _LONGEST_ENCODED_WORD - _WRAPPING
    return [*words, f"=?utf-8?q?{q[start:]}?="]


def _beginning(q: str, at: int) -> int:
    """Return the last place up to `at` at which a character begins: not inside of =XX, nor of UTF-8."""
    sign = q.rfind("=", at - 2, at)
    if sign >= 0:
        at = sign
    while q[at : at + 2] in _CONTINUED:
        at -= 3
    return at


def _b_words(text: str, room: int) -> list[str]:
    words, chunk, used = [], "", 0
    for character in text:
        cost = len(character.encode())
        used += cost
        if chunk and _WRAPPING + -(-used // 3) * 4 > min(room, _LONGEST_ENCODED_WORD):
            words.append(_b_word(chunk))
            chunk, used, room = "", cost, _LONGEST_ENCODED_WORD
        chunk += character
    return [*words, _b_word(chunk)]


def _b_word(text: str) -> str:
    return f"=?utf-8?b?{binascii.b2a_base64(text.encode(), newline=False).decode('ascii')}?="
