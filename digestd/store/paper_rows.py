"""A paper as the columns of its revision, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from operator import attrgetter
from typing import Any

import orjson

from digestd.model import Paper, StoredPaper
from digestd.store.sqlite import from_ms

DETAILS = ("comments", "pdf", "code", "project", "other_ids")  # what a few records tell, in one column
COLUMNS = (
    *("id", "title", "authors", "abstract", "url", "published", "categories", "source", "version", "votes", "details"),
)

Columns = tuple[str | int | None, ...]

_details = attrgetter(*DETAILS)


def columns(paper: Paper) -> Columns:
    """Return what a revision keeps of a paper, in the order of COLUMNS."""
    details = _details(paper)
    return (
        paper.id,
        paper.title,
        orjson.dumps(paper.authors).decode(),
        paper.abstract,
        paper.url,
        paper.published.isoformat() if paper.published else None,
        orjson.dumps(paper.categories).decode(),
        paper.source,
        paper.version,
        paper.votes,
        orjson.dumps({name: value for name, value in zip(DETAILS, details, strict=True) if value}).decode()
        if any(details)
        else "{}",
    )


def paper_of(row: Mapping[str, Any]) -> Paper:
    """Return the paper of a row that has the columns of its revision."""
    details = orjson.loads(row["details"])
    if "other_ids" in details:
        details["other_ids"] = tuple(details["other_ids"])
    return Paper(
        id=row["id"],
        title=row["title"],
        authors=tuple(orjson.loads(row["authors"])),
        abstract=row["abstract"],
        url=row["url"],
        published=date.fromisoformat(row["published"]) if row["published"] else None,
        categories=tuple(orjson.loads(row["categories"])),
        source=row["source"],
        version=row["version"],
        votes=row["votes"],
        **details,
    )


def stored(row: Mapping[str, Any]) -> StoredPaper:
    """Return the paper of a row that has also its place in the order of arrival."""
    return StoredPaper(row["pk"], row["revision"], from_ms(row["ingested_at"]), paper_of(row))
