"""`fetch`: sources into the inbox."""

from __future__ import annotations

from collections.abc import Iterable

import click

from digestd.cli.common import fail_unless, json_option, rounds
from digestd.cli.output import progress, say, table, tell, tell_json
from digestd.ingest.sources.stage import SourceReport
from digestd.service import build


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@json_option
def fetch(names: tuple[str, ...], as_json: bool) -> None:
    """Fetch the sources that are due into the inbox, or those of the given NAMES at once.

    `serve` and `run-once` do it by themselves.

    \b
    Example:  digestd fetch arxiv-cl
    """
    with rounds() as (made, _):
        if not made.settings.source:
            say("the configuration has no [[source]]; `digestd config sample` shows one")
        due = build.fetcher(made.settings, made.store, made.clock).due(names)
        with progress("fetching, sources", total=len(due)) as step:
            reports = []
            for report in made.fetch(names):
                reports.append(report)
                step(1)
    if as_json:
        for report in reports:
            tell_json(report)
    elif reports:
        rows = ((one.source, one.file or "", one.said, f"{one.next_at:%Y-%m-%d %H:%M}") for one in reports)
        table(("source", "file", "said", "again at, UTC"), rows)
    else:
        tell("no source is due")
    tell_failed(reports)
    fail_unless(not any(report.failed for report in reports))


def tell_failed(reports: Iterable[SourceReport]) -> None:
    """Say which sources could not be fetched, and why."""
    for report in reports:
        if report.failed:
            say(f"{report.source}: {report.address}: {report.said}")
