"""`backtest`: what a profile would have sent over the past days, and what each of its queries is good for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import click

from digestd.cli.common import json_option, rounds
from digestd.cli.output import say, table, tell, tell_json
from digestd.errors import NotFound
from digestd.model import Profile
from digestd.service.backtest import AT_A_TIME, Backtest, QueryYield
from digestd.service.backtest import backtest as tested
from digestd.service.rounds import Rounds
from digestd.subscribers.file import read_profiles

WIDEST = 30  # bars in a chart; more days share one
BEST = 5  # papers named
_BARS = "▁▂▃▄▅▆▇█"


@click.command()
@click.argument("profile")
@click.option("--days", type=click.IntRange(1, 3650), default=30, show_default=True, help="How far back to look.")
@json_option
def backtest(profile: str, days: int, as_json: bool) -> None:
    """Show what PROFILE would have sent over the past days.

    PROFILE is a file with a profile, a file of subscribers, or a subscriber's address. For each query: what it hits,
    by day; where it alone does; whether it never hits, or hits more than a third of all papers.

    \b
    Example:  digestd backtest my-profile.toml --days 14
    """
    with rounds(sync=not _is_file(profile)) as (made, _):
        now = made.clock()
        profiles = _profiles(made, profile)
        papers = made.store.papers
        since = now - timedelta(days=days + 1)  # the day in the profile's time zone decides
        first, newest = papers.first_since(since) - 1, papers.newest()
        cuts = [*range(first, newest, AT_A_TIME), newest]
        results = [
            tested(one, (paper for after, upto in pairwise(cuts) for paper in papers.between(after, upto)), now, days)
            for one in profiles
        ]
    if as_json:
        tell_json(results)
        return
    for result in results:
        _show(result)


def _is_file(name: str) -> bool:
    path = Path(name)
    return path.suffix == ".toml" or path.is_file()


def _profiles(made: Rounds, name: str) -> Sequence[Profile]:
    path = Path(name)
    if not _is_file(name):
        return made.store.subscribers.find(name).subscriber.profiles
    profiles, problems = read_profiles(path, made.settings)
    for problem in problems:
        say(problem)
    if not profiles:
        raise NotFound(f"{path}: no profile could be taken from it")
    return profiles


def _show(result: Backtest) -> None:
    looked, matched = sum(result.looked), sum(result.matched)
    tell(
        f"{result.profile}: {matched:,} of {looked:,} papers from {result.days[0]} to {result.days[-1]}"
        f", {matched / len(result.days):.1f} a day",
    )
    most = max((count for one in result.queries for count in bucketed(one.days)), default=0)
    rows: list[tuple[object, ...]] = [
        (_named(one), one.hits, one.alone, chart(one.days, most), one.note) for one in result.queries
    ]
    rows.append(("papers that match", matched, "", chart(result.matched, max(bucketed(result.matched))), ""))
    table(("query", "hits#", "alone#", "by day", "note"), rows)
    for text, count in result.excluded:
        tell(f"  the exclusion {text} alone takes {count:,} away")
    if result.below:
        tell(f"  min_score keeps {result.below:,} back")
    for sent in result.sent[:BEST]:
        tell(f"  {sent.day}  {sent.score:6.2f}  {sent.title}")
    if len(result.sent) > BEST:
        tell(f"  … and {len(result.sent) - BEST:,} more")
    tell("")


def _named(one: QueryYield) -> str:
    weight = f" × {one.weight:g}" if one.weight != 1 else ""
    return f"{one.query}{weight}{' (alert)' if one.alert else ''}"


def bucketed(counts: Sequence[int]) -> list[int]:
    """Return the counts of at most WIDEST stretches of days of one length, the last one whole."""
    size = -(-len(counts) // WIDEST)
    first = len(counts) % size or size
    cuts = [0, *range(first, len(counts), size), len(counts)]
    return [sum(counts[start:end]) for start, end in pairwise(cuts)]


def chart(counts: Iterable[int], most: int) -> str:
    """Return a bar for each count, as high as it is beside `most`; a dot for none."""
    return "".join(
        _BARS[min(len(_BARS) - 1, (count * len(_BARS) - 1) // most)] if count else "·"
        for count in bucketed(tuple(counts))
    )
