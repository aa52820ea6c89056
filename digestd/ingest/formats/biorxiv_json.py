"""The JSON of bioRxiv and medRxiv: one row a version, also of published preprints and of the COVID-19 collection."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from digestd.ingest.authors import split_authors
from digestd.ingest.dates import day
from digestd.ingest.formats.json_lines import string
from digestd.ingest.identity import NotAPaper, bad_record, make_paper
from digestd.ingest.json_records import keys, records
from digestd.ingest.markup import html_text
from digestd.model import BadRecord, Paper

NAME = "biorxiv-json"
LISTS = frozenset({"collection"})
PREFIXES = ("", "preprint_", "biorxiv_", "rel_")


def recognise(head: str) -> bool:
    """Return whether the keys are those of a collection of preprints, be it an empty one."""
    found = keys(head)
    return "collection" in found and bool(found & {"doi", "rel_doi", "preprint_doi", "biorxiv_doi", "messages"})


def parse(lines: Iterator[str], modified: date) -> Iterator[Paper | BadRecord]:
    """Yield a paper for each row. Raises FileRefused for what is not JSON."""
    for line, record in records(lines, LISTS):
        if isinstance(record, dict) and "messages" in record and "collection" not in record:
            continue
        try:
            yield _paper(record)
        except NotAPaper as error:
            yield bad_record(line, str(error), str(record))


def _paper(record: Any) -> Paper:
    if not isinstance(record, dict):
        raise NotAPaper(f"expected an object, found {type(record).__name__}")

    def told(*names: str) -> str:
        return next((said for name in names for prefix in PREFIXES if (said := string(record, prefix + name))), "")

    version = told("version")
    journal = told("published_doi") or told("published")
    people = record.get("rel_authors")
    return make_paper(
        title=html_text(told("title")),
        ids=[told("doi"), journal if journal.startswith("10.") else "", told("link")],
        authors=[string(one, "author_name") for one in people if isinstance(one, dict)]
        if isinstance(people, list)
        else split_authors(told("authors")),
        abstract=html_text(told("abstract", "abs")),
        published=day(told("date")),
        categories=[told("category")],
        source=(told("server", "platform", "site") or "biorxiv").lower(),
        version=int(version) if version.isdecimal() and len(version) < 4 else None,
    )
