"""arXiv's metadata as one JSON object a line, as the public snapshot of all its papers has it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from digestd.ingest.authors import split_authors
from digestd.ingest.dates import day
from digestd.ingest.formats.json_lines import string
from digestd.ingest.identity import NotAPaper, bad_record, make_paper
from digestd.ingest.json_records import keys, records
from digestd.model import BadRecord, Paper

NAME = "arxiv-snapshot"


def recognise(head: str) -> bool:
    """Return whether the keys are those of the snapshot."""
    return {"title", "abstract", "authors_parsed", "update_date"} <= keys(head)


def parse(lines: Iterator[str], modified: date) -> Iterator[Paper | BadRecord]:
    """Yield a paper for each object. Raises FileRefused for what is not JSON."""
    for line, record in records(lines, ()):
        try:
            yield _paper(record)
        except NotAPaper as error:
            yield bad_record(line, str(error), str(record))


def _paper(record: Any) -> Paper:
    if not isinstance(record, dict):
        raise NotAPaper(f"expected an object, found {type(record).__name__}")
    told = record.get("versions")
    versions = [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []
    return make_paper(
        title=string(record, "title"),
        ids=[f"arXiv:{string(record, 'id')}", string(record, "doi")],
        authors=split_authors(string(record, "authors")),
        abstract=string(record, "abstract"),
        published=next((told for one in versions if (told := day(string(one, "created")))), None)
        or day(string(record, "update_date")),
        categories=string(record, "categories").split(),
        source="arxiv",
        version=len(versions) or None,
        comments=string(record, "comments"),
    )
