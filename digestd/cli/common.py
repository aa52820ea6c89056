"""What several commands share: options, the configuration and the store of this call."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from digestd.cli.output import say
from digestd.config import Settings, find, load
from digestd.service import build
from digestd.service.rounds import Clock, Rounds

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program.")


class When(click.ParamType[datetime]):
    """A moment such as `2026-11-23T08:00` (UTC without an offset)."""

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the moment, in UTC."""
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a time such as 2026-11-23T08:00+01:00", param, ctx)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


now_option = click.option("--now", type=When(), help="Act as if it were this time, such as 2026-11-23T08:00+01:00.")


def config_path() -> Path:
    """Return the configuration file of this call. Raises ConfigError when there is none."""
    named = click.get_current_context().obj["config"]
    return find(Path(named) if named else None, os.environ)


def settings() -> Settings:
    """Return the configuration of this call."""
    return load(config_path())


@contextlib.contextmanager
def rounds(now: datetime | None = None, *, sync: bool = False) -> Iterator[tuple[Rounds, bool]]:
    """Open the store of this call; with `sync`, take over the subscribers file first and say its problems.

    Yields the rounds, and whether there were no problems.
    """
    loaded = settings()
    with contextlib.closing(build.store(loaded)) as store:
        made = Rounds(loaded, store, _clock(now))
        problems = made.sync_people().problems if sync else ()
        for problem in problems:
            say(problem)
        yield made, not problems


def _clock(now: datetime | None) -> Clock:
    """Return the clock, or one that shows `now` and goes on from there."""
    if now is None:
        return build.utc_now
    begun, shown = build.utc_now(), now
    return lambda: shown + (build.utc_now() - begun)


def fail_unless(fine: bool) -> None:
    """End with status 1 when something did not succeed; what it was has been said."""
    if not fine:
        click.get_current_context().exit(1)


Step = Callable[[int], None]
