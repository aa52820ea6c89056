"""The bytes of a message: headers and a multipart body, written by our own hand.

What leaves here is ASCII with CRLF, in lines of at most 998 octets (RFC 5322 2.1.1), always the same for the same
edition. Dot-stuffing belongs to the courier.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from digestd.errors import ConfigError
from digestd.letters import LetterKind
from digestd.model import Cadence, Edition, Sender
from digestd.publish.addresses import DOMAIN, ascii_address, contact_url, unsubscribe_urls
from digestd.publish.dkim import Signer
from digestd.publish.headers import FOLD, mailbox, unstructured
from digestd.publish.render import Rendered

_LONGEST_LINE = 998  # octets, RFC 5322 2.1.1

Header = tuple[str, str]


def build_message(edition: Edition, rendered: Rendered, sender: Sender, signers: tuple[Signer, ...] = ()) -> bytes:
    """Return the message of an edition: multipart/alternative, plain text before HTML, UTF-8 in quoted-printable.

    Each signer puts its DKIM-Signature on top. Raises AddressRefused for an address of the reader or the sender that
    no header can carry, and ConfigError for a `public_url` or `list_id` that cannot stand in one.
    """
    boundary = f"=_{edition.id}"  # quoted-printable never writes "=_" (RFC 2045 6.7), so no text can end a part
    headers = _headers(edition, rendered, sender, boundary)
    head = "".join([f"{name}: {value}\r\n" for name, value in headers])
    if max(map(len, head.split("\r\n"))) > _LONGEST_LINE:
        raise ConfigError(f"mail.public_url: too long for a header line of {_LONGEST_LINE} octets")
    # The line end before a boundary belongs to that boundary (RFC 2046 5.1.1).
    body = [
        f"--{boundary}{_PLAIN}".encode(),
        *rendered.encoded_text,
        f"\r\n--{boundary}{_HTML}".encode(),
        *rendered.encoded_html,
        f"\r\n--{boundary}--\r\n".encode(),
    ]
    signatures = "".join([signer.sign(headers, body, edition.composed_at) for signer in signers])
    return b"".join((signatures.encode("ascii"), head.encode("ascii"), b"\r\n", *body))


_ENCODING = "; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
_PLAIN = f"\r\nContent-Type: text/plain{_ENCODING}"
_HTML = f"\r\nContent-Type: text/html{_ENCODING}"


def _headers(edition: Edition, rendered: Rendered, sender: Sender, boundary: str) -> list[Header]:
    constant = _constant(sender, edition.letter.kind if edition.letter else edition.cadence)
    by_web, by_mail = unsubscribe_urls(sender, edition.reader.token)
    headers = [
        ("Message-ID", f"<{edition.id}@{constant.domain}>"),
        *_thread(edition, constant.domain),
        ("Date", _date(edition.composed_at)),
        constant.author,
        ("To", mailbox("To", edition.reader.name, ascii_address(edition.reader.email))),
        *constant.reply_to,
        ("Subject", unstructured("Subject", rendered.subject)),
        *constant.of_list,
    ]
    if edition.letter is not None and edition.letter.kind is LetterKind.NOTICE:
        pass  # no subscription: leaving would end what the operator reads, and not this
    elif by_web is None:
        headers.append(("List-Unsubscribe", f"<{by_mail}>"))
    else:
        # Folded between the two and nowhere else: a URI that is broken over lines is no URI (RFC 2369 section 2).
        headers.append(("List-Unsubscribe", f"<{by_web}>,{FOLD}<{by_mail}>"))
        headers.append(("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
    content_type = f'multipart/alternative;{FOLD}boundary="{boundary}"'
    return [*headers, *constant.marks, ("Content-Type", content_type)]


class _Constant(NamedTuple):
    """The headers that all editions of a cadence, or letters of a kind, have from one sender, and their domain."""

    domain: str
    author: Header
    reply_to: tuple[Header, ...]
    of_list: tuple[Header, ...]
    marks: tuple[Header, ...]


@lru_cache(maxsize=64)
def _constant(sender: Sender, kind: Cadence | LetterKind) -> _Constant:
    author = ascii_address(sender.from_address)
    domain = author.rpartition("@")[2]
    list_id = _list_id(sender.list_id, domain)
    contact = contact_url(sender)
    archive = (("List-Archive", f"<{sender.public_url}>"),) if sender.public_url else ()
    return _Constant(
        domain=domain,
        author=("From", mailbox("From", sender.from_name, author)),
        reply_to=(("Reply-To", ascii_address(sender.reply_to)),) if sender.reply_to else (),
        of_list=(
            ("List-Id", mailbox("List-Id", sender.from_name, list_id)),
            ("List-Help", f"<{contact}?subject=help>"),
            ("List-Owner", f"<{contact}>"),
            *archive,
        ),
        marks=(
            ("Auto-Submitted", "auto-generated"),
            ("Precedence", "bulk"),
            ("X-Auto-Response-Suppress", "All"),
            # Receivers count complaints by each field; the last one is the sender, and none of them is a person.
            ("Feedback-ID", f"{kind}:{list_id}:{domain}"),
            ("MIME-Version", "1.0"),
            ("Content-Language", "en"),
        ),
    )


def _thread(edition: Edition, domain: str) -> tuple[Header, ...]:
    """Return what makes the alerts of a profile and a local day one thread each (RFC 5322 3.6.4).

    No message has these ids: programs thread what names the same ancestor. The token keeps those of two readers
    apart, so that nobody can tell from an id what another one follows.
    """
    if edition.cadence is not Cadence.IMMEDIATE or not edition.sections:
        return ()
    day = edition.composed_at.astimezone(ZoneInfo(edition.reader.timezone)).date()
    names = dict.fromkeys(section.profile for section in edition.sections)
    digests = (hashlib.sha256(f"{edition.reader.token}\n{day}\n{name}".encode()).hexdigest() for name in names)
    ancestors = [f"<{digest[:32]}.alerts@{domain}>" for digest in digests]
    return ("In-Reply-To", ancestors[0]), ("References", FOLD.join(ancestors))


def _list_id(list_id: str, domain: str) -> str:
    label = list_id.strip("<> ") or f"digestd.{domain}"
    if not DOMAIN.fullmatch(label):
        raise ConfigError(f"mail.list_id: expected a name like papers.{domain}, found {list_id!r} (RFC 2919)")
    return label


@lru_cache(maxsize=64)  # the editions of a tick have one moment
def _date(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC))
