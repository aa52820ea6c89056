"""PubMed's text format (MEDLINE, `.nbib`): `PMID- 123`, `TI  - …`, continued behind six blanks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from digestd.ingest.dates import day
from digestd.ingest.formats.pubmed_xml import NO_TITLE
from digestd.ingest.formats.tagged import Record
from digestd.ingest.identity import NotAPaper, bad_record, make_paper
from digestd.ingest.reading import half_written
from digestd.model import BadRecord, Paper

NAME = "pubmed"

_BEGIN = re.compile(r"^\ufeff?PMID ?- ?\d{1,9}\s*$", re.MULTILINE)
_TAG = re.compile(r"(?P<tag>[A-Z][A-Z0-9]{1,3}) {0,2}- ?(?P<value>.*)")
_WHOLE_DAY = re.compile(r"\d{4} [A-Z][a-z]{2} \d")
_ENDED = re.compile(r"[.!?)\]]$")


def recognise(head: str) -> bool:
    """Return whether a line names a PMID as a record's first one does."""
    return bool(_BEGIN.search(head))


def parse(lines: Iterator[str], modified: date) -> Iterator[Paper | BadRecord]:
    """Yield a paper for each record. Raises FileRefused when the file breaks off in a title or an abstract."""
    record: Record | None = None
    for number, line in enumerate(lines, 1):
        text = line.rstrip()
        tag = _TAG.match(text) if not text.startswith(" ") else None
        if tag and tag["tag"] == "PMID":
            if record:
                yield _result(record)
            record = Record(number)
        if record is None:
            if text.strip("\ufeff "):
                yield bad_record(number, "a line before the first record", text)
        elif tag:
            record.add(tag["tag"], tag["value"])
        else:
            record.go_on(text)
        cut = (
            record
            and not line.endswith("\n")
            and record.fields[-1:]
            and (record.fields[-1][0] in ("PMID", "TI", "AB", "LID") or not record.first("TI", "TT"))
        )
        if cut and not _ENDED.search(text):
            raise half_written(number)
    if record:
        yield _result(record)


def _result(record: Record) -> Paper | BadRecord:
    if record.is_too_long:
        return bad_record(record.line, "a record of more than two million characters", record.first("TI"))
    try:
        return _paper(record)
    except NotAPaper as error:
        return bad_record(record.line, str(error), f"PMID {record.first('PMID')}")


def _paper(record: Record) -> Paper:
    dois = [said.split(" ")[0] for said in record.all("LID", "AID") if said.endswith("[doi]")]
    told = record.first("DP")
    published = day(told) if _WHOLE_DAY.match(told) else day(record.first("DEP")) or day(told)
    titles = record.all("TI", "TT")
    if record.first("SO", "EDAT", "CRDT"):  # else it breaks off, and the title of its chapter may have been to come
        titles += record.all("BTI")
    return make_paper(
        title=next((title for title in titles if title.strip("[]. ") != NO_TITLE), ""),
        ids=[f"pmid:{record.first('PMID')}", *dois[:1]],
        authors=record.all("FAU", "CN") or record.all("AU", "CN"),
        abstract=record.first("AB", "OAB"),
        url=f"https://pubmed.ncbi.nlm.nih.gov/{record.first('PMID')}/",
        published=published or day(record.first("EDAT", "CRDT")),
        categories=dict.fromkeys(term.partition("/")[0].strip("*") for term in record.all("MH")),
        source="pubmed",
    )
