"""Lists of papers in Markdown: tables with a link in each row, headings and list lines that link to a paper.

A heading's or a line's paragraph is its abstract. Lines without a link are prose of the page, not papers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

from digestd.ingest.authors import split_authors
from digestd.ingest.dates import day
from digestd.ingest.formats import huggingface_page
from digestd.ingest.identity import NotAPaper, bad_record, canonical_id, make_paper, page_of
from digestd.ingest.markup import html_text
from digestd.model import BadRecord, Paper

NAME = "markdown"
LONGEST_LINE = 200_000  # characters; what is longer is nobody's list

_LINK = re.compile(
    r"!?\[(?P<text>(?:[^][]|\[[^][]*\])*)\]\(\s*<?(?P<url>[^()\s<>]*(?:\([^()\s]*\)[^()\s<>]*)*)>?(?:\s+\"[^\"]*\")?\s*\)"
)
_BARE = re.compile(r"https?://[^\s|<>\])]+")
_HEADING = re.compile(r"#{1,6}\s+(?:\d+[.)]\s+)?(?P<rest>.+)")
_LISTED = re.compile(r"(?:[-*+]|\d{1,4}[.)])\s+(?:\[[ xX]\]\s+)?(?P<rest>\S.*)")
_RULE = re.compile(r"\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?")
_CELL = re.compile(r"(?<!\\)\|")
_MARKS = re.compile(r"\*\*|__|~~|`|(?<!\w)[*_](?=\S)|(?<=\S)[*_](?!\w)")
_AUTHORS = re.compile(r"(?:[-*+]\s+)?\W*(?:authors?|by)\W*:\W*(?P<rest>.+)", re.IGNORECASE)
_FACT = re.compile(
    r"(?:[-*+]\s+)?[*_]*(?P<name>published|date|categories|category|code|project(?: page)?|comments?|abstract|summary"
    r"|tl;?dr|pdf|paper|arxiv|links?|url|doi|venue|tags?|keywords?)[*_]*\s*:[*_]*\s*(?P<rest>.*)",
    re.IGNORECASE,
)
_SAME_FACT = MappingProxyType({"published": "date", "category": "categories", "comment": "comments"})
_COLUMNS = (
    ("date", "date"),
    ("publish", "date"),
    ("title", "title"),
    ("paper", "title"),
    ("author", "authors"),
    ("abstract", "abstract"),
    ("summary", "abstract"),
    ("categor", "categories"),
    ("comment", "comments"),
)
_DATED = re.compile(r"[\W_]{0,9}(?P<day>\d{4}[-./]\d{1,2}(?:[-./]\d{1,2})?)(?!\d)[\W_]{0,9}?(?=[\[\w\"“*])")
_QUOTED = re.compile(r"[\"“](?P<said>[^\"”]+)[\"”]")
_BOLD = re.compile(r"\*\*(?P<said>[^*]+)\*\*")
_EMPTY = re.compile(r"\[[\s,|/]*\]|\([\s,|/]*\)")  # what is left of brackets round links
_TRIM = " -–—:,.;|"
FEW_WORDS = 12  # beside a title they are a venue and names, and no abstract
# Pages of papers that carry no id.
_PUBLISHERS = (
    *("openreview.net/", "aclanthology.org/", "proceedings.mlr.press/", "papers.nips.cc/", "proceedings.neurips.cc/"),
    *("openaccess.thecvf.com/", "ieeexplore.ieee.org/", "dl.acm.org/", "jmlr.org/papers", "ojs.aaai.org/"),
    *("sciencedirect.com/science/article", "link.springer.com/", "nature.com/articles", "semanticscholar.org/paper"),
    *("usenix.org/conference", "isca-archive.org/", "ecva.net/papers", "science.org/doi", "pnas.org/doi"),
)
_CODE = ("github.com", "gitlab.com", "huggingface.co/spaces", "bitbucket.org", "codeberg.org")


@dataclass(slots=True)
class _Draft:
    """What has been read of one paper so far."""

    line: int
    title: str
    links: list[str]
    told: dict[str, str] = field(default_factory=dict)
    prose: list[str] = field(default_factory=list)
    is_listed: bool = False
    indent: int = 0


def recognise(head: str) -> bool:
    """Return whether a table's row, a heading or a list's line links to a paper; not for the page of Hugging Face."""
    lines = [" ".join(line.split()) for line in head.split("\n") if len(line) < LONGEST_LINE]
    if any(_row(line) is not None and _links(line) for line in lines):
        return True
    drafts = [draft for line in lines if (draft := _begun(line, 0))]
    ours = [draft for draft in drafts if not any("/papers/" in link for link in draft.links)]
    return bool(ours if huggingface_page.recognise(head) else drafts)


def parse(lines: Iterator[str], modified: date) -> Iterator[Paper | BadRecord]:
    """Yield a paper for each row, heading or line that links to one."""
    draft: _Draft | None = None
    columns: list[str] = []
    before: list[str] = []
    for number, raw in enumerate(lines, 1):
        line = " ".join(raw.split()).strip("\ufeff ")
        if len(line) > LONGEST_LINE:
            yield bad_record(number, f"a line longer than {LONGEST_LINE:,} characters", line)
            continue
        cells = _row(line)
        if cells is not None:
            if draft:
                yield _result(draft)
                draft = None
            if _RULE.fullmatch(line):
                columns = [_column(cell) for cell in before]
            elif row := _tabled(cells, columns, number):
                yield _result(row)
            before = cells
            continue
        if line:
            columns, before = [], []
        begun = _begun(line, number)
        indent = len(raw) - len(raw.lstrip())
        ends = bool(begun or _HEADING.match(line) or line.startswith(("---", "***", "===")))
        ends |= bool(_LISTED.match(line) and draft and draft.is_listed and indent <= draft.indent)
        if draft and ends:
            yield _result(draft)
        if begun:
            begun.indent, begun.is_listed = indent, not _HEADING.match(line)
        if ends:
            draft = begun
        elif draft and line:
            _take(draft, line)
    if draft:
        yield _result(draft)


def _begun(line: str, number: int) -> _Draft | None:
    """Return the draft that a heading or a list's line begins, None where it links to no paper."""
    heading = _HEADING.match(line)
    listed = None if heading else _LISTED.match(line)
    found = heading or listed
    if not found:
        return None
    rest = found["rest"].rstrip("# ")
    links = _links(rest)
    leads = heading and (named := _LINK.match(_MARKS.sub("", rest))) and not _is_code(named["url"])
    if not links or not (leads or any(map(_is_paper, links))):
        return None
    dated = _DATED.match(rest)
    title, text = _titled(rest[dated.end() :] if dated else rest)
    draft = _Draft(number, title, links, {"date": dated["day"]} if dated else {})
    if listed and text and len(text.split()) < FEW_WORDS:
        draft.told["comments"] = text
    elif listed and text:
        _take(draft, text)
    return draft


def _titled(rest: str) -> tuple[str, str]:
    """Return the title that a line tells, and what it tells beside it.

    It is what the first link says, unless that is no more than `paper`; then what stands in quotes or bold, or all.
    """
    named = next((found for found in _LINK.finditer(rest) if not found[0].startswith("!")), None)
    title = _shown(named["text"]).strip("[] ") if named else ""
    words = _EMPTY.sub("", _BARE.sub("", _LINK.sub("", rest)))
    plain = _MARKS.sub("", words).strip(_TRIM)
    if named and not canonical_id(title) and (len(title.split()) > 1 or len(plain.split()) < 2):
        return title, plain
    for marked in (_QUOTED.match(rest), _BOLD.search(words)):
        said = _shown(marked["said"]).strip(" .,") if marked else ""
        if marked and len(said.split()) > 1 and not day(said):
            return said, _MARKS.sub("", words.replace(marked[0], " ", 1)).strip(_TRIM)
    return plain, ""


def _is_paper(link: str) -> bool:
    return canonical_id(link) is not None or any(host in link for host in _PUBLISHERS)


def _is_code(link: str) -> bool:
    return any(host in link for host in _CODE)


def _take(draft: _Draft, line: str) -> None:
    """Take a line below a paper's title: a fact with its name, links, or prose of its abstract."""
    draft.links += _links(line)
    if (authors := _AUTHORS.fullmatch(line)) and "authors" not in draft.told:
        draft.told["authors"] = _shown(authors["rest"])
    elif fact := _FACT.fullmatch(line):
        name = fact["name"].lower()
        if name in ("abstract", "summary", "tldr", "tl;dr"):
            draft.prose.append(_shown(fact["rest"]))
        else:
            draft.told.setdefault(_SAME_FACT.get(name, name), _shown(fact["rest"]))
    elif _LINK.sub("", _BARE.sub("", line)).strip(" *_|-·•[]()>"):
        draft.prose.append(_shown(line.lstrip("> ")))


def _tabled(cells: list[str], columns: list[str], number: int) -> _Draft | None:
    """Return the draft of a table's row, None where it links to nothing."""
    named = dict(zip(columns, cells, strict=False)) if len(columns) == len(cells) else {}
    links = [link for cell in cells for link in _links(cell)]
    if not links:
        return None
    told = {name: _shown(cell) for name, cell in named.items() if name}
    if "title" not in told:
        if not any(map(_is_paper, links)):
            return None
        texts = [_shown(cell) for cell in cells]
        told["title"] = max((text for text in texts if not canonical_id(text)), key=len, default="")
        told.setdefault("date", next((text for text in texts if day(text) and len(text) < 20), ""))
    return _Draft(number, told.pop("title"), links, told, [told.pop("abstract")] if told.get("abstract") else [])


def _result(draft: _Draft) -> Paper | BadRecord:
    ids = [*draft.links, draft.told.get("doi", ""), draft.told.get("arxiv", "")]
    code = next(filter(_is_code, draft.links), None)
    own = [link for link in draft.links if link != code]
    try:
        return make_paper(
            title=draft.title,
            ids=ids,
            authors=split_authors(draft.told.get("authors", "").replace("et.al", "et al")),
            abstract=" ".join(draft.prose),
            url=page_of(ids, next(iter(own or draft.links), None)),
            published=day(draft.told.get("date")),
            categories=re.split(r"[\s,;]+", draft.told.get("categories", "")),
            source=NAME,
            comments=draft.told.get("comments"),
            pdf=next((link for link in own if "/pdf/" in link or link.endswith(".pdf")), None),
            code=code,
        )
    except NotAPaper as error:
        return bad_record(draft.line, str(error), draft.title or " ".join(draft.links))


def _row(line: str) -> list[str] | None:
    line = line.strip()
    if not line.startswith("|") or line.count("|") < 3:
        return None
    return [cell.strip().replace("\\|", "|") for cell in _CELL.split(line)[1 : -1 if line.endswith("|") else None]]


def _column(cell: str) -> str:
    folded = cell.lower()
    return next((name for word, name in _COLUMNS if word in folded), "")


def _links(text: str) -> list[str]:
    named = [found["url"] for found in _LINK.finditer(text) if not found[0].startswith("!")]
    return [link for link in (*named, *_BARE.findall(_LINK.sub(" ", text))) if link.startswith("http")]


def _shown(text: str) -> str:
    """Return Markdown as it reads: links by their words, without marks of emphasis and HTML."""
    words = _LINK.sub(lambda found: "" if found[0].startswith("!") else found["text"], text)
    return html_text(_MARKS.sub("", words))
