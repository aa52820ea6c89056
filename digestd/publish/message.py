"""The bytes of a message: headers and a multipart body, written by our own hand.

What leaves here is ASCII with CRLF, in lines of at most 998 octets (RFC 5322 2.1.1), always the same for the same
edition, and without a line that begins with a dot.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from digestd.errors import ConfigError
from digestd.letters import LetterKind
from digestd.model import Cadence, Edition, Sender
from digestd.publish.addresses import DOMAIN, ascii_address, contact_url, unsubscribe_urls
from digestd.publish.encode import has_line_with_dot
from digestd.publish.headers import FOLD, mailbox, unstructured
from digestd.publish.render import Rendered

if TYPE_CHECKING:
    from digestd.publish.dkim import Signer

_LONGEST_LINE = 998  # octets, RFC 5322 2.1.1

_ENCODING = "; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
_PLAIN = f"\r\nContent-Type: text/plain{_ENCODING}"
_HTML = f"\r\nContent-Type: text/html{_ENCODING}"


def build_message(edition: Edition, rendered: Rendered, sender: Sender, signers: tuple[Signer, ...] = ()) -> bytes:
    """Return the message of an edition: multipart/alternative, plain text before HTML, UTF-8 in quoted-printable.

    It goes over the line as it is (RFC 5321 4.5.2, transparency): ASCII, every line ends with CRLF, the last one too,
    and none begins with a dot. Of a body's pieces `publish.encode` sees to that; the headers are looked at here, and
    what bounds the body with them: the edition's id.

    Each signer puts its DKIM-Signature on top. Raises AddressRefused for an address of the reader or the sender that
    no header can carry, ConfigError for a `public_url` or `list_id` that cannot stand in one, and ValueError for
    headers that could pass for a message's end.
    """
    boundary = f"=_{edition.id}"  # quoted-printable never writes "=_" (RFC 2045 6.7), so no text can end a part
    head = _head(edition, rendered.subject, sender, boundary)
    # The line end before a boundary belongs to that boundary (RFC 2046 5.1.1).
    body = (
        f"--{boundary}{_PLAIN}".encode(),
        *rendered.encoded_text,
        f"\r\n--{boundary}{_HTML}".encode(),
        *rendered.encoded_html,
        f"\r\n--{boundary}--\r\n".encode(),
    )
    signatures = "".join([signer.sign(head, body, edition.composed_at) for signer in signers])
    headers = f"{signatures}{head}\r\n".encode("ascii")
    if has_line_with_dot(headers):
        raise ValueError("a line of the headers begins with a dot")
    return b"".join((headers, *body))


def _head(edition: Edition, subject: str, sender: Sender, boundary: str) -> str:
    """Return the headers, each with its line end."""
    constant = _constant(sender, edition.letter.kind if edition.letter else edition.cadence)
    reader = edition.reader
    return (
        f"Message-ID: <{edition.id}@{constant.domain}>\r\n"
        f"{_thread(edition, constant.domain)}"
        f"Date: {_date(edition.composed_at)}\r\n"
        f"{constant.author}"
        f"To: {mailbox('To', reader.name, ascii_address(reader.email))}\r\n"
        f"{constant.reply_to}"
        f"Subject: {unstructured('Subject', subject)}\r\n"
        f"{constant.of_list}{_leaving(edition, sender)}{constant.marks}"
        f'Content-Type: multipart/alternative;{FOLD}boundary="{boundary}"\r\n'
    )


def _leaving(edition: Edition, sender: Sender) -> str:
    """Return List-Unsubscribe, and with web pages its one click (RFC 8058)."""
    if edition.letter is not None and edition.letter.kind is LetterKind.NOTICE:
        return ""  # no subscription: leaving would end what the operator reads, and not this
    by_web, by_mail = unsubscribe_urls(sender, edition.reader.token)
    if by_web is None:
        return f"List-Unsubscribe: <{by_mail}>\r\n"
    # Folded between the two and nowhere else: a URI that is broken over lines is no URI (RFC 2369 section 2).
    head = f"List-Unsubscribe: <{by_web}>,{FOLD}<{by_mail}>\r\n"
    return f"{_carried(head)}List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"


def _carried(head: str) -> str:
    """Return headers whose lines are no longer than a line may be. Raises ConfigError."""
    if len(head) > _LONGEST_LINE and max(map(len, head.split("\r\n"))) > _LONGEST_LINE:
        raise ConfigError(f"mail.public_url: too long for a header line of {_LONGEST_LINE} octets")
    return head


class _Constant(NamedTuple):
    """The headers that all editions of a cadence, or letters of a kind, have from one sender, and their domain."""

    domain: str
    author: str
    reply_to: str
    of_list: str
    marks: str


@lru_cache(maxsize=64)
def _constant(sender: Sender, kind: Cadence | LetterKind) -> _Constant:
    author = ascii_address(sender.from_address)
    domain = author.rpartition("@")[2]
    list_id = _list_id(sender.list_id, domain)
    contact = contact_url(sender)
    return _Constant(
        domain=domain,
        author=f"From: {mailbox('From', sender.from_name, author)}\r\n",
        reply_to=f"Reply-To: {ascii_address(sender.reply_to)}\r\n" if sender.reply_to else "",
        of_list=_carried(
            f"List-Id: {mailbox('List-Id', sender.from_name, list_id)}\r\n"
            f"List-Help: <{contact}?subject=help>\r\n"
            f"List-Owner: <{contact}>\r\n" + (f"List-Archive: <{sender.public_url}>\r\n" if sender.public_url else "")
        ),
        marks=_carried(
            "Auto-Submitted: auto-generated\r\n"
            "Precedence: bulk\r\n"
            "X-Auto-Response-Suppress: All\r\n"
            # Receivers count complaints by each field; the last one is the sender, and none of them is a person.
            f"Feedback-ID: {kind}:{list_id}:{domain}\r\n"
            "MIME-Version: 1.0\r\n"
            "Content-Language: en\r\n"
        ),
    )


def _thread(edition: Edition, domain: str) -> str:
    """Return the headers that make the alerts of a profile and a local day one thread each (RFC 5322 3.6.4).

    No message has these ids: programs thread what names the same ancestor. The token keeps those of two readers
    apart, so that nobody can tell from an id what another one follows.
    """
    if edition.cadence is not Cadence.IMMEDIATE or not edition.sections:
        return ""
    day = edition.composed_at.astimezone(ZoneInfo(edition.reader.timezone)).date()
    names = dict.fromkeys(section.profile for section in edition.sections)
    digests = (hashlib.sha256(f"{edition.reader.token}\n{day}\n{name}".encode()).hexdigest() for name in names)
    ancestors = [f"<{digest[:32]}.alerts@{domain}>" for digest in digests]
    return f"In-Reply-To: {ancestors[0]}\r\nReferences: {FOLD.join(ancestors)}\r\n"


def _list_id(list_id: str, domain: str) -> str:
    label = list_id.strip("<> ") or f"digestd.{domain}"
    if not DOMAIN.fullmatch(label):
        raise ConfigError(f"mail.list_id: expected a name like papers.{domain}, found {list_id!r} (RFC 2919)")
    return label


@lru_cache(maxsize=64)  # the editions of a tick have one moment
def _date(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC))
