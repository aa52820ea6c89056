"""A reader's papers as an Atom feed (RFC 4287), for those who prefer a feed reader. Pure.

Every text is plain and no markup, so whatever a record says is only read; an address is one that a mail could link.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from lxml import etree

from digestd.model import Paper
from digestd.publish.card import bounded, card

ATOM = "http://www.w3.org/2005/Atom"
MEDIA_TYPE = "application/atom+xml"
MOST = 100  # entries: what feed readers keep of a busy feed
_AUTHORS = 20
# What XML 1.0 has no way to say (section 2.2).
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Item:
    """A paper of the feed: when it came, and the queries that found it."""

    paper: Paper
    queries: tuple[str, ...]
    at: datetime


def merged(*sources: Iterable[Item]) -> list[Item]:
    """Return each paper once, as the first source has it, the newest first."""
    known: dict[str, Item] = {}
    for source in sources:
        for item in source:
            known.setdefault(item.paper.id, item)
    return sorted(known.values(), key=lambda item: (item.at, item.paper.id), reverse=True)[:MOST]


def atom(identity: str, items: Sequence[Item], now: datetime) -> bytes:
    """Return the feed. `identity` is its token, the last part of its address; without items it is as of today."""
    root = etree.Element(f"{{{ATOM}}}feed", nsmap={None: ATOM})
    _put(root, "id", _uuid(identity))
    _put(root, "title", "Papers for you")
    _put(root, "subtitle", "Chosen by your own search words")
    newest = max((item.at for item in items), default=now.replace(hour=0, minute=0, second=0, microsecond=0))
    _put(root, "updated", _moment(newest))
    _put(etree.SubElement(root, f"{{{ATOM}}}author"), "name", "digestd")
    _put(root, "generator", "digestd")
    # From its own address the feed is its last part, wherever a proxy has put it (RFC 4287 4.2.7, RFC 3986 5.2).
    etree.SubElement(root, f"{{{ATOM}}}link", rel="self", type=MEDIA_TYPE, href=identity)
    for item in items:
        _entry(root, identity, item)
    octets: bytes = etree.tostring(root, xml_declaration=True, encoding="utf-8")
    return octets


def _entry(root: etree._Element, identity: str, item: Item) -> None:
    shown = card(item.paper, item.queries)
    entry = etree.SubElement(root, f"{{{ATOM}}}entry")
    _put(entry, "id", _uuid(f"{identity} {item.paper.id}"))
    _put(entry, "title", "".join(run.text for run in shown.title))
    _put(entry, "updated", _moment(item.at))
    for name in [name for name in bounded(item.paper).authors if name.strip()][:_AUTHORS]:
        _put(etree.SubElement(entry, f"{{{ATOM}}}author"), "name", name)
    etree.SubElement(entry, f"{{{ATOM}}}link", rel="alternate", href=_text(shown.url))
    abstract = "".join(run.text for run in shown.abstract)
    why = f"Matches: {' · '.join(shown.why)}" if shown.why else ""
    _put(entry, "summary", "\n\n".join(part for part in (shown.facts, abstract, why) if part))


def _put(parent: etree._Element, name: str, text: str) -> None:
    etree.SubElement(parent, f"{{{ATOM}}}{name}").text = _text(text)


def _text(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _uuid(name: str) -> str:
    return UUID(bytes=hashlib.sha256(f"digestd feed: {name}".encode("utf-8", "replace")).digest()[:16], version=5).urn
