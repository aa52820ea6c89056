r"""BibTeX: entries with nested braces, `@string`, `#`, months as macros, `eprint`, `crossref`.

Read by our own few lines: the libraries hold a file whole in memory and leave `#` as it stands. Values are TeX and are
read as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from digestd.errors import FileRefused
from digestd.ingest.dates import day
from digestd.ingest.identity import NotAPaper, bad_record, make_paper, page_of
from digestd.ingest.reading import half_written
from digestd.match.tex import plain
from digestd.model import BadRecord, Paper

NAME = "bibtex"
MAX_ENTRY = 2_000_000  # characters
MAX_VALUE = 200_000  # characters, with macros written out
MAX_MACRO = 2_000  # characters; a macro is the name of a journal
MAX_MACROS = 20_000
MAX_VOLUMES = 20_000
MAX_WAITING = 4_000_000  # characters of entries that wait for the volume they are in
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_BEGIN = re.compile(r"^\s{0,4}@(?P<type>[A-Za-z]+)\s*[{(]", re.MULTILINE)
_FIRST = re.compile(
    r"^\s{0,4}@(?:[A-Za-z]+\s*[{(]\s*(?:[^\s,{}\"=]+\s*)?,|string\s*[{(])", re.MULTILINE | re.IGNORECASE
)
_HEAD = re.compile(r"\s*@(?P<type>[A-Za-z]+)\s*[{(]\s*(?:(?P<key>[^\s,={}\"]+)\s*(?:,|(?=[})]\s*$))|,)?")
_FIELD = re.compile(r"(?:[\s,]|%[^\n]*\n)*(?P<name>[^\s=,{}\"#%]+)\s*=\s*")
_REMARKS = re.compile(r"^[ \t]*%[^\n]*\n", re.MULTILINE)  # biber's comments, on lines of their own
_SIGN = re.compile(r'[{}"\\]')
_WORD = re.compile(r"[^\s,#{}\"()]+")
_JOIN = re.compile(r"\s*#\s*")
_AND = re.compile(r"\s+and\s+", re.IGNORECASE)
_ARXIV = re.compile(r"arxiv[.:]?\s*(\d{4}\.\d{4,5}|[a-z-]+(?:\.[a-z]{2})?/\d{7})(v\d+)?", re.IGNORECASE)
_NO_PAPERS = frozenset({"comment", "preamble", "string"})
_VOLUMES = frozenset({"proceedings", "book", "collection", "reference", "conference"})
_DATES = ("date", "year", "month", "day")


class _Broken(ValueError):
    """An entry that is no BibTeX; the text says why."""


def recognise(head: str) -> bool:
    """Return whether an entry with its key, or a definition, begins a line."""
    return bool(_FIRST.search(head))


def parse(lines: Iterator[str], modified: date) -> Iterator[Paper | BadRecord]:
    """Yield a paper for each entry. Raises FileRefused when the last one has no end."""
    strings = {month: month for month in MONTHS}
    volumes = _Volumes()
    for line, text in _entries(lines):
        try:
            kind, key, fields = _entry(text, strings)
            if kind == "string":
                strings.update((name, value[:MAX_MACRO]) for name, value in fields.items())
                if len(strings) > MAX_MACROS:
                    raise FileRefused(f"line {line}: more than {MAX_MACROS:,} macros")
            elif kind not in _NO_PAPERS:
                yield from volumes.placed(kind, key, _Entry(line, text, fields))
        except _Broken as error:
            yield bad_record(line, str(error), text)
    yield from volumes.left()


@dataclass(frozen=True, slots=True)
class _Entry:
    line: int
    text: str
    fields: dict[str, str]

    def read(self, volume: dict[str, str] | None = None) -> Paper | BadRecord:
        """Return the paper; what it does not say itself about its day comes from the volume it is in."""
        known = volume if volume and not {"date", "year"} & self.fields.keys() else {}
        try:
            return _paper(self.fields | known)
        except NotAPaper as error:
            return bad_record(self.line, str(error), self.text)


class _Volumes:
    """The volumes that entries name by `crossref`: one that stands before its volume, as is usual, waits for it."""

    def __init__(self) -> None:
        self._days: dict[str, dict[str, str]] = {}
        self._waiting: dict[str, list[_Entry]] = {}
        self._size = 0

    def placed(self, kind: str, key: str, entry: _Entry) -> Iterator[Paper | BadRecord]:
        """Yield what can be told now, in the order of the file but for those that waited."""
        named = entry.fields.get("crossref", "").strip().lower()
        if named and named not in self._days and not {"date", "year"} & entry.fields.keys():
            self._size += len(entry.text)
            self._waiting.setdefault(named, []).append(entry)
            if self._size > MAX_WAITING:
                yield from self.left()
            return
        yield entry.read(self._days.get(named))
        if kind.removeprefix("mv") in _VOLUMES and key and len(self._days) < MAX_VOLUMES:
            days = {name: value[:100] for name in _DATES if (value := entry.fields.get(name))}
            self._days.setdefault(key, days)
            for waiting in self._waiting.pop(key, ()):
                self._size -= len(waiting.text)
                yield waiting.read(self._days[key])

    def left(self) -> Iterator[Paper | BadRecord]:
        """Yield what still waits as it stands."""
        waiting, self._waiting, self._size = self._waiting, {}, 0
        for entries in waiting.values():
            for entry in entries:
                yield entry.read()


def _entries(lines: Iterator[str]) -> Iterator[tuple[int, str]]:
    """Yield each entry with its line. One without its closing brace ends where the next begins, and is found broken."""
    begun, depth, size, braced = 0, 0, 0, True
    held: list[str] = []
    number = 0
    for number, line in enumerate(lines, 1):
        if _BEGIN.match(line):
            if held:
                yield begun, "".join(held)
            held, begun, depth, size, braced = [], number, 0, 0, "{" in line.partition("(")[0]
        elif not held:
            continue  # what stands between entries is a comment
        held.append(line)
        size += len(line)
        bare = line.replace("\\{", "").replace("\\}", "")
        depth += bare.count("{") - bare.count("}")
        if size > MAX_ENTRY:
            yield begun, "".join(held)[:200]
            held = []
        elif depth <= 0 and (braced or line.rstrip().endswith(")")):
            yield begun, "".join(held)
            held = []
    if held:
        raise half_written(number)


def _entry(text: str, strings: dict[str, str]) -> tuple[str, str, dict[str, str]]:
    """Return an entry's type, key and fields, in lower case; the first of a name counts. Raises _Broken."""
    head = _HEAD.match(text)
    if not head:
        raise _Broken("not an entry of BibTeX")
    kind, key, at = head["type"].lower(), (head["key"] or "").lower(), head.end()
    fields: dict[str, str] = {}
    if kind in ("comment", "preamble"):
        return kind, key, {}
    while found := _FIELD.match(text, at):
        value, at = _value(text, found.end(), strings)
        fields.setdefault(found["name"].lower(), value)
    if _REMARKS.sub("", text[at:]).strip(" \t\r\n,")[:1] not in ("}", ")"):
        raise _Broken("an entry whose fields cannot be told apart; is a brace or a comma missing?")
    return kind, key, fields


def _value(text: str, at: int, strings: dict[str, str]) -> tuple[str, int]:
    """Return the value that begins at `at`, its parts joined, and where it ends."""
    parts: list[str] = []
    size = 0
    while True:
        if text[at : at + 1] in ("{", '"'):
            end = _end(text, at)
            parts.append(text[at + 1 : end - 1])
        elif word := _WORD.match(text, at):
            end = word.end()
            parts.append(strings.get(word[0].lower(), word[0]))
        else:
            raise _Broken("a field without a value")
        joint = _JOIN.match(text, end)
        size += len(parts[-1])
        if size > MAX_VALUE:
            raise _Broken(f"a value longer than {MAX_VALUE:,} characters")
        if not joint:
            return "".join(parts), end
        at = joint.end()


def _end(text: str, at: int) -> int:
    """Return where a value in braces or quotes ends; a quote within braces does not end it."""
    quoted, depth = text[at] == '"', 0
    skip = -1
    for sign in _SIGN.finditer(text, at + 1 if quoted else at):
        if sign.start() == skip:
            continue
        if sign[0] == "\\":
            skip = sign.end()
        elif sign[0] == '"':
            if quoted and depth == 0:
                return sign.end()
        else:
            depth += 1 if sign[0] == "{" else -1
            if depth == 0 and not quoted:
                return sign.end()
            if depth < 0:
                break
    raise _Broken("a value without its end")


def _paper(fields: dict[str, str]) -> Paper:
    title = ": ".join(filter(None, (_text(fields, "title"), _text(fields, "subtitle")))) or _text(fields, "booktitle")
    ids = [_raw(fields, "doi"), *(f"pmid:{said}" for said in filter(None, [_raw(fields, "pmid")]))]
    eprint, archive = _raw(fields, "eprint"), (_raw(fields, "archiveprefix") or _raw(fields, "eprinttype")).lower()
    if eprint and archive in ("", "arxiv"):
        ids.append(eprint if archive == "" or ":" in eprint else f"arXiv:{eprint}")
    ids += [
        f"arXiv:{found[1]}{found[2] or ''}"
        for name in ("journal", "note")
        if (found := _ARXIV.search(_raw(fields, name)))
    ]
    link = next(filter(None, (_raw(fields, "url"), _raw(fields, "howpublished"), _raw(fields, "link"))), "")
    ids.append(link)
    keywords = _text(fields, "keywords").replace(";", ",").split(",")
    return make_paper(
        title=title,
        ids=filter(None, ids),
        authors=[
            name
            for one in _AND.split(_outside(" ".join(fields.get("author", "").split())))
            if (name := _name(one)) != "others"
        ],
        abstract=_text(fields, "abstract"),
        url=page_of(filter(None, ids), link),
        published=day(_raw(fields, "date")) or _published(fields),
        categories=dict.fromkeys([*_raw(fields, "primaryclass").split(), *map(str.strip, keywords)]),
        source="bibtex",
        comments=_text(fields, "comment") or _text(fields, "note"),
    )


def _text(fields: dict[str, str], name: str) -> str:
    return plain(fields.get(name, ""))


def _raw(fields: dict[str, str], name: str) -> str:
    r"""Return a value that is no prose, such as a link, without the braces and `\url` or `\_` that TeX needed."""
    value = fields.get(name, "").replace("\\url", "").replace("{", "").replace("}", "")
    return re.sub(r"\\([_%&#$~])", r"\1", value).strip()


def _outside(authors: str) -> str:
    """Return authors with the blanks within braces made unbreakable, so that `{Barnes and Noble}` is one."""
    depth, kept = 0, []
    for char in authors:
        depth += (char == "{") - (char == "}")
        kept.append("\x00" if depth > 0 and char.isspace() else " " if char.isspace() else char)
    return "".join(kept)


def _name(author: str) -> str:
    return plain(author.replace("\x00", " "))


def _published(fields: dict[str, str]) -> date | None:
    year, month, number = _raw(fields, "year"), _raw(fields, "month").lower(), _raw(fields, "day")
    if not re.fullmatch(r"\d{4}", year):
        return None
    if month.isdecimal():
        return day(f"{year}-{month}-{number or 1}") or day(year)
    return day(f"{year} {month.replace('~', ' ')} {number}".strip()) or day(year)
