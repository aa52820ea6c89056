"""What commands print: sentences and tables for a person, JSON for a program, progress on a terminal.

All that a command prints goes through here, so that nothing of a file's name, a record, an address or a relay's reply
can move a terminal's cursor, change its title, or reorder the line it stands in.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from enum import Enum
from pathlib import Path
from typing import Any

import click

BAR = "digestd.progress"  # where a command's context keeps the console of the bar that is shown
UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # controls, and so every escape sequence
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidi controls
    "\u2028\u2029\ufeff\ud800-\udfff\U000e0000-\U000e007f]"  # other line ends, marks without width, no characters
)


def visible(text: str) -> str:
    """Return a line with what a terminal must not be given written out, as `\\x1b` or `\\u202e`."""
    return UNSAFE.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)


def say(text: str) -> None:
    """Print a sentence for a person on standard error, above a progress bar if there is one."""
    line = f"digestd: {visible(text)}"
    context = click.get_current_context(silent=True)
    if context is not None and BAR in context.meta:
        context.meta[BAR].print(line, markup=False, emoji=False, soft_wrap=True)
    else:
        click.echo(line, err=True)


def tell(*lines: str) -> None:
    """Print lines of a result."""
    for line in lines:
        click.echo(visible(line))


def tell_marked(mark: str, colour: str, text: str) -> None:
    """Print a line that begins with a mark of ours in colour, where there is a terminal to show it."""
    click.echo(f"{click.style(mark, fg=colour)}{visible(text)}")


def tell_json(value: Any) -> None:
    """Print a value of ours as one line of JSON, which says the same to a program with every character of it safe."""
    tell_json_line(json.dumps(_plain(value), ensure_ascii=False))


def tell_json_line(line: str) -> None:
    """Print what is one line of JSON already."""
    click.echo(UNSAFE.sub(lambda found: json.dumps(found[0])[1:-1], line))


def _plain(value: Any) -> Any:
    """Return a value as data that JSON knows."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, date | time | Path):
        return str(value)
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one) for one in value]
    return value


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
    """Print a table that fits the terminal. A cell may have several lines."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for column in columns:
        drawn.add_column(column, overflow="fold", justify="right" if column.endswith("#") else "left")
    for row in rows:
        drawn.add_row(*(Text("\n".join(map(visible, str(cell).split("\n")))) for cell in row))
    width = None if sys.stdout.isatty() else 120
    Console(highlight=False, width=width).print(drawn)


@contextmanager
def progress(label: str, total: int | None = None, *, beside_output: bool = False) -> Iterator[Callable[[int], None]]:
    """Show a progress bar while standard error is a terminal; yields what to call with each step's size.

    With `beside_output`, results are printed meanwhile: on a terminal they are the progress, and there is no bar.
    """
    if not sys.stderr.isatty() or (beside_output and sys.stdout.isatty()):
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True, highlight=False)
    meta = click.get_current_context().meta
    with Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as shown:
        bar = shown.add_task(label, total=total)
        meta[BAR] = console
        try:
            yield lambda steps: shown.advance(bar, steps)
        finally:
            del meta[BAR]
