"""`parse` and `search`: papers of files, without anything being stored."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from digestd.cli.common import fail_unless, json_option, rounds
from digestd.cli.output import progress, say, table, tell_json, tell_json_line
from digestd.errors import FileRefused, QueryError
from digestd.ingest.formats import json_lines
from digestd.ingest.inbox import shown
from digestd.ingest.stage import read_file
from digestd.match import rank
from digestd.match.document import analyse
from digestd.match.query import parse_query
from digestd.model import BadRecord, Paper

MAX_BYTES = 1_000_000_000
files_argument = click.argument("files", nargs=-1, type=click.Path(path_type=Path))
format_option = click.option(
    "--format",
    "format_name",
    metavar="NAME",
    help="Take the files as this format instead of detecting it.",
)


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@format_option
@json_option
def parse(files: tuple[Path, ...], format_name: str | None, as_json: bool) -> None:
    """Print the papers of digest files as JSON lines, in the order of the files.

    Bad records are named on standard error with their line. Nothing is stored.

    \b
    Example:  digestd parse huggingface.txt --json > papers.jsonl
    """
    reader = _Reader(files, format_name)
    if as_json:
        with progress("papers", beside_output=True) as step:
            for paper in reader:
                tell_json_line(json_lines.dump(paper))
                step(1)
    else:
        rows = []
        with progress("papers") as step:
            for paper in reader:
                rows.append((paper.id, paper.title, paper.published or ""))
                step(1)
        table(("id", "title", "published"), rows)
    fail_unless(reader.fine)


@click.command()
@click.argument("query")
@files_argument
@json_option
def search(query: str, files: tuple[Path, ...], as_json: bool) -> None:
    """Print the papers that a QUERY hits: those of FILES, or else of the store.

    \b
    Example:  digestd search '"language agent" OR title:robot*' huggingface.txt
    """
    try:
        wanted = parse_query(query)
    except QueryError as error:
        raise click.BadArgumentUsage(f"the query, {error}") from None
    reader = _Reader(files)
    rows = []
    with contextlib.ExitStack() as stack:
        papers: Iterable[Paper] = reader
        total = None
        if not files:
            opened, _ = stack.enter_context(rounds())
            papers = (stored.paper for stored in opened.store.papers.all())
            total = opened.store.papers.newest()
        step = stack.enter_context(progress("papers", total))
        for paper in papers:
            spans = wanted.spans(analyse(paper))
            if spans is not None:
                score = rank.total([(1.0, rank.points(spans))])
                rows.append((score, paper, sorted({str(span.field) for span in spans})))
            step(1)
    rows.sort(key=lambda row: -row[0])
    if as_json:
        for score, paper, where in rows:
            tell_json({"id": paper.id, "title": paper.title, "score": score, "where": where})
    else:
        table(("score#", "title", "where", "id"), ((f"{s:.2f}", p.title, ", ".join(w), p.id) for s, p, w in rows))
    fail_unless(reader.fine)


class _Reader:
    """The papers of files, one after the other; what is wrong with one is said, and the others go on."""

    def __init__(self, files: tuple[Path, ...], format_name: str | None = None) -> None:
        self._files = files
        self._format = format_name
        self.fine = True

    def __iter__(self) -> Iterator[Paper]:
        for path in self._files:
            try:
                repairs: list[str] = []
                for record in read_file(path, MAX_BYTES, self._format, repairs):
                    if isinstance(record, BadRecord):
                        say(f"{shown(path)}, line {record.line}: {record.reason}: {record.excerpt[:80]}")
                    else:
                        yield record
                for repair in repairs:
                    say(f"{shown(path)}: {repair}")
            except FileNotFoundError:
                say(f"{shown(path)}: no such file")
                self.fine = False
            except FileRefused as error:
                say(f"{shown(path)}: {error}")
                self.fine = False
