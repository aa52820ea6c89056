"""The Hugging Face papers page, as text pasted or exported from a browser.

The clean form is a short head and then pairs: title, blank line, abstract. Exports add menus, votes, authors
counts and links between the lines. The page has no grammar, so lines are sorted into noise, facts and text,
and text into titles and abstracts by their shape; what does not pair up is a bad record with its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime

from digestd.errors import FileRefused
from digestd.ingest.identity import NotAPaper, canonical_id, make_paper
from digestd.match.text import title_key
from digestd.model import BadRecord, Paper

NAME = "huggingface"

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(rf"(?:published on\s+)?({'|'.join(_MONTHS)})[a-z]*\.? (\d{{1,2}})(?:, (\d{{4}}))?", re.IGNORECASE)
_HEAD = re.compile(
    r"get trending papers in your email inbox|by\s*ak and the research community|^\W*(daily|trending) papers\W*$"
    r"|huggingface\.co/papers/",
    re.IGNORECASE | re.MULTILINE,
)
_MENU = frozenset(
    """
    new/subscribe/hugging face/hugging face's logo/models/datasets/spaces/buckets/community/docs/enterprise/pricing
    posts/log in/sign up/papers/daily papers/trending papers/daily/weekly/monthly/trending/previous/next/search/upvote
    pdf/view pdf/github/project page/paper/arxiv page/view arxiv page/add to collection/author/authors/comments/stars
    go to previous day/go to next day/get trending papers in your email inbox!/get trending papers in your email inbox
    by ak and the research community/byak and the research community
    """.strip()
    .replace("\n    ", "/")
    .split("/")
) | {"daily / weekly / monthly"}
_NOISE = re.compile(
    r"[-–—·•|*#_=>\s\d.,%k★⭐▲↑]+|!\[[^\]]*\]\([^)]*\)|(?:·\s*)?\d+ (?:authors?|comments?|stars?|upvotes?)|@[\w-]+"
    r"|submitted by\b.*",
    re.IGNORECASE,
)
_SUBMITTED = re.compile(r"submitted by\W*", re.IGNORECASE)
_VOTES = re.compile(r"\d{1,6}")
_LINK = re.compile(r"<?(https?://\S+?|/papers/\S+?)>?")
_MARKDOWN = re.compile(r"(?:#{1,6}\s+|[-*]\s+)?\[(?P<text>.+)\]\((?P<link>[^()\s]+)\)")
_SENTENCES = re.compile(r"[a-z0-9)\]%'\"]{2}[.?!] +[A-Z(\[\"'\\]")
_ENDED = re.compile(r"""[.!?:)\]}"'*$]$|https?://\S+$""")
LONG = 200  # characters; a line of more is an abstract: the longest titles of the page have about 180


@dataclass(slots=True)
class _Draft:
    """What has been read of one paper so far."""

    line: int
    title: str
    abstract: str | None = None
    links: list[str] = field(default_factory=list)
    votes: int | None = None


def recognise(head: str) -> bool:
    """Return whether the page's own lines stand in the first forty; those that are JSON are another format's."""
    lines = [line.strip() for line in head.splitlines()[:40]]
    return bool(_HEAD.search("\n".join(line for line in lines if not line.startswith(("{", "[{")))))


def parse(lines: Iterator[str], modified: date) -> Iterator[Paper | BadRecord]:
    """Yield the page's papers; one that stands there twice comes once, with its longer abstract."""
    drafts, bad, published, last = _read(lines, modified)
    if last is not None and drafts and not last.endswith("\n"):
        newest = drafts[-1]
        if not newest.abstract or not _ENDED.search(newest.abstract):
            raise FileRefused(f"it breaks off in the middle of the paper at line {newest.line}; it looks half-written")
    for draft in _once(drafts):
        ids = [link for link in draft.links if canonical_id(link)]
        if not draft.abstract and not ids:
            bad.append(BadRecord(draft.line, "a title without an abstract or a link", draft.title[:200]))
            continue
        try:
            yield make_paper(
                title=draft.title,
                ids=ids,
                abstract=draft.abstract,
                published=published,
                source=NAME,
                votes=draft.votes,
            )
        except NotAPaper as error:
            bad.append(BadRecord(draft.line, str(error), draft.title[:200]))
    yield from sorted(bad, key=lambda record: record.line)


def _read(lines: Iterator[str], modified: date) -> tuple[list[_Draft], list[BadRecord], date | None, str | None]:
    """Return the drafts, the lines that fit nowhere, the page's date, and the last line that is not blank."""
    drafts: list[_Draft] = []
    bad: list[BadRecord] = []
    published: date | None = None
    votes: int | None = None
    last: str | None = None
    for block in _blocks(lines):
        last = block[-1][1]
        texts = {number: (text, link) for number, text, link in _texts(block)}
        for number, raw in block:
            line = raw.strip()
            if number in texts:
                text, link = texts[number]
                _place(number, text, link, votes, drafts, bad)
                votes = None if drafts and drafts[-1].line == number else votes
            elif (day := _day(line, modified)) is not None:
                published = published or day
            elif named := _LINK.fullmatch(line):
                if drafts:
                    drafts[-1].links.append(named[1])
            elif _VOTES.fullmatch(line) and not (drafts and drafts[-1].abstract is None):
                votes = int(line)  # a number below a title counts its comments
    return drafts, bad, published, last


def _place(
    number: int, text: str, link: str | None, votes: int | None, drafts: list[_Draft], bad: list[BadRecord]
) -> None:
    """Take a text as the abstract of the title before it, or as the next title."""
    waiting = bool(drafts) and drafts[-1].abstract is None
    if waiting and (_is_prose(text) or text.endswith(".")):
        drafts[-1].abstract = text
    elif _is_prose(text):
        bad.append(BadRecord(number, "an abstract without a title before it", text[:200]))
    else:
        drafts.append(_Draft(number, text, links=[link] if link else [], votes=votes))


def _blocks(lines: Iterator[str]) -> Iterator[list[tuple[int, str]]]:
    """Yield runs of lines without a blank between them, each line with its number."""
    block: list[tuple[int, str]] = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            block.append((number, line))
        elif block:
            yield block
            block = []
    if block:
        yield block


def _texts(block: list[tuple[int, str]]) -> Iterator[tuple[int, str, str | None]]:
    """Yield the titles and abstracts of a block, wrapped lines joined, with the first line's number and link."""
    kept: list[tuple[int, str]] = []
    user_follows = False
    for number, raw in block:
        line = raw.strip()
        alone = bool(_SUBMITTED.fullmatch(line))
        if not (user_follows or alone or _is_noise(line)):
            kept.append((number, line))
        user_follows = alone
    if not kept:
        return
    whole = " ".join(line for _, line in kept)
    if _is_wrapped_prose([line for _, line in kept], whole):
        yield kept[0][0], whole, None
        return
    title: list[tuple[int, str]] = []
    for number, line in kept:
        if _is_prose(line):
            if title:
                yield _title(title)
                title = []
            yield number, line, None
        else:
            title.append((number, line))
    if title:
        yield _title(title)


def _title(wrapped: list[tuple[int, str]]) -> tuple[int, str, str | None]:
    """Return a title of one or more lines, without its Markdown."""
    text = " ".join(line for _, line in wrapped)
    found = _MARKDOWN.fullmatch(text)
    return (wrapped[0][0], found["text"], found["link"]) if found else (wrapped[0][0], text, None)


def _is_wrapped_prose(lines: list[str], whole: str) -> bool:
    """Return whether lines without a blank between them are one abstract that was wrapped.

    A title right above its abstract is not: there the lines end where a sentence or the title does.
    """
    full = max(map(len, lines)) * 0.6  # a wrapped line is full, but for the last one
    return (
        len(lines) > 1
        and _is_prose(whole)
        and all(full < len(line) < LONG for line in lines[:-1])
        and not _MARKDOWN.match(lines[0])
    )


def _is_prose(text: str) -> bool:
    """Return whether a text is an abstract by its shape: long, or whole sentences."""
    if len(text) >= LONG:
        return True
    return bool(_SENTENCES.search(text) and text[-1] in ".!?") or (text.endswith(".") and len(text.split()) >= 8)


def _is_noise(line: str) -> bool:
    folded = line.lower().strip("*#> ")
    return folded in _MENU or any(kind.fullmatch(line) for kind in (_NOISE, _DATE, _LINK))


def _day(line: str, modified: date) -> date | None:
    """Return the page's date; without a year it is the newest such day that is not after `modified`."""
    found = _DATE.fullmatch(line)
    if not found:
        return None
    month = [name.lower() for name in _MONTHS].index(found[1].lower()) + 1
    # eight years back: as far as the next 29 February may be
    years = [int(found[3])] if found[3] else list(range(modified.year, modified.year - 9, -1))
    for year in years:
        try:
            day = datetime(year, month, int(found[2])).date()  # noqa: DTZ001 - a day of a page, of no zone
        except ValueError:
            continue
        if found[3] or day <= modified:
            return day
    return None


def _once(drafts: list[_Draft]) -> list[_Draft]:
    """Join drafts of one title: the first place, the longest abstract, every link."""
    found: dict[str, _Draft] = {}
    for draft in drafts:
        known = found.setdefault(title_key(draft.title) or f"line {draft.line}", draft)
        if known is not draft:
            known.abstract = max(known.abstract or "", draft.abstract or "", key=len) or None
            known.links += draft.links
            known.votes = known.votes if known.votes is not None else draft.votes
    return list(found.values())
