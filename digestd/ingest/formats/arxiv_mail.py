r"""arXiv's announcements by mail: entries between lines of `\\`, also quoted and wrapped anew by a mail program.

An entry is a first line with the id, headers, `\\`, the abstract, and `\\ ( https://arxiv.org/abs/… , 12kb)`; one that
was replaced has no abstract. Several mails may follow each other. Whole messages (`.eml`, mbox) are `mail`'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from digestd.errors import FileRefused
from digestd.ingest.authors import split_authors
from digestd.ingest.dates import day
from digestd.ingest.formats.huggingface_lines import joined
from digestd.ingest.identity import NotAPaper, bad_record, make_paper
from digestd.ingest.reading import half_written
from digestd.model import BadRecord, Paper

NAME = "arxiv-mail"

MAX_ENTRY = 400_000  # characters; the longest author lists have about 100,000

_FIRST = re.compile(r"(?:arxiv\s*:|paper(?:\s*\([^)]*\))?\s*:)\s*(?P<id>\S+)", re.IGNORECASE)
_ENTRY = re.compile(
    r"^[> \t]*\\\\[ \t]*\r?\n(?:[> \t]*\r?\n){0,4}[> \t]*(?:arxiv\s*:|paper(?:\s*\([^)\n]*\))?\s*:)", re.M | re.I
)
_NO_ENTRIES = "Send any comments regarding submissions directly to submitter"
_QUOTE = re.compile(r"(?:>[ \t]?)+")
_RULE = re.compile(r"[-%]{6,}")
_HEADER = re.compile(
    r"(?P<name>Title|Authors?|Categories|Subj-class|Comments?|MSC-class|ACM-class|Report-no|Journal-ref|DOI|License|"
    r"Proxy|Date(?:\s*\([^)]*\))?|From)\s*:(?P<value>.*)|(?P<replaced>replaced with revised version)\s+(?P<day>.*)",
    re.IGNORECASE,
)
_SIZE = re.compile(r"\(\s*\d+\s*kb?\b[^)]*\)?\s*$", re.IGNORECASE)
_VERSION = re.compile(r"v(\d{1,4})\b")
_END = re.compile(r"\\\\\s*\(")


@dataclass(slots=True)
class _Entry:
    """What has been read of one entry. `quoted` says that its lines begin with a mail program's `>`."""

    line: int
    quoted: bool
    name: str = ""
    size: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    abstract: list[str] | None = None

    def header(self, *names: str) -> str:
        return next((value for name, value in self.headers if name in names), "")


def recognise(head: str) -> bool:
    """Return whether an entry begins near the beginning, or the words that arXiv puts above them stand there."""
    return bool(_ENTRY.search(head)) or _NO_ENTRIES in head


def parse(lines: Iterator[str], modified: date) -> Iterator[Paper | BadRecord]:
    """Yield a paper for each entry; one that comes again word by word comes once.

    Raises FileRefused when the last entry breaks off.
    """
    seen: set[int] = set()
    for entry in _entries(lines):
        try:
            paper = _paper(entry)
        except NotAPaper as error:
            yield bad_record(entry.line, str(error), entry.name or entry.header("title"))
            continue
        if hash(paper) not in seen:
            seen.add(hash(paper))
            yield paper


def _entries(lines: Iterator[str]) -> Iterator[_Entry]:
    entry: _Entry | None = None
    number = 0
    for number, raw in enumerate(lines, 1):
        quote = _QUOTE.match(raw)
        line = raw[quote.end() :] if quote and (entry is None or entry.quoted) else raw
        text = line.strip()
        if entry is not None:
            entry.size += len(text)
        if entry is not None and entry.size > MAX_ENTRY:
            raise FileRefused(f"the entry at line {entry.line} is longer than {MAX_ENTRY:,} characters")
        if entry is None:
            if text == "\\\\":
                entry = _Entry(number, bool(quote))
        elif _END.match(text) or (_RULE.fullmatch(text) and (entry.name or entry.headers)):
            yield entry
            entry = None
        elif text == "\\\\":
            if entry.abstract is not None:  # the trailer lost its link
                yield entry
                entry = None
            elif entry.headers:
                entry.abstract = []
        elif entry.abstract is not None:
            entry.abstract.append(text)
        elif text and not _header(entry, text):
            entry = None  # two backslashes in somebody's letter
    if entry is not None and entry.headers:
        raise half_written(number)


def _header(entry: _Entry, text: str) -> bool:
    """Take a line above the abstract. Returns whether an entry may go on so."""
    if not entry.name and not entry.headers:
        first = _FIRST.match(text)
        entry.name = first["id"] if first else ""
        if first:
            return True
    found = _HEADER.match(text)
    if found and found["replaced"]:
        entry.headers.append(("replaced", found["day"]))
    elif found:
        entry.headers.append((" ".join(found["name"].lower().split()), found["value"].strip()))
    elif entry.headers:
        name, value = entry.headers[-1]
        entry.headers[-1] = (name, f"{value} {text}")
    else:
        return bool(entry.name)
    return True


def _paper(entry: _Entry) -> Paper:
    dates = [
        (name, day(_SIZE.sub("", value))) for name, value in entry.headers if name.startswith(("date", "replaced"))
    ]
    versions = [int(found[1]) for name, _ in dates if (found := _VERSION.search(name))]
    lines = [line for line in entry.abstract or () if line]
    abstract = joined(lines) if lines and entry.quoted else " ".join(lines)  # arXiv itself never cuts at a hyphen
    return make_paper(
        title=entry.header("title"),
        ids=[text for text in (_id(entry.name), entry.header("doi").split(" ")[0]) if text],
        authors=split_authors(entry.header("authors", "author")),
        abstract=abstract,
        published=next((told for _, told in dates if told), None),
        categories=entry.header("categories", "subj-class").replace(";", " ").split(),
        source="arxiv",
        version=max(versions, default=None),
        comments=entry.header("comments", "comment"),
    )


def _id(name: str) -> str:
    return f"arXiv:{name}" if name else ""
