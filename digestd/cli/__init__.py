"""The command line. Each command is a few lines over the rooms, imported only when it is called.

`digestd --version` and `--help` must answer at once, so nothing but click is imported here.
"""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from types import MappingProxyType
from typing import Any

import click

from digestd import __version__
from digestd.errors import DigestdError

# New containers, and rounds of younger ones, before Python looks for cycles. What a round makes holds next to none, and
# looking as often as by default took a fifth of publishing's time and a tenth of delivery's.
COLLECT_AT = (50_000, 50, 100)

COMMANDS = MappingProxyType(
    {
        "demo": ("demo", "the whole main job with nothing to set up"),
        "parse": ("papers", "papers of digest files as JSON lines; nothing is stored"),
        "search": ("papers", "papers that a query hits"),
        "why": ("explain", "why a paper was, or was not, sent to a person"),
        "backtest": ("backtest", "what a profile would have sent over the past days"),
        "fetch": ("sources", "fetch the sources that are due into the inbox"),
        "ingest": ("pipeline", "ingest digest files now"),
        "publish": ("pipeline", "compose what is due"),
        "deliver": ("pipeline", "empty the outbox once"),
        "run-once": ("pipeline", "fetch and ingest what is there, publish, deliver, and stop"),
        "serve": ("pipeline", "the daemon"),
        "subscribers": ("subscribers", "people and their profiles"),
        "quarantine": ("quarantine", "digest files that were refused"),
        "outbox": ("outbox", "what waits, failed, or is uncertain"),
        "db": ("db", "the store: backup, schema, statistics"),
        "preview": ("explain", "the next edition as it would be sent"),
        "status": ("status", "what happened today, and what is due next"),
        "doctor": ("doctor", "every part tried for real"),
        "check": ("check", "validate configuration, templates and profiles"),
        "config": ("check", "the resolved configuration, and a sample to begin with"),
    }
)


class _Commands(click.Group):
    """The commands by name, each imported when it is wanted; an error ends in one sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = import_module(f"digestd.cli.{COMMANDS[name][0]}")
        command: click.Command = getattr(module, name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except DigestdError as error:
            from digestd.cli.output import say

            for line in str(error).splitlines():
                say(line)
            ctx.exit(error.exit_status)
        except BrokenPipeError:  # the reader of our output has seen enough
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - the interpreter flushes it at exit
            ctx.exit(0)
        except click.ClickException as error:
            from digestd.cli.output import visible

            error.message = visible(error.message)  # type: ignore[misc]  # it may quote a name of a file
            raise
        except (click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:
            if ctx.params["log_level"] == "debug":
                raise
            problem = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            from digestd.cli.output import say

            say(f"{problem}. This is a bug in digestd; --log-level debug shows where.")
            ctx.exit(1)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="digestd %(version)s")
@click.option(
    "--config",
    type=click.Path(),  # made a Path where it is used: importing pathlib is a tenth of the start
    help="The configuration. Default: $DIGESTD_CONFIG, ./config/digestd.toml, /etc/digestd/digestd.toml.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="How much `serve` logs.",
)
@click.pass_context
def main(ctx: click.Context, config: str | None, log_level: str) -> None:
    """Turn the stream of research papers into personal e-mail.

    \b
    Begin with:  digestd demo
    """
    ctx.obj = {"config": config, "log_level": log_level}
    gc.set_threshold(*COLLECT_AT)
