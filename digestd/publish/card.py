"""A paper as it is shown: one value with every text of a card, ready for a template.

Whatever a record holds, a card is small: long texts are cut, long lists folded, and a paper of megabytes
costs no more than any other. No markup here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from digestd.match.text import clean, plain
from digestd.model import Field, Paper
from digestd.publish.links import Link, links_in, paper_links, paper_url, search_url
from digestd.publish.marks import Run, of_field, runs, spans
from digestd.publish.plaintext import starred

# What is shown of a text. An abstract of 1,200 characters is a screen and a half on a telephone.
LONGEST_ABSTRACT = 1_200
LONGEST_TITLE = 300
LONGEST_NAME = 80
_SHOWN_AUTHORS = 4
_SHOWN_AUTHORS_OF_MANY = 3
_SHOWN_QUERIES = 6

UNTITLED = "Untitled"

# What is read of a record before anything else is done with it, so that no record can be expensive.
_READ_ABSTRACT = 12_000
_READ_AUTHORS = 200
_READ_NAME = 400
_READ_TITLE = 2_000

_SENTENCE_END = re.compile(r"[.!?][\"'”’)\]]*(?=\s+[^\sa-z])|[。！？]")

_SOURCES: Final = MappingProxyType(
    {
        "arxiv": "arXiv",
        "biorxiv": "bioRxiv",
        "huggingface": "Hugging Face",
        "medrxiv": "medRxiv",
        "pubmed": "PubMed",
        "semanticscholar": "Semantic Scholar",
    }
)

# strftime follows the locale of the process; a mail does not.
MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


@dataclass(frozen=True, slots=True)
class Card:
    """All that a card shows. Empty texts are for the template to leave out.

    `title` and `abstract` are cut into runs for the HTML part; `title_text` and `abstract_text` are the same for the
    text part, with *stars*. `why` holds the queries that hit, heaviest first, as the reader wrote them. `also` are
    near-copies.
    """

    title: tuple[Run, ...]
    title_text: str
    url: str
    byline: str
    facts: str
    abstract: tuple[Run, ...]
    abstract_text: str
    why: tuple[str, ...]
    links: tuple[Link, ...]
    also: tuple[TitleLine, ...]


@dataclass(frozen=True, slots=True)
class TitleLine:
    """A paper that has only a line: its title and where that leads."""

    title: str
    url: str


def card(paper: Paper, queries: tuple[str, ...], also: tuple[Paper, ...] = ()) -> Card:
    """Return the card of a paper that `queries` hit, heaviest first, with its near-copies `also`."""
    known = _known(paper)
    found = spans(known.paper, queries)
    title = runs(known.title, of_field(found, Field.TITLE))
    abstract = runs(known.abstract, of_field(found, Field.ABSTRACT), known.links_in_abstract)
    return Card(
        title=title,
        title_text=starred(title),
        url=known.url,
        byline=known.byline,
        facts=known.facts,
        abstract=abstract,
        abstract_text=starred(abstract),
        why=why(queries),
        links=known.links,
        also=tuple(map(title_line, also)),
    )


@dataclass(frozen=True, slots=True)
class _Known:
    """What a paper's card says to every reader."""

    paper: Paper
    title: str
    url: str
    byline: str
    facts: str
    abstract: str
    links_in_abstract: tuple[tuple[int, int, str], ...]
    links: tuple[Link, ...]


@lru_cache(maxsize=512)  # a day's papers; each reader's card differs by the marks alone
def _known(paper: Paper) -> _Known:
    authors = len(paper.authors)
    paper = bounded(paper)
    whole_title = plain(paper.title)
    abstract = shorten_to_sentences(plain(paper.abstract or ""), LONGEST_ABSTRACT)
    return _Known(
        paper=paper,
        title=shorten(whole_title, LONGEST_TITLE),
        url=paper_url(paper) or search_url(whole_title),
        byline=byline(paper.authors, authors),
        facts=facts(paper),
        abstract=abstract,
        links_in_abstract=links_in(abstract),
        links=paper_links(paper, whole_title, abstract),
    )


def title_line(paper: Paper) -> TitleLine:
    """Return the one line of a paper past the cap."""
    title = title_shown(paper.title)
    return TitleLine(title, paper_url(paper) or search_url(title))


# Asked for each edition several times: by the subject, the preheader and the lines of titles.
@lru_cache(maxsize=4096)
def title_shown(title: str) -> str:
    """Return a paper's title as every part of a mail shows it."""
    return shorten(plain(clean(title[:_READ_TITLE])), LONGEST_TITLE) or UNTITLED


def day_in_words(day: date) -> str:
    """Return `19 May 2026`."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def byline(authors: tuple[str, ...], number: int) -> str:
    """Return `A. One, B. Two and C. Three`, or the first few `and 12 more` of `number` in all; "" for none known."""
    shown = _SHOWN_AUTHORS if number <= _SHOWN_AUTHORS else _SHOWN_AUTHORS_OF_MANY
    names = [shorten(plain(name), LONGEST_NAME) for name in authors[:shown]]
    if number > len(names):
        names.append(f"{number - len(names):,} more")
    return listed(names)


def facts(paper: Paper) -> str:
    """Return when and where a paper appeared and how many voted for it, as far as known."""
    parts = []
    if paper.published:
        parts.append(day_in_words(paper.published))
    if paper.source:
        parts.append(_SOURCES.get(paper.source, paper.source))
    if paper.votes is not None:
        parts.append(f"{paper.votes:,} vote{'' if paper.votes == 1 else 's'}")
    return " · ".join(parts)


def why(queries: tuple[str, ...]) -> tuple[str, ...]:
    """Return the queries as they are shown, heaviest first, the long ones cut and the many folded."""
    shown = tuple(shorten(clean(query[:_READ_NAME]), LONGEST_NAME) for query in queries[:_SHOWN_QUERIES])
    return (*shown, f"{len(queries) - _SHOWN_QUERIES} more") if len(queries) > _SHOWN_QUERIES else shown


def listed(names: list[str]) -> str:
    """Return `one, two and three`."""
    *others, last = names or [""]
    head = ", ".join(others)
    return f"{head} and {last}" if head and last else head or last


def shorten(text: str, limit: int) -> str:
    """Return `text`, cut before a word and marked with `…` if it has more than `limit` characters."""
    if len(text) <= limit:
        return text
    head = text[:limit]
    at_word, _, rest = head.rpartition(" ")
    # A text without blanks, or with one long word at its end, is cut inside the word.
    return (at_word if len(rest) < limit // 3 else head[:-1]).rstrip(" ,;:.-–—") + "…"


def shorten_to_sentences(text: str, limit: int) -> str:
    """Return the whole sentences of `text` that fit in `limit` characters, and ` …` if there were more.

    The result begins as `text` does, so that positions in it stay true. When the first sentences are too long to
    leave half of the room in use, the last one is cut before a word.
    """
    if len(text) <= limit:
        return text
    end = max((hit.end() for hit in _SENTENCE_END.finditer(text, 0, limit)), default=0)
    return text[:end] + " …" if end >= limit // 2 else shorten(text, limit)


def bounded(paper: Paper) -> Paper:
    """Return the paper with no more of it than can be shown, and clean, whatever the record held."""
    return replace(
        paper,
        title=clean(paper.title[:_READ_TITLE]) or UNTITLED,
        authors=tuple(clean(name[:_READ_NAME]) for name in paper.authors[:_READ_AUTHORS]),
        abstract=clean(paper.abstract[:_READ_ABSTRACT]) if paper.abstract else None,
        source=shorten(clean(paper.source[:_READ_NAME]), LONGEST_NAME),
    )
