"""RIS, which reference managers and publishers export: `TY  - JOUR` … `ER  -`.

Read by our own lines and not by a library: a bad record has its line, and a file is never held whole in memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from digestd.errors import FileRefused
from digestd.ingest.dates import day
from digestd.ingest.formats.tagged import Record
from digestd.ingest.identity import NotAPaper, bad_record, canonical_id, make_paper, page_of
from digestd.ingest.markup import html_text
from digestd.model import BadRecord, Paper

NAME = "ris"

_BEGIN = re.compile(r"^\ufeff?[ \t]{0,3}TY {0,2}- ?[A-Z]{3,7}\s*$", re.MULTILINE)
_TAG = re.compile(r"\s{0,3}(?P<tag>[A-Z][A-Z0-9])(?P<gap>\s{0,3}-)(?:\s+|$|(?<=-))(?P<value>.*)")
# Exports lose the blanks around the hyphen; `AI-based` at the beginning of a wrapped line is no tag for that.
_KNOWN = frozenset(
    """
    TY ER TI T1 T2 T3 CT BT AU A1 A2 A3 A4 AB N1 N2 DA PY Y1 Y2 DO UR L1 L2 L3 L4 LK KW JO JF JA J1 J2 VL IS SP EP SN
    PB CY ID AN DB ET LA M1 M2 M3 C1 C2 C3 C4 C5 C6 C7 C8
    """.split()  # noqa: SIM905 - a table of tags is easier to read than a list of strings
)


def recognise(head: str) -> bool:
    """Return whether a line tells a reference's type as a record's first one does."""
    return bool(_BEGIN.search(head))


def parse(lines: Iterator[str], modified: date) -> Iterator[Paper | BadRecord]:
    """Yield a paper for each reference. Raises FileRefused when the last one has no end."""
    record: Record | None = None
    for number, line in enumerate(lines, 1):
        text = line.strip("\ufeff \t\r\n")
        tag, value = _tag(text)
        if tag == "TY":
            if record:
                yield bad_record(record.line, "a reference without its end (ER)", record.first("TI", "T1"))
            record = Record(number)
        elif tag == "ER" and record:
            yield _result(record)
            record = None
        elif record is None:
            if tag:  # else a heading, as databases put them between: `2.`, `Provider: …`
                yield bad_record(number, "a line outside of any reference", text)
        elif tag:
            record.add(tag, value)
        else:
            record.go_on(text)
    if record:
        raise FileRefused(f"the reference at line {record.line} has no end (ER); it looks half-written")


def _tag(text: str) -> tuple[str, str]:
    found = _TAG.match(text)
    if not found or (found["gap"] != "  -" and found["tag"] not in _KNOWN):
        return "", text
    if found["gap"] == "-" and found["tag"] not in ("TY", "ER") and text[3:4] not in ("", " "):
        return "", text
    return found["tag"], found["value"]


def _result(record: Record) -> Paper | BadRecord:
    if record.is_too_long:
        return bad_record(record.line, "a record of more than two million characters", record.first("TI"))
    try:
        return _paper(record)
    except NotAPaper as error:
        return bad_record(record.line, str(error), record.first("TI", "T1", "DO", "UR"))


def _paper(record: Record) -> Paper:
    links = [link for value in record.all("UR", "LK", "L2") for link in value.split() if link.startswith("http")]
    names = [doi for doi in record.all("DO", "M3") if canonical_id(doi)]
    if "pubmed" in record.first("DB").lower() or record.first("AN").isdecimal():
        names.append(f"pmid:{record.first('AN')}")
    authors = [name for value in record.all("AU", "A1") for name in html_text(value).split(";")]
    return make_paper(
        title=html_text(record.first("TI", "T1", "CT", "BT")),
        ids=[*names, *links],
        authors=[name.strip(" ,") for name in authors],
        abstract=html_text(" ".join(record.all("AB") or record.all("N2"))),
        url=page_of([*names, *links], next(iter(links), None)),
        published=next((told for value in record.all("DA", "PY", "Y1") if (told := day(value))), None),
        categories=dict.fromkeys(html_text(word) for word in record.lines("KW")),
        source="ris",
        pdf=next((value for value in record.all("L1") if value.startswith("http")), None),
    )
