"""`outbox`: what waits, failed, or is uncertain."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import click

from digestd.cli.common import fail_unless, json_option, rounds
from digestd.cli.output import say, table, tell, tell_json
from digestd.model import OutboxState
from digestd.service import hand
from digestd.store.base import Store

EDITION = click.argument("edition")


@click.group()
def outbox() -> None:
    """What waits, failed, or is uncertain.

    EDITION is a number, or the beginning of an id, as `list` shows them.

    \b
    Example:  digestd outbox list --state failed
    """


@outbox.command("list")
@click.option("--state", type=click.Choice([str(state) for state in OutboxState]), help="Only those in this state.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="Show at most this many.")
@json_option
def list_(state: str | None, limit: int, as_json: bool) -> None:
    """List the editions that are not sent, the newest first."""
    with rounds() as (made, _):
        rows = made.store.outbox.rows(OutboxState(state) if state else None, limit)
        counts = made.store.outbox.counts()
    if as_json:
        for row in rows:
            tell_json(row)
        return
    table(
        ("#", "id", "to", "issue", "state", "attempts#", "not before", "reason"),
        (
            (
                row.edition,
                row.edition_id[:12],
                row.email,
                row.issue,
                row.state.value,
                row.attempts,
                f"{row.not_before:%Y-%m-%d %H:%M}",
                row.reason,
            )
            for row in rows
        ),
    )
    tell(", ".join(f"{count} {state}" for state, count in counts.items() if count) or "the outbox is empty")


@outbox.command()
@EDITION
@json_option
def show(edition: str, as_json: bool) -> None:
    """Show one edition and every line of its ledger."""
    with rounds() as (made, _):
        row, ledger = made.store.outbox.row(edition)
    if as_json:
        tell_json({"edition": row, "ledger": ledger})
        return
    tell(f"{row.edition} {row.edition_id}", f"to {row.email}, {row.issue}: {row.state} {row.reason}")
    table(
        ("at", "state", "attempt#", "phase", "code", "reply"),
        (
            (f"{line.at:%Y-%m-%d %H:%M:%S}", line.state, line.attempt, line.phase or "", line.code or "", line.reply)
            for line in ledger
        ),
    )


@outbox.command()
@EDITION
def retry(edition: str) -> None:
    """Send a failed or uncertain edition again, with the same Message-ID."""
    _say(lambda store, now: hand.retry(store, edition, now))


@outbox.command()
@EDITION
@click.option("--as", "state", type=click.Choice(["sent", "cancelled"]), required=True, help="What became of it.")
def resolve(edition: str, state: str) -> None:
    """Say what became of an edition that failed, is uncertain, or waits; it is not sent again."""
    _say(lambda store, now: hand.resolve(store, edition, state, now))


@outbox.command()
@click.argument("edition", required=False)
def release(edition: str | None) -> None:
    """Let an edition go now that waits for its next try; without EDITION, let a store go that is held.

    A store is held when it is a copy: a backup that was put back, or a cloned machine's. Before you let it go, see
    with `outbox list` what waits in it, and settle with `outbox resolve` what was sent since the copy was made.
    """
    if edition is not None:
        _say(lambda store, now: hand.release(store, edition, now))
        return
    with rounds() as (made, _):
        tell(hand.release_store(made.store))


def _say(action: Callable[[Store, datetime], hand.Done]) -> None:
    with rounds() as (made, _):
        done = action(made.store, made.clock())
    (tell if done.moved else say)(done.said)
    fail_unless(done.moved)
