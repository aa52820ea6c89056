"""`ingest`, `publish`, `deliver`, `run-once` and `serve`: the stages from the command line."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from signal import SIGINT, SIGTERM, signal
from threading import Event

import click

from digestd.cli.common import config_path, fail_unless, json_option, now_option, rounds
from digestd.cli.output import progress, say, table, tell, tell_json
from digestd.cli.sources import tell_failed
from digestd.deliver.stage import DeliverReport
from digestd.errors import DeliveredElsewhere
from digestd.ingest.sources.stage import SourceReport
from digestd.ingest.stage import FileReport, ingest_given
from digestd.model import OutboxState
from digestd.publish.stage import PublishReport
from digestd.publish.wording import counted
from digestd.service import build
from digestd.service.press_room import PressRoom
from digestd.service.rounds import Rounds
from digestd.service.status import is_served

LOOK_AGAIN = 1_000  # milliseconds; a mail folder within the inbox is not watched, nor is one over a network
FILE_KEYS = ("file", "papers", "new", "revised", "duplicate", "bad")


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "format_name",
    metavar="NAME",
    help="Take the files as this format instead of detecting it.",
)
@click.option("--watch", is_flag=True, help="Take what lies in the inbox folder and what comes into it, until Ctrl-C.")
@json_option
def ingest(files: tuple[Path, ...], format_name: str | None, watch: bool, as_json: bool) -> None:
    """Ingest digest files now; they stay where they are.

    A file that cannot be taken is copied to the quarantine with its reason, and the others go on. With --watch the
    files of the inbox folder are taken, and put away as `serve` does; nothing is published.

    \b
    Example:  digestd ingest huggingface.txt
    """
    if watch == bool(files) or (watch and format_name):
        raise click.UsageError("Name files, or give --watch alone for those of the inbox folder.")
    if watch:
        _ingest_as_they_come(as_json)
        return
    with rounds() as (made, _):
        folders, reports = build.folders(made.settings), []
        with progress("ingesting, files", total=len(files)) as step:
            for path in files:
                reports.append(ingest_given(made.store.papers, path, folders, made.clock(), format_name))
                step(1)
    _tell_files(reports, as_json)
    fail_unless(not any(report.refused for report in reports))


def _ingest_round(made: Rounds, stop: Event) -> Iterator[FileReport]:
    with closing(made.ingest()) as reports:
        for report in reports:
            yield report
            if stop.is_set():
                return


def _ingest_as_they_come(as_json: bool) -> None:
    """Ingest the inbox whenever something changes there, and each LOOK_AGAIN what rests by now or was not noticed."""
    from watchfiles import watch as watch_files

    stop = Event()
    before = [(number, signal(number, lambda *_: stop.set())) for number in (SIGINT, SIGTERM)]
    try:
        with rounds() as (made, _):
            inbox = made.settings.paths.inbox
            inbox.mkdir(parents=True, exist_ok=True)
            say(f"watching {inbox}; Ctrl-C ends it")
            for _ in watch_files(
                inbox, stop_event=stop, recursive=False, debounce=100, rust_timeout=LOOK_AGAIN, yield_on_timeout=True
            ):
                _tell_files(_ingest_round(made, stop), as_json)
    finally:
        for number, action in before:
            signal(number, action)


@click.command()
@now_option
@json_option
def publish(now: datetime | None, as_json: bool) -> None:
    """Compose every edition that is due and put it into the outbox.

    \b
    Example:  digestd publish --now 2026-11-23T08:00+01:00
    """
    with rounds(now, sync=True) as (made, fine):
        report = _publish(made)
    if as_json:
        tell_json(report)
    else:
        tell(_composed(report))
    fail_unless(fine)


@click.command()
@json_option
def deliver(as_json: bool) -> None:
    """Send what is ready in the outbox, and stop.

    \b
    Example:  digestd deliver
    """
    with rounds() as (made, _):
        report = _deliver(made)
        waiting = made.store.outbox.counts()[OutboxState.READY]
    if as_json:
        tell_json(_counts(report))
    else:
        tell(_sentence(report))
    fail_unless(_tell_trouble(report, waiting))


@click.command()
@now_option
@json_option
def run_once(now: datetime | None, as_json: bool) -> None:
    """Fetch the sources that are due, ingest the inbox folder, publish what is due, deliver it, and stop.

    With --now, which rehearses another time, no source is asked.

    \b
    Example:  digestd run-once        (from cron or a systemd timer)
    """
    with rounds(now, sync=True) as (made, fine):
        sources = _fetch(made) if now is None else []
        with progress("files") as step:
            files = []
            for report in made.ingest(wait=time.sleep):
                files.append(report)
                step(1)
        # Where a daemon is at work it looks, which knows more, and may be the one who delivers.
        served = is_served(made.settings.paths.database)
        with PressRoom(made.settings) as room:
            published = _publish(made, None if served else room)
            if not served:
                made.look()
            delivered = _deliver(made, room)
        waiting = made.store.outbox.counts()[OutboxState.READY]
    if as_json:
        told = [{key: getattr(report, key) for key in (*FILE_KEYS, "refused")} for report in files]
        tell_json({"sources": sources, "files": told, "publish": published, "deliver": _counts(delivered)})
        _tell_bad(files)
    else:
        _tell_files(files, as_json=False)
        tell(_composed(published))
        tell(_sentence(delivered))
    tell_failed(sources)
    fine &= not any(report.refused for report in files) and not any(report.failed for report in sources)
    fail_unless(_tell_trouble(delivered, waiting) and fine)


@click.command()
@click.pass_context
def serve(ctx: click.Context) -> None:
    """Run as a daemon: watch the inbox, publish, deliver, until SIGTERM. SIGHUP reloads.

    \b
    Example:  digestd --config /etc/digestd/digestd.toml serve
    """
    from digestd.service import daemon, logs

    logs.configure(ctx.obj["log_level"])
    daemon.serve(config_path())


def _fetch(made: Rounds) -> list[SourceReport]:
    """Fetch the sources that are due, or leave it to a daemon that works on this store: it does so by itself."""
    if not made.settings.source or is_served(made.settings.paths.database):
        return []
    reports = []
    with progress("fetching, sources") as step:
        for report in made.fetch():
            reports.append(report)
            step(1)
    return reports


def _publish(made: Rounds, room: PressRoom | None = None) -> PublishReport:
    with progress("publishing, subscribers") as step:
        return made.publish(step, room=room)


def _deliver(made: Rounds, room: PressRoom | None = None) -> DeliverReport:
    """Send what is ready, or leave it to the one who is about it already: a daemon, or another run."""
    ready = made.store.outbox.counts()[OutboxState.READY]
    try:
        with progress("delivering", ready) as step, asyncio.Runner(loop_factory=build.loop_factory()) as runner:
            return runner.run(made.deliver(told=lambda claim, outcome: step(1), room=room))
    except DeliveredElsewhere as elsewhere:
        say(str(elsewhere))
        return DeliverReport()


def _tell_files(reports: Iterable[FileReport], as_json: bool) -> None:
    told = []
    try:
        for report in reports:
            told.append(report)
            if as_json:
                tell_json({key: getattr(report, key) for key in (*FILE_KEYS, "refused")})
    finally:  # whatever ends it, what was done is said
        _tell_table(told, as_json)


def _tell_table(reports: list[FileReport], as_json: bool) -> None:
    if reports and not as_json:
        columns = ("file", "papers#", "new#", "revised#", "duplicate#", "bad#")
        rows = [[getattr(report, key) for key in FILE_KEYS] for report in reports if not report.refused]
        table(columns, rows)
    _tell_bad(reports)


def _tell_bad(reports: Iterable[FileReport]) -> None:
    """Say what was refused, what was known, and each bad record."""
    for report in reports:
        if report.refused:
            say(f"{report.file}: {report.refused}")
        for repair in report.repairs:
            say(f"{report.file}: {repair}")
        if report.repeated:
            say(f"{report.file}: its content was ingested before; nothing is counted twice")
        for bad in report.bad_records:
            say(f"{report.file}, line {bad.line}: {bad.reason}: {bad.excerpt[:80]}")
        if report.bad > len(report.bad_records):
            say(f"{report.file}: {counted(report.bad - len(report.bad_records), 'more bad record')}")


def _composed(report: PublishReport) -> str:
    return f"{counted(report.editions, 'edition')} with {counted(report.papers, 'paper')} composed"


def _counts(report: DeliverReport) -> dict[str, int]:
    names = ("sent", "deferred", "failed", "uncertain", "cancelled")
    return {name: getattr(report, name) for name in names}


def _sentence(report: DeliverReport) -> str:
    """Return what a run came to, with only the counts that say something."""
    told = [f"{count} {name}" for name, count in _counts(report).items() if count or name == "sent"]
    return "editions: " + ", ".join(told)


def _tell_trouble(report: DeliverReport, waiting: int) -> bool:
    """Say what did not go well; returns whether all did."""
    if report.trouble is not None:
        said = " ".join(filter(None, (str(report.trouble.code or ""), report.trouble.reply)))
        say(f"the relay did not take mail ({report.trouble.phase}): {said}; {counted(waiting, 'edition')} waiting")
    if report.failed:
        say(f"{counted(report.failed, 'edition')} failed; `digestd outbox list` says why")
    return report.trouble is None and not report.failed
