"""The feeds of bioRxiv and medRxiv: RSS 1.0, whose entries stand beside the channel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from digestd.ingest.formats.feed_entries import (
    ENTRIES,
    authors_of_entry,
    day_of_entry,
    feed_head,
    ids_of_entry,
    link_of_entry,
)
from digestd.ingest.identity import NotAPaper, bad_record, canonical_id, make_paper
from digestd.ingest.markup import Element, children, elements, html_text, inner, line_of, text
from digestd.model import BadRecord, Paper

NAME = "biorxiv-feed"

_OURS = re.compile(r"https?://(?:\w+\.)?(?:biorxiv|medrxiv)\.org", re.IGNORECASE)


def recognise(head: str) -> bool:
    """Return whether a feed that begins here says of itself that it is bioRxiv's or medRxiv's."""
    return bool(_OURS.search(feed_head(head)))


def parse(lines: Iterator[str], modified: date) -> Iterator[Paper | BadRecord]:
    """Yield a paper for each entry."""
    for element in elements(lines, ENTRIES):
        try:
            yield _paper(element)
        except NotAPaper as error:
            yield bad_record(line_of(element), str(error), inner(element))


def _paper(element: Element) -> Paper:
    link = link_of_entry(element)
    named = canonical_id(link)
    return make_paper(
        title=html_text(text(element, "title", "dc:title")),
        ids=ids_of_entry(element),
        authors=authors_of_entry(element),
        abstract=html_text(text(element, "description", "content:encoded")),
        url=link.partition("?")[0],
        published=day_of_entry(element),
        categories=[inner(section) for section in children(element, "prism:section")],
        source="medrxiv" if "medrxiv" in link.lower() else "biorxiv",
        version=named[1] if named else None,
    )
