"""The addresses of people and of the list's own pages, as headers, envelopes and links carry them. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote

import idna

from digestd.errors import AddressRefused, ConfigError
from digestd.model import Sender
from digestd.publish.links import safe_url

# The dot-atom of RFC 5322 3.2.3. Quoted local parts are legal, never seen, and the door to most address tricks.
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_PLAIN = re.compile(r"[A-Za-z0-9._-]*")
DOMAIN = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")


def ascii_address(address: str) -> str:
    """Return the address as a header and an SMTP command carry it: ASCII, its domain in IDNA 2008 (RFC 5891).

    Raises AddressRefused for what is no `local@domain`, is longer than RFC 5321 4.5.3.1 allows, or has a local part
    that only SMTPUTF8 (RFC 6531) could carry.
    """
    local, at, domain = address.rpartition("@")
    if not at or not _LOCAL_PART.fullmatch(local) or len(local) > 64:
        raise AddressRefused(f"{address!r}: expected letters of ASCII, digits or signs before the @, at most 64")
    try:
        domain = _ascii_domain(domain)
    except idna.IDNAError as error:
        raise AddressRefused(f"{address!r}: this domain cannot be written in ASCII: {error}") from error
    if not domain or len(local) + 1 + len(domain) > 254:
        raise AddressRefused(f"{address!r}: expected a domain name after the @, and at most 254 characters in all")
    return f"{local}@{domain}"


@lru_cache(maxsize=4096)  # most readers have theirs in common with many
def _ascii_domain(domain: str) -> str:
    """Return a domain in ASCII; "" for what is none. Raises IDNAError."""
    if not domain.isascii():
        domain = idna.encode(domain, uts46=True).decode("ascii")
    return domain if DOMAIN.fullmatch(domain) else ""


def unsubscribe_urls(sender: Sender, token: str) -> tuple[str | None, str]:
    """Return the web address, `{public_url}/u/{token}`, and the mail address at which a reader leaves.

    The first is None for a sender without web pages. Raises ConfigError for a `public_url` that is no web address.
    """
    pages, by_mail = _before_token(sender)
    if not _PLAIN.fullmatch(token):  # ours are
        token = quote(token, safe="")
    return pages and pages + token, by_mail + token


@lru_cache(maxsize=16)
def _before_token(sender: Sender) -> tuple[str | None, str]:
    by_mail = f"{contact_url(sender)}?subject=unsubscribe%20"
    if not sender.public_url:
        return None, by_mail
    url = safe_url(f"{sender.public_url.rstrip('/')}/u/")
    if url is None or not url.isascii():  # it goes into a header too
        raise ConfigError(f"mail.public_url: expected an http or https address in ASCII, found {sender.public_url!r}")
    return url, by_mail


@lru_cache(maxsize=16)
def contact_url(sender: Sender) -> str:
    """Return the `mailto:` address that reaches a person. Raises AddressRefused."""
    return "mailto:" + quote(ascii_address(sender.reply_to or sender.from_address), safe="@")
