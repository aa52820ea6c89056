"""What `serve` writes: one line an event on standard error, with a fixed event name and key=value facts."""

from __future__ import annotations

import logging
import re
import sys

import structlog

from digestd.deliver.stage import DeliverReport
from digestd.ingest.sources.stage import SourceReport
from digestd.ingest.stage import FileReport
from digestd.model import Blame, Outcome, Verdict
from digestd.service.findings import Notice
from digestd.service.rounds import People
from digestd.store.base import Claim

# What moves a cursor, turns a line around, or cannot be written at all; line feeds are the renderer's.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

log = structlog.get_logger("digestd")


def configure(level: str) -> None:
    """Set logging up once: coloured on a terminal, plain `key=value` for a journal or a file."""
    threshold = getattr(logging, level.upper())
    terminal = sys.stderr.isatty()
    final: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer()
        if terminal
        else structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], bool_as_flag=False)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _visible,
            final,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    # APScheduler tells every tick, watchfiles every change: neither is of use to an operator.
    line = "level=%(levelname)s event=%(name)s reason=%(message)r"
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format=line)


def _visible(logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Spell out the signs in foreign texts, such as an address or a relay's reply, that a line must not hold."""
    for name, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            event[name] = _UNSEEN.sub(lambda sign: ascii(sign[0])[1:-1], value)
    return event


def log_file(report: FileReport) -> None:
    """Write down what became of a digest file."""
    if report.refused:
        log.warning("file-refused", file=report.file, reason=report.refused)
    elif report.repeated:
        log.info("file-repeated", file=report.file)
    else:
        counted = ("papers", "new", "revised", "duplicate", "bad")
        log.info("file-ingested", file=report.file, **{key: getattr(report, key) for key in counted})
    for bad in report.bad_records:
        log.warning("bad-record", file=report.file, line=bad.line, reason=bad.reason)


def log_source(report: SourceReport) -> None:
    """Write down what a fetch of a source came to."""
    level = log.warning if report.failed else log.info
    level(
        "source-failed" if report.failed else "source-fetched",
        source=report.source,
        file=report.file,
        reason=report.said,
        again_at=f"{report.next_at:%Y-%m-%dT%H:%M:%SZ}",
    )


def log_people(people: People) -> None:
    """Write down what a synchronisation with the subscribers file changed, and what is wrong in that file."""
    for problem in people.problems:
        log.error("profile-refused", reason=problem)
    counted = ("added", "changed", "removed", "unchanged")
    log.info("people-synchronised", **{key: getattr(people.report, key) for key in counted})


def log_notice(notice: Notice) -> None:
    """Write down that the operator is told something."""
    log.warning("operator-told", found=[one.key for one in notice.found], over=len(notice.over))


def log_outcome(claim: Claim, outcome: Outcome) -> None:
    """Write down what an attempt came to."""
    level = log.info if outcome.verdict is Verdict.SENT else log.warning
    if outcome.blame is Blame.RELAY and outcome.verdict is Verdict.DEFERRED:
        level = log.debug  # said once for the run, not once for each edition that waits
    level(
        f"edition-{outcome.verdict}",
        edition=claim.edition_id,
        to=claim.address,
        attempt=claim.attempts,
        phase=outcome.phase,
        code=outcome.code,
        reply=outcome.reply,
    )


def log_trouble(report: DeliverReport, again_in_seconds: float) -> None:
    """Write down that the relay itself failed, and when it is tried again."""
    trouble = report.trouble
    if trouble is not None:
        log.warning(
            "relay-failed",
            phase=trouble.phase,
            reason=trouble.reply,
            code=trouble.code,
            again_in_seconds=again_in_seconds,
        )
