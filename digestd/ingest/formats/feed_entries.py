"""What the entries of feeds have in common, be they RSS 2.0, RSS 1.0 or Atom. No format itself."""

from __future__ import annotations

import re
from datetime import date

from digestd.ingest.authors import split_authors
from digestd.ingest.dates import day
from digestd.ingest.markup import Element, children, html_text, inner, root, text

ROOTS = frozenset({"rss", "feed", "rdf"})
ENTRIES = frozenset({"item", "entry"})

_XML = re.compile(r"^[ \t]*(?=<(?:\?xml|rss|feed|rdf:RDF)\b)", re.MULTILINE)
_ADDRESS = re.compile(r"(?<!\S)[^\s@()]+@[^\s@()]+(?:\s?\((?P<name>[^()]+)\))?")


def feed_head(head: str) -> str:
    """Return what stands before the first entry of a feed that begins in `head`, None of it if none does."""
    for found in _XML.finditer(head):
        begin = head[found.end() :]
        if root(begin)[0] in ROOTS:
            return re.split(r"<(?:\w+:)?(?:item|entry)[\s>]", begin, maxsplit=1)[0]
    return ""


def link_of_entry(element: Element) -> str:
    """Return where an entry leads: RSS has a text, Atom an attribute."""
    links = children(element, "link")
    alternate = [link for link in links if link.get("rel", "alternate") == "alternate"]
    return next((said for link in (*alternate, *links) if (said := inner(link) or link.get("href", "").strip())), "")


def day_of_entry(element: Element) -> date | None:
    """Return when an entry was published."""
    names = ("published", "dc:date", "prism:publicationDate", "pubDate", "issued", "updated", "modified")
    return next((found for name in names if (found := day(text(element, name)))), None)


def authors_of_entry(element: Element) -> list[str]:
    """Return the authors, be they one element each or one text."""
    persons = [inner(name) for author in children(element, "author") for name in children(author, "name")]
    if persons:
        return persons if len(persons) > 1 else split_authors(html_text(persons[0]))
    creators = [html_text(inner(creator)) for creator in children(element, "dc:creator")]
    creators = [creator for creator in creators if creator] or [
        _ADDRESS.sub(lambda found: found["name"] or "", inner(author)) for author in children(element, "author")
    ]
    return [name for creator in creators for name in (split_authors(creator) if len(creators) == 1 else [creator])]


def categories_of_entry(element: Element) -> list[str]:
    """Return the categories, each once."""
    found = [category.get("term") or inner(category) for category in children(element, "category")]
    found += [inner(subject) for subject in children(element, "dc:subject")]
    return list(dict.fromkeys(filter(None, found)))


def ids_of_entry(element: Element) -> list[str]:
    """Return the texts that may name the work."""
    names = ("prism:doi", "dc:identifier", "guid", "id", "arxiv:doi", "arxiv:DOI")
    found = [inner(child) for name in names for child in children(element, name)]
    return [*(one.replace("pubmed:", "pmid:") for one in found), link_of_entry(element)]
