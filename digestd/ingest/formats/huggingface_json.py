"""Hugging Face's daily papers as JSON: the API's answer, its mirrors, which flatten it, and either as JSON lines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from digestd.ingest.dates import day
from digestd.ingest.formats.json_lines import number, string
from digestd.ingest.identity import NotAPaper, bad_record, make_paper
from digestd.ingest.json_records import keys, records
from digestd.model import BadRecord, Paper

NAME = "huggingface-json"
LISTS = frozenset({"papers", "dailyPapers", "data", "items", "results"})


def recognise(head: str) -> bool:
    """Return whether the keys are those of a daily paper, or of a flattened one."""
    found = keys(head)
    daily = "paper" in found and bool(found & {"publishedAt", "numComments", "submittedBy", "submittedOnDailyAt"})
    flat = "summary" in found and bool(
        found & {"upvotes", "arxivUrl", "publishedAt", "githubRepo", "submittedOnDailyAt"}
    )
    return "title" in found and (daily or flat)


def parse(lines: Iterator[str], modified: date) -> Iterator[Paper | BadRecord]:
    """Yield a paper for each record. Raises FileRefused for what is not JSON."""
    for line, record in records(lines, LISTS):
        try:
            yield paper(record)
        except NotAPaper as error:
            yield bad_record(line, str(error), str(record))


def paper(record: Any) -> Paper:
    """Return the paper of a record, daily or flat. Raises NotAPaper."""
    if not isinstance(record, dict):
        raise NotAPaper(f"expected an object, found {type(record).__name__}")
    inner = record.get("paper")
    told = (
        {**record, **{key: value for key, value in inner.items() if value not in (None, "", [])}}
        if isinstance(inner, dict)
        else record
    )
    authors = told.get("authors")
    return make_paper(
        title=string(told, "title"),
        ids=[_arxiv(string(told, "id")), string(told, "arxivUrl"), string(told, "arxivId"), string(told, "url")],
        authors=[
            string(author, "name") if isinstance(author, dict) else author
            for author in (authors if isinstance(authors, list) else [])
            if isinstance(author, dict | str)
        ],
        abstract=string(told, "summary"),
        published=day(string(told, "publishedAt")) or day(string(told, "submittedOnDailyAt")),
        source="huggingface",
        votes=number(told, "upvotes"),
        pdf=string(told, "pdfUrl"),
        code=string(told, "githubRepo"),
        project=string(told, "projectPage"),
    )


def _arxiv(text: str) -> str:
    return f"arXiv:{text}" if text[:1].isdigit() else text
