"""Pages saved from a browser where they tell enough: Hugging Face's papers, arXiv's listings, and single papers of
any site that describes them for search engines (`citation_title`).

What a page does not say in its markup is not guessed.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from datetime import date
from typing import Any

from lxml import etree
from lxml.html import HTMLParser, document_fromstring

from digestd.errors import FileRefused
from digestd.ingest.authors import split_authors
from digestd.ingest.dates import day
from digestd.ingest.formats import huggingface_json
from digestd.ingest.identity import NotAPaper, bad_record, make_paper, page_of
from digestd.ingest.markup import Element, inner
from digestd.model import BadRecord, Paper

NAME = "html"
MAX_PAGE = 4_000_000  # characters; the longest listing of arXiv has about 3 MB

_BEGIN = re.compile(r"^[ \t]*(?:<!doctype html|<html[\s>])", re.IGNORECASE | re.MULTILINE)
_LISTED = re.compile(r"^\s*(?:Title|Authors?|Comments?|Subjects?|Journal-ref)\s*:\s*", re.IGNORECASE)
_SUBJECT = re.compile(r"\(([\w.-]+)\)")

_END = re.compile(r"</html\s*>\s*(?:<!--[^>]{0,1000}-->\s*)*\Z", re.IGNORECASE)


def recognise(head: str) -> bool:
    """Return whether a page of HTML begins near the beginning."""
    return bool(_BEGIN.search(head))


def parse(lines: Iterator[str], modified: date) -> Iterator[Paper | BadRecord]:
    """Yield the page's papers. Raises FileRefused for a page that tells of none."""
    page = _page(lines)
    found = 0
    for reader in (_huggingface, _huggingface_cards, _arxiv_listing, _described):
        for record in reader(page):
            found += 1
            yield record
        if found:
            return
    raise FileRefused("the page tells of no paper in its markup; save it as text, or take the site's feed")


def _page(lines: Iterator[str]) -> Element:
    kept: list[str] = []
    size = 0
    for line in lines:
        kept.append(line)
        size += len(line)
        if size > MAX_PAGE:
            raise FileRefused(f"a page of more than {MAX_PAGE:,} characters is no list of papers")
    text = "".join(kept).replace("\0", "")
    if not _END.search(text):
        raise FileRefused("the page has no end (</html>), or goes on behind it; it looks half-written")
    try:
        parser = HTMLParser(encoding="utf-8", no_network=True, huge_tree=False, remove_comments=True)
        return document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError) as error:
        raise FileRefused(f"it is no page of HTML: {error}") from None


def _huggingface(page: Element) -> Iterator[Paper | BadRecord]:
    """Yield the records that the page carries for its own scripts: the same as the API's."""
    for holder in page.iterfind(".//*[@data-props]"):
        try:
            props = json.loads(holder.get("data-props"))
        except (ValueError, RecursionError):
            continue
        if not isinstance(props, dict):
            continue
        told = props.get("dailyPapers") or props.get("papers")
        if isinstance(one := props.get("paper"), dict) and "title" in one:  # the page of one paper
            told = [one]
        for record in told if isinstance(told, list) else ():
            yield from _attempt(huggingface_json.paper, record, holder.sourceline)


def _huggingface_cards(page: Element) -> Iterator[Paper | BadRecord]:
    """Yield the cards that readers see, where a page was saved without what its scripts read."""
    for card in _innermost(page, "article"):
        links: dict[str, Element] = {}
        for link in card.iter("a"):
            if "/papers/" in link.get("href", "") and next(link.iterancestors("h3"), None) is not None:
                links.setdefault(link.get("href").partition("#")[0], link)
        about = card if len(links) == 1 else None  # of a list in one card nobody can say which text is whose
        for link in links.values():
            yield from _attempt(lambda pair: _card(*pair), (about, link), card.sourceline)


def _card(card: Element | None, link: Element) -> Paper:
    divs = () if card is None else card.iter("div")
    votes = next((inner(found) for found in divs if "leading-none" in _classes(found)), "")
    return make_paper(
        title=inner(link),
        ids=[link.get("href", "").partition("#")[0]],
        abstract=" ".join(inner(found) for found in (() if card is None else _outermost(card, "p"))),
        votes=int(votes) if votes.isdecimal() and len(votes) < 9 else None,
        source="huggingface",
    )


def _arxiv_listing(page: Element) -> Iterator[Paper | BadRecord]:
    """Yield the entries of arXiv's listings: a `dt` with the id, a `dd` with the rest."""
    seen: set[Element] = set()
    for term in page.iterfind(".//dl/dt"):
        if term in seen:
            continue
        seen.update(term.iter("dt"))
        told = next((link.get("href", "") for link in term.iterfind(".//a") if "/abs/" in link.get("href", "")), "")
        body = term.getnext()
        if told and body is not None and body.tag == "dd":
            seen.update(body.iter("dt"))
            yield from _attempt(lambda pair: _listed(*pair), (told, body), term.sourceline)


def _listed(link: str, body: Element) -> Paper:
    def told(name: str) -> str:
        return _LISTED.sub("", next((inner(found) for found in body.iter() if name in _classes(found)), ""))

    abstract = next((inner(found) for found in body.iter("p") if "mathjax" in _classes(found)), "")
    return make_paper(
        title=told("list-title"),
        ids=[f"https://arxiv.org{link}" if link.startswith("/") else link],
        authors=split_authors(told("list-authors")),
        abstract=abstract,
        categories=dict.fromkeys(_SUBJECT.findall(told("list-subjects"))),
        source="arxiv",
        comments=told("list-comments"),
    )


def _described(page: Element) -> Iterator[Paper | BadRecord]:
    """Yield the one paper that a page describes to search engines, with the names Google Scholar reads."""
    told: dict[str, list[str]] = {}
    for meta in page.iterfind(".//meta[@name]"):
        told.setdefault(meta.get("name").lower(), []).append(html.unescape(meta.get("content") or "").strip())
    for cell in page.iter("td"):  # arXiv's page of a paper says more to its readers than to search engines
        for name in {"subjects", "comments"}.intersection(_classes(cell)):
            if f"arxiv {name}" not in told:
                told[f"arxiv {name}"] = [inner(cell)]
    if told.get("citation_title"):
        yield from _attempt(_from_meta, told, 1)


def _from_meta(told: dict[str, list[str]]) -> Paper:
    def first(*names: str) -> str:
        return next((said for name in names for said in told.get(name, ()) if said), "")

    ids = [
        f"arXiv:{first('citation_arxiv_id')}",
        first("citation_doi", "dc.identifier"),
        f"pmid:{first('citation_pmid')}",
    ]
    link = first("citation_abstract_html_url", "citation_public_url", "og:url")
    return make_paper(
        title=first("citation_title"),
        ids=[*ids, link],
        authors=told.get("citation_author") or split_authors(first("citation_authors")),
        abstract=first("citation_abstract", "dc.description"),
        url=page_of([*ids, link], link),
        published=day(first("citation_date", "citation_publication_date", "citation_online_date", "dc.date")),
        categories=dict.fromkeys(_SUBJECT.findall(first("arxiv subjects"))),
        comments=first("arxiv comments"),
        source="arxiv" if first("citation_arxiv_id") else "web",
        pdf=first("citation_pdf_url"),
    )


def _attempt(read: Any, record: Any, line: int | None) -> Iterator[Paper | BadRecord]:
    try:
        yield read(record)
    except NotAPaper as error:
        yield bad_record(line or 1, str(error), str(record))


# A page may nest what it likes, hundreds deep: whatever is read whole must lie outside of one another, so that no part
# of the page is read more than once.


def _outermost(within: Element, tag: str) -> Iterator[Element]:
    depth = 0
    for event, found in etree.iterwalk(within, events=("start", "end"), tag=tag):
        if event == "start" and depth == 0:
            yield found
        depth += 1 if event == "start" else -1


def _innermost(within: Element, tag: str) -> Iterator[Element]:
    begun = None
    for event, found in etree.iterwalk(within, events=("start", "end"), tag=tag):
        if event == "start":
            begun = found
        elif found is begun:
            yield found


def _classes(element: Element) -> list[str]:
    return (element.get("class") or "").split() if isinstance(element.tag, str) else []
