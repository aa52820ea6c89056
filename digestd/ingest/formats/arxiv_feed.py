"""arXiv's feeds: RSS (also the old RSS 1.0), Atom, and the answers of the API."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from digestd.errors import FileRefused
from digestd.ingest.authors import split_authors
from digestd.ingest.formats.feed_entries import (
    ENTRIES,
    authors_of_entry,
    categories_of_entry,
    day_of_entry,
    feed_head,
    ids_of_entry,
    link_of_entry,
)
from digestd.ingest.identity import NotAPaper, bad_record, make_paper
from digestd.ingest.markup import Element, children, elements, html_text, inner, line_of, local, text
from digestd.model import BadRecord, Paper

NAME = "arxiv-feed"

_OURS = re.compile(
    r"arxiv\.org/(?:schemas/atom|api|help|rss|atom)|(?:rss|export)\.arxiv\.org|(?:link>|about=\")\s*https?://arxiv\.org"
)
_ANNOUNCED = re.compile(r"\s*arXiv:(?P<id>\S+)\s+Announce Type:\s*\S+\s*(?:Abstract:\s*)?", re.IGNORECASE)
_OLD_TITLE = re.compile(r"\.?\s*\((?P<id>arXiv:\S{1,60})\s?\[(?P<category>[^][]+)\](?:\s+[A-Z ]+)?\)\s*$")
_ABSTRACT = re.compile(r"^\s*Abstract:\s*")


def recognise(head: str) -> bool:
    """Return whether a feed that begins here says of itself that it is arXiv's."""
    return bool(_OURS.search(feed_head(head)))


def parse(lines: Iterator[str], modified: date) -> Iterator[Paper | BadRecord]:
    """Yield a paper for each entry. Raises FileRefused when the feed tells of an error instead."""
    for element in elements(lines, {*ENTRIES, "title"}):
        if local(element) == "title":
            if inner(element).lower().startswith("feed error"):
                raise FileRefused(f"arXiv answered with an error: {inner(element)[:200]}")
            continue
        if inner(_first(element, "title")) == "Error" and "/errors" in text(element, "id"):
            raise FileRefused(f"arXiv answered with an error: {text(element, 'summary')[:200]}")
        try:
            yield _paper(element)
        except NotAPaper as error:
            yield bad_record(line_of(element), str(error), inner(element))


def _paper(element: Element) -> Paper:
    ids = ids_of_entry(element)
    title, categories = html_text(text(element, "title")), categories_of_entry(element)
    if old := _OLD_TITLE.search(title):
        title, ids, categories = title[: old.start()], [old["id"], *ids], [old["category"], *categories]
    abstract = html_text(text(element, "description", "summary"))
    if announced := _ANNOUNCED.match(abstract):
        abstract, ids = abstract[announced.end() :], [f"arXiv:{announced['id']}", *ids]
    primary = [found.get("term", "") for found in children(element, "arxiv:primary_category")]
    links = {link.get("title"): link.get("href") for link in children(element, "link")}
    authors = authors_of_entry(element)
    return make_paper(
        title=title,
        ids=[*ids, links.get("doi") or ""],
        authors=authors if len(authors) != 1 else split_authors(authors[0]),
        abstract=_ABSTRACT.sub("", abstract),
        published=day_of_entry(element),
        categories=dict.fromkeys((*primary, *categories)),
        source="arxiv",
        comments=text(element, "arxiv:comment"),
        pdf=links.get("pdf"),
        url=None if ids else link_of_entry(element),
    )


def _first(element: Element, name: str) -> Element | None:
    return next(iter(children(element, name)), None)
