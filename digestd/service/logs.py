"""What `serve` writes: one line an event on standard error, with a fixed event name and key=value facts."""

from __future__ import annotations

import logging
import sys

import structlog


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
            final,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    # APScheduler tells every tick, watchfiles every change: neither is of use to an operator.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="level=%(levelname)s event=%(name)s reason=%(message)r")
