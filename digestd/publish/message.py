"""The bytes of a message: headers and a multipart body, written by our own hand.

The email package is kept out on purpose: it breaks long URLs in List-Unsubscribe, and decodes foreign text that
looks like an encoded-word into headers of its own. What leaves here is ASCII with CRLF, in lines of at most 998
octets (RFC 5322 2.1.1), always the same for the same edition. Dot-stuffing belongs to the courier.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from datetime import UTC
from email.utils import format_datetime
from functools import cache

from digestd.errors import ConfigError
from digestd.match.text import clean
from digestd.model import Edition, Sender
from digestd.publish.addresses import DOMAIN, ascii_address, contact_url, unsubscribe_urls
from digestd.publish.card import LONGEST_NAME, shorten
from digestd.publish.render import Rendered

_LONGEST_LINE = 998  # octets, RFC 5322 2.1.1
_FOLD = "\r\n "
_FOLD_AT = 78  # characters, RFC 5322 2.1.1
_LONGEST_ENCODED_WORD = 75  # characters, RFC 2047 section 2
_WRAPPING = len("=?utf-8?q??=")

# What a phrase may hold without quotes (RFC 5322 3.2.3, atext), and blanks.
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
# The octets that may stand for themselves in an encoded-word of a phrase (RFC 2047 section 5, rule 3).
_Q_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")


def build_message(edition: Edition, rendered: Rendered, sender: Sender) -> bytes:
    """Return the message of an edition: multipart/alternative, plain text before HTML, UTF-8 in quoted-printable.

    Raises AddressRefused for an address of the reader or the sender that no header can carry, and ConfigError for a
    `public_url` or `list_id` that cannot stand in one.
    """
    boundary = f"=_{edition.id}"  # quoted-printable never writes "=_" (RFC 2045 6.7), so no text can end a part
    head = "".join(f"{name}: {value}\r\n" for name, value in _headers(edition, rendered, sender, boundary))
    if max(map(len, head.split("\r\n"))) > _LONGEST_LINE:
        raise ConfigError(f"mail.public_url: too long for a header line of {_LONGEST_LINE} octets")
    return b"".join(
        (
            head.encode("ascii"),
            b"\r\n",
            _part(boundary, "text/plain", rendered.text),
            _part(boundary, "text/html", rendered.html),
            f"--{boundary}--\r\n".encode("ascii"),
        )
    )


def unstructured(name: str, text: str) -> str:
    """Return `text` as the value of the header `name`, folded; in encoded-words (RFC 2047) if it needs them.

    It needs them for anything but printable ASCII, for a word too long for a line, and when it holds `=?`: what
    looks like an encoded-word is encoded, so that it is decoded to itself and to nothing else.
    """
    text = clean(text)
    words = text.split(" ")
    used = len(name) + 2
    if _is_plain(text) and max(map(len, words)) <= _FOLD_AT - used:
        return _folded(used, words)
    return _FOLD.join(_encoded_words(text, _FOLD_AT - used))


def mailbox(header: str, name: str, address: str) -> str:
    """Return `name <address>` as the value of `header` (RFC 5322 3.4), folded before the address where it is long."""
    phrase = _phrase(header, name)
    if not phrase:
        return f"<{address}>"
    last = phrase.rpartition("\n")[2] if "\n" in phrase else f"{header}: {phrase}"
    return f"{phrase}{' ' if len(last) + len(address) + 3 <= _FOLD_AT else _FOLD}<{address}>"


def _headers(edition: Edition, rendered: Rendered, sender: Sender, boundary: str) -> Iterator[tuple[str, str]]:
    author = ascii_address(sender.from_address)
    domain = author.rpartition("@")[2]
    list_id = _list_id(sender.list_id, domain)
    contact = contact_url(sender)
    by_web, by_mail = unsubscribe_urls(sender, edition.reader.token)
    yield "Message-ID", f"<{edition.id}@{domain}>"
    yield "Date", format_datetime(edition.composed_at.astimezone(UTC))
    yield "From", mailbox("From", sender.from_name, author)
    yield "To", mailbox("To", edition.reader.name, ascii_address(edition.reader.email))
    if sender.reply_to:
        yield "Reply-To", ascii_address(sender.reply_to)
    yield "Subject", unstructured("Subject", rendered.subject)
    yield "List-Id", mailbox("List-Id", sender.from_name, list_id)
    yield "List-Help", f"<{contact}?subject=help>"
    yield "List-Owner", f"<{contact}>"
    if by_web is None:
        yield "List-Unsubscribe", f"<{by_mail}>"
    else:
        yield "List-Archive", f"<{sender.public_url}>"
        # Folded between the two and nowhere else: a URI that is broken over lines is no URI (RFC 2369 section 2).
        yield "List-Unsubscribe", f"<{by_web}>,{_FOLD}<{by_mail}>"
        yield "List-Unsubscribe-Post", "List-Unsubscribe=One-Click"
    yield "Auto-Submitted", "auto-generated"
    yield "Precedence", "bulk"
    yield "X-Auto-Response-Suppress", "All"
    # Receivers count complaints by each field; the last one is the sender, and none of them is a person.
    yield "Feedback-ID", f"{edition.cadence}:{list_id}:{domain}"
    yield "MIME-Version", "1.0"
    yield "Content-Language", "en"
    yield "Content-Type", f'multipart/alternative;{_FOLD}boundary="{boundary}"'


def _list_id(list_id: str, domain: str) -> str:
    label = list_id.strip("<> ") or f"digestd.{domain}"
    if not DOMAIN.fullmatch(label):
        raise ConfigError(f"mail.list_id: expected a name like papers.{domain}, found {list_id!r} (RFC 2919)")
    return label


def _part(boundary: str, content_type: str, text: str) -> bytes:
    """Return one part of the body. The line end before the next boundary belongs to that boundary (RFC 2046 5.1.1)."""
    head = (
        f"--{boundary}\r\n"
        f"Content-Type: {content_type}; charset=utf-8\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n"
        "\r\n"
    )
    return head.encode("ascii") + quoted_printable(text) + b"\r\n"


def quoted_printable(text: str) -> bytes:
    """Return `text` in quoted-printable (RFC 2045 6.7): UTF-8, lines of at most 76 octets, every line end CRLF.

    Line feeds are the line ends of `text`; a carriage return is not one, and is dropped.
    """
    # Encoded with line feeds and turned to CRLF at the end: b2a_qp takes the style of its soft breaks from the first
    # line end it meets, and would give bare ones to a text that has none.
    octets = text.replace("\r", "").encode("utf-8", "replace")
    return binascii.b2a_qp(octets, istext=True).replace(b"\n", b"\r\n")


def _phrase(header: str, name: str) -> str:
    """Return a display name as it is, quoted (RFC 5322 3.2.4), or in encoded-words (RFC 2047 5), as it needs."""
    name = shorten(clean(name), LONGEST_NAME)
    used = len(header) + 2
    if not _is_plain(name) or len(name) > _FOLD_AT - used - 2:
        return _FOLD.join(_encoded_words(name, _FOLD_AT - used))
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
    return _FOLD.join([*lines, line])


def _encoded_words(text: str, room: int) -> Iterator[str]:
    """Yield encoded-words (RFC 2047), the first of at most `room` characters; no character is split between two."""
    # Base64 where it is shorter, which is where few letters are ASCII.
    dense = len(_q(text)) > len(text.encode()) * 4 / 3
    encoded = _b_word if dense else _q_word
    chunk, used = "", 0
    for character in text:
        cost = len(character.encode()) if dense else _q_cost(character)
        used += cost
        if chunk and _WRAPPING + (-(-used // 3) * 4 if dense else used) > min(room, _LONGEST_ENCODED_WORD):
            yield encoded(chunk)
            chunk, used, room = "", cost, _LONGEST_ENCODED_WORD
        chunk += character
    yield encoded(chunk)


def _q_word(text: str) -> str:
    return f"=?utf-8?q?{_q(text)}?="


def _b_word(text: str) -> str:
    return f"=?utf-8?b?{binascii.b2a_base64(text.encode(), newline=False).decode('ascii')}?="


def _q(text: str) -> str:
    return text.encode().decode("latin-1").translate(_q_table())


def _q_cost(character: str) -> int:
    return 1 if character == " " or ord(character) in _Q_SAFE else 3 * len(character.encode())


@cache
def _q_table() -> dict[int, str]:
    table = {octet: f"={octet:02X}" for octet in range(256) if octet not in _Q_SAFE}
    return table | {0x20: "_"}
