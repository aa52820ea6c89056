"""What a line of the Hugging Face papers page is: its shape tells a fact, noise of the page, or text.

Pure tables and tests of one line or one block; `huggingface_page` puts the papers together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum, auto
from itertools import pairwise
from typing import NamedTuple

LONG = 200  # characters; a line of more is an abstract: the longest titles of the page have about 180
WRAPPED = 40  # characters; nobody wraps at less
LONGEST_PARAGRAPH = 60  # lines; the longest abstracts have 1,920 characters, and nobody wraps at less than WRAPPED
HEAD_LINES = 120  # an export's site menu may stand before the page's own lines, with blanks between

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE = re.compile(
    rf"(?P<paper>(?:·\s*)?published on\s+|·\s*)?(?P<month>{'|'.join(_MONTHS)})[a-z]*\.? (?P<day>[0-9]{{1,2}})"
    r"(?:, (?P<year>[0-9]{4}))?",
    re.IGNORECASE,
)
_HEAD = re.compile(
    r"get trending papers in your email inbox|by\s*ak\s*and the research community", re.IGNORECASE | re.MULTILINE
)
# Words that other pages have too; in a page whose papers stand in a table they say nothing.
_HINT = re.compile(r"^\W*(daily|trending) papers\W*$|huggingface\.co/papers/", re.IGNORECASE | re.MULTILINE)
# What stands on the page around its papers, and with each of them, in lower case.
_SITE = frozenset({
    "new", "subscribe", "hugging face", "hugging face's logo",
    "your daily dose of ai research from ak", "models", "datasets", "spaces", "buckets", "community",
    "docs", "enterprise", "pricing", "posts", "log in", "sign up", "papers", "daily papers", "trending papers",
    "by", "ak", "daily", "weekly", "monthly", "daily / weekly / monthly", "trending", "previous", "next", "search",
    "paper", "company", "tos", "privacy", "about", "careers", "website", "jobs", "press", "blog", "forum", "author",
    "© hugging face", "terms of service", "privacy policy", "system theme", "authors", "comments", "stars",
    "go to previous day", "go to next day",
    "get trending papers in your email inbox", "get trending papers in your email inbox!",
    "get trending papers in your email inbox once a day!", "byak", "by ak", "and the research community",
    "by ak and the research community", "byak and the research community", "byakand the research community",
})  # fmt: skip
_OF_A_PAPER = frozenset({
    "upvote", "pdf", "view pdf", "github", "project page", "arxiv page", "view arxiv page", "add to collection",
})  # fmt: skip
_COUNT = r"[\d.,]+k?\s*(?:authors?|comments?|stars?|upvotes?)"
_NOISE = re.compile(
    r"[-–—·•|*#_=>\s\d.,%k★⭐▲↑]+|!\[[^\]]*\]\([^)]*\)|github\s*[★⭐]?\s*[\d.,]+k?|week \d+(?:, \d{4})?|@[\w-]+"
    rf"|submitted by\b.*|[·•|\s]*{_COUNT}(?:[·•|\s]+{_COUNT})*[·•|\s]*",
    re.IGNORECASE,
)
_AUTHORS = re.compile(r"[·•|\s]*[\d,]+\s*authors?[·•|\s]*", re.IGNORECASE)
_SUBMITTED = re.compile(r"submitted by\W*", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,6}")
_LINK = re.compile(r"<?(https?://\S+?|/papers/\S+?|arxiv:\s?[\w./-]+?)>?", re.IGNORECASE)
_MARKDOWN = re.compile(r"(?:#{1,6}\s+|[-*]\s+)?\[(?P<text>.+)\]\((?P<link>[^()\s]+)\)")
_HEADING = re.compile(r"#{1,6}\s+")
# "vs. Humans" and "et al. A" end no sentence
_SENTENCES = re.compile(r"[a-z0-9)\]%'\"]{2}(?<!\bvs)(?<!\bal)[.?!] +[A-Z(\[\"'\\]")
_CUT_BEHIND = re.compile(r"\w--?$")
_CUT_BEFORE = re.compile(r"--\w")
_LONE_PREFIX = re.compile(r"(?:and|or|to)\s")  # "pre- and post-training" was not cut
_ENDED = re.compile(r"""[.!?:)\]}"'*$]$|https?://\S+$""")


class Line(NamedTuple):
    """A line of the file: its number from 1, its stripped text, and that number again where it lacks its newline."""

    number: int
    text: str
    unended: int | None


class Kind(Enum):
    """What a piece of the page is."""

    TEXT = auto()  # a title or an abstract
    LINK = auto()
    DATE = auto()
    NUMBER = auto()  # votes or comments
    USER = auto()  # who submitted the next paper
    AUTHORS = auto()  # how many a paper has
    NOISE = auto()


@dataclass(frozen=True, slots=True)
class Piece:
    """One or more lines that belong together.

    `link` is where a title in Markdown points; `unended` is the number of a last line without its newline.
    """

    kind: Kind
    line: int
    text: str
    link: str | None = None
    unended: int | None = None


def is_head(head: str) -> bool:
    """Return whether the page's own lines stand among the first ones; a record that links to it is none of them."""
    lines = [line.strip() for line in head.split("\n")[:HEAD_LINES]]
    text = "\n".join(line for line in lines if not line.startswith(("{", "[{", "<")))
    table = any(line.startswith("|") and line.endswith("|") and "](http" in line for line in lines)
    return bool(_HEAD.search(text)) or (bool(_HINT.search(text)) and not table)


def is_prose(text: str) -> bool:
    """Return whether a text is an abstract by its shape: long, or whole sentences."""
    if len(text) >= LONG:
        return True
    words = len(text.split())
    return (words >= 8 and text.endswith(".")) or (words >= 16 and text[-1:] in "!?" and bool(_SENTENCES.search(text)))


def is_ended(text: str) -> bool:
    """Return whether an abstract does not break off: it ends in a sign that ends a sentence, or in a link."""
    return bool(_ENDED.search(text))


def is_of_a_paper(text: str) -> bool:
    """Return whether a date line tells when a paper was published, not of which day the page is."""
    found = _DATE.fullmatch(text)
    return bool(found and found["paper"])


def day(text: str, modified: date) -> date | None:
    """Return the day of a date line; without a year it is the newest such day that is not after `modified`."""
    found = _DATE.fullmatch(text)
    if not found:
        return None
    month = _MONTHS.index(found["month"].lower()) + 1
    # eight years back: as far as the last 29 February may be
    years = [int(found["year"])] if found["year"] else list(range(modified.year, modified.year - 9, -1))
    for year in years:
        try:
            told = date(year, month, int(found["day"]))
        except ValueError:
            continue
        if found["year"] or told <= modified:
            return told
    return None


def blocks(lines: Iterator[str]) -> Iterator[list[Line]]:
    """Yield runs of lines without a blank between them."""
    block: list[Line] = []
    for number, line in enumerate(lines, 1):
        if text := line.strip():
            block.append(Line(number, text, None if line.endswith("\n") else number))
        elif block:
            yield block
            block = []
    if block:
        yield block


def pieces(block: Sequence[Line], user_follows: bool) -> tuple[list[Piece], bool]:
    """Return the pieces of a block, wrapped lines joined, and whether a user's name must follow.

    `user_follows` is what the block before said: its last line was "Submitted by".
    """
    found: list[Piece] = []
    title: list[Line] = []

    def end_title() -> None:
        if title:
            found.append(_title(title))
            title.clear()

    # a link may be longer than the lines are wide: only one with a blank could have been wrapped
    width = max((len(line.text) for line in block if len(line.text) < LONG and " " in line.text), default=0)
    start = 0
    submitted = False
    while start < len(block):
        if user_follows:
            found.append(Piece(Kind.USER, block[start].number, block[start].text, unended=block[start].unended))
            user_follows, submitted = False, True
            start += 1
            continue
        end = _paragraph(block, start, width)
        if submitted and end - start > 1 and is_prose(block[start + 1].text):
            end = start + 1  # behind the user stands the title; its summary is the next line
        line = block[start]
        kind = _kind(line.text)
        if kind is Kind.NOISE and title and _ends_title(title[-1].text, line.text):
            kind = Kind.TEXT
        if end - start > 1 or (kind is Kind.TEXT and is_prose(line.text)):
            end_title()
            text = joined([one.text for one in block[start:end]])
            found.append(Piece(Kind.TEXT, line.number, text, unended=block[end - 1].unended))
        elif kind is Kind.TEXT:
            title.append(line)
            submitted = False
        else:
            end_title()
            found.append(Piece(kind, line.number, _target(line.text) or line.text, unended=line.unended))
            user_follows = bool(_SUBMITTED.fullmatch(line.text))
        start = end
    end_title()
    return found, user_follows


def joined(lines: Sequence[str]) -> str:
    """Return wrapped lines as one: a word that was cut at a hyphen or a dash is whole again."""
    parts = [lines[0]]
    for before, line in pairwise(lines):
        cut = _CUT_BEHIND.search(before[-3:]) and line[0].isalnum() and not _LONE_PREFIX.match(line)
        parts += [line] if cut or _CUT_BEFORE.match(line) else [" ", line]
    return "".join(parts)


def _paragraph(block: Sequence[Line], start: int, width: int) -> int:
    """Return where the paragraph that begins at `start` ends: one line further, where none was wrapped.

    A line was wrapped when the next one's first word had no room behind it. What such lines hold is no noise,
    were it a lone link or a number, as long as the whole reads as an abstract.
    """
    if width < WRAPPED or _kind(block[start].text) is not Kind.TEXT or _MARKDOWN.match(block[start].text):
        return start + 1
    end = start + 1
    last = min(len(block), start + LONGEST_PARAGRAPH)
    while end < last and len(block[end - 1].text) < LONG and len(block[end].text) < LONG:
        before, line = block[end - 1].text, block[end].text
        had_room = len(before) + 1 + len(line.split()[0]) <= width
        by_hand = line[0].islower() and len(before) > width * 0.6  # a ragged edge, but no sentence begins so
        if (had_room and not by_hand) or (before[-1] in ".!?" and _kind(line) is not Kind.TEXT):
            break
        end += 1
    return end if is_prose(joined([line.text for line in block[start:end]])) else start + 1


def _kind(text: str) -> Kind:
    folded = text.lower().strip("*#> ")
    if _DATE.fullmatch(text):
        return Kind.DATE
    if _target(text):
        return Kind.LINK
    if _NUMBER.fullmatch(text):
        return Kind.NUMBER
    if _AUTHORS.fullmatch(text):
        return Kind.AUTHORS
    return Kind.NOISE if folded in _SITE | _OF_A_PAPER or _NOISE.fullmatch(text) else Kind.TEXT


def _ends_title(before: str, text: str) -> bool:
    """Return whether a word of the site's menu is the wrapped end of a title: ".. Large Language" / "Models"."""
    return len(before) >= WRAPPED and text.lower() in _SITE


def _target(text: str) -> str | None:
    """Return where a line goes that is a link, or one in Markdown whose words are noise: `[arXiv Page](https://…)`."""
    if link := _LINK.fullmatch(text):
        return link[1]
    found = _MARKDOWN.fullmatch(text)
    if found and (found["text"].lower().strip("* ") in _OF_A_PAPER or _NOISE.fullmatch(found["text"])):
        return found["link"]
    return None


def _title(wrapped: Sequence[Line]) -> Piece:
    """Return a title of one or more lines, without its Markdown."""
    text = joined([line.text for line in wrapped])
    found = _MARKDOWN.fullmatch(text)
    name, link = (found["text"], found["link"]) if found else (_HEADING.sub("", text), None)
    return Piece(Kind.TEXT, wrapped[0].number, name, link, wrapped[-1].unended)
