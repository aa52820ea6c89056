"""Any RSS or Atom feed: journals, PubMed's searches, blogs. What is particular to arXiv and bioRxiv is read there.

A feed without entries is a day without papers, not a mistake.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from digestd.ingest.authors import split_authors
from digestd.ingest.dates import day
from digestd.ingest.formats import arxiv_feed, biorxiv_feed
from digestd.ingest.formats.feed_entries import (
    ENTRIES,
    authors_of_entry,
    categories_of_entry,
    day_of_entry,
    feed_head,
    ids_of_entry,
    link_of_entry,
)
from digestd.ingest.identity import NotAPaper, bad_record, make_paper, page_of
from digestd.ingest.markup import Element, elements, html_text, inner, line_of, local, text
from digestd.model import BadRecord, Paper

NAME = "feed"
LONGEST_NAME = 80  # characters of a feed's title that name the source

_HEADING = re.compile(r"<(h\d|b|strong)>\s{0,20}abstract:?\s{0,20}</\1>", re.IGNORECASE)
# What publishers put before an abstract, and in place of one.
_BEFORE = re.compile(r"[^;]{1,150}, Published online: [^;]{1,40}; doi:\S{1,200}\s*")
_NO_ABSTRACT = re.compile(r"Publication date: (?P<day>.{1,60}?) Source: .{1,300}? Author\(s\): (?P<authors>.*)")
_PUBMED_ABSTRACT = re.compile(r"\bABSTRACT\b:?\s*")
_PUBMED_END = re.compile(r"\s*PMID:\s?\d+(?:\s?\|.*)?$")


def recognise(head: str) -> bool:
    """Return whether the root of a feed stands near the beginning, and the feed is not of a format of its own."""
    return bool(feed_head(head)) and not (arxiv_feed.recognise(head) or biorxiv_feed.recognise(head))


def parse(lines: Iterator[str], modified: date) -> Iterator[Paper | BadRecord]:
    """Yield a paper for each entry."""
    name = ""
    for element in elements(lines, {*ENTRIES, "title"}):
        if local(element) == "title":
            name = name or html_text(inner(element))[:LONGEST_NAME]
            continue
        try:
            yield _paper(element, name or NAME)
        except NotAPaper as error:
            yield bad_record(line_of(element), str(error), inner(element))


def _paper(element: Element, source: str) -> Paper:
    ids = ids_of_entry(element)
    of_pubmed = any(one.startswith("pmid:") for one in ids)
    abstract = _abstract(element)
    authors, published = authors_of_entry(element), day_of_entry(element)
    if of_pubmed:
        abstract = html_text(text(element, "content:encoded")) or abstract
        abstract = _PUBMED_END.sub("", _PUBMED_ABSTRACT.split(abstract, maxsplit=1)[-1])
    elif told := _NO_ABSTRACT.match(abstract):
        abstract = ""
        authors = authors or split_authors(told["authors"])
        published = published or day(told["day"])
    return make_paper(
        title=html_text(text(element, "title", "dc:title")),
        ids=ids,
        authors=authors,
        abstract=abstract,
        url=link_of_entry(element) or page_of(ids, None),
        published=published,
        categories=categories_of_entry(element),
        source="pubmed" if of_pubmed else source,
    )


def _abstract(element: Element) -> str:
    """Return what an entry says of its paper: what stands under a heading `Abstract`, else the shorter description."""
    short, long = text(element, "description", "summary"), text(element, "content:encoded", "content")
    for said in (long, short):
        if heading := _HEADING.search(said):
            return html_text(said[heading.end() :])
    return _BEFORE.sub("", html_text(short or long))
