"""Semantic Scholar's JSON: a search, recommendations, a batch, citations, one paper, or any of them as lines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from digestd.ingest.dates import day
from digestd.ingest.formats.json_lines import string
from digestd.ingest.identity import NotAPaper, bad_record, make_paper, page_of
from digestd.ingest.json_records import keys, records
from digestd.model import BadRecord, Paper

NAME = "semantic-scholar"
LISTS = frozenset({"data", "recommendedPapers", "papers", "results"})


def recognise(head: str) -> bool:
    """Return whether the keys are those of Semantic Scholar's papers."""
    found = keys(head)
    return "title" in found and bool(found & {"paperId", "externalIds", "corpusId", "recommendedPapers", "corpusid"})


def parse(lines: Iterator[str], modified: date) -> Iterator[Paper | BadRecord]:
    """Yield a paper for each record; a null, which a batch has for what is not known, is none.

    Raises FileRefused for what is not JSON.
    """
    for line, record in records(lines, LISTS):
        if record is None:
            continue
        try:
            yield _paper(record)
        except NotAPaper as error:
            yield bad_record(line, str(error), str(record))


def _paper(record: Any) -> Paper:
    for wrapper in ("citingPaper", "citedPaper", "paper"):
        if isinstance(record, dict) and isinstance(record.get(wrapper), dict):
            record = record[wrapper]
    if not isinstance(record, dict):
        raise NotAPaper(f"expected an object, found {type(record).__name__}")
    record = {key.lower(): value for key, value in record.items()}  # the bulk files have them so
    named = record.get("externalids")
    names = {key.lower(): str(value) for key, value in named.items() if value} if isinstance(named, dict) else {}
    prefixes = (("arxiv", "arXiv:"), ("doi", "doi:"), ("pubmed", "pmid:"))
    ids = [prefix + names[key] for key, prefix in prefixes if key in names]
    pdf = record.get("openaccesspdf")
    return make_paper(
        title=string(record, "title"),
        ids=ids,
        authors=[string(author, "name") for author in _dicts(record, "authors")],
        abstract=string(record, "abstract"),
        url=page_of(ids, string(record, "url") or _page(record)),
        published=day(string(record, "publicationdate")) or _year(record),
        categories=dict.fromkeys(
            [one for one in _list(record, "fieldsofstudy") if isinstance(one, str)]
            + [string(one, "category") for one in _dicts(record, "s2fieldsofstudy")]
        ),
        source="semantic scholar",
        pdf=string(pdf, "url") if isinstance(pdf, dict) else None,
    )


def _page(record: dict[str, Any]) -> str | None:
    name = string(record, "paperid")
    return f"https://www.semanticscholar.org/paper/{name}" if name.isalnum() else None


def _year(record: dict[str, Any]) -> date | None:
    return day(str(record.get("year"))) if isinstance(record.get("year"), int) else None


def _list(record: dict[str, Any], key: str) -> list[Any]:
    value = record.get(key)
    return value if isinstance(value, list) else []


def _dicts(record: dict[str, Any], key: str) -> list[dict[str, Any]]:
    return [one for one in _list(record, key) if isinstance(one, dict)]
