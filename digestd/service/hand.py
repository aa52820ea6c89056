"""What an operator does by hand: the same from the command line and from the operator's pages."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from digestd.errors import NotFound
from digestd.model import Origin, OutboxState, StoredPaper, SubscriberState
from digestd.publish.wording import counted
from digestd.store.base import Store, StoredSubscriber

WAITING = (OutboxState.READY,)
STUCK = (OutboxState.FAILED, OutboxState.UNCERTAIN)

MOVES = MappingProxyType(
    {
        "pause": (SubscriberState.PAUSED, "paused"),
        "resume": (SubscriberState.ACTIVE, "active"),
        "remove": (SubscriberState.UNSUBSCRIBED, "unsubscribed"),
    }
)


@dataclass(frozen=True, slots=True)
class Done:
    """What became of an edition by an operator's hand, in a sentence; `moved` is False where nothing was done."""

    said: str
    moved: bool


def retry(store: Store, edition: str, now: datetime) -> Done:
    """Send a failed or uncertain edition again, with the same Message-ID. Raises NotFound."""
    return _settle(store, edition, STUCK, OutboxState.READY, "an operator wants it sent again", now)


def resolve(store: Store, edition: str, state: str, now: datetime) -> Done:
    """Say that an edition which failed, is uncertain, or waits is `sent` or `cancelled`; it is not sent again."""
    return _settle(store, edition, (*STUCK, *WAITING), OutboxState(state), f"an operator settled it as {state}", now)


def release(store: Store, edition: str, now: datetime) -> Done:
    """Let an edition go now that waits for its next try. Raises NotFound."""
    return _settle(store, edition, WAITING, OutboxState.READY, "an operator let it go at once", now)


def release_store(store: Store) -> str:
    """Let a store go that is held because it is a copy; returns what that led to."""
    reason = store.outbox.held()
    if reason:
        store.outbox.adopt()
    waiting = counted(store.outbox.counts()[OutboxState.READY], "edition")
    held = f"was held because {reason}" if reason else "was not held"
    return f"the store {held}; it sends from now on; {waiting} waiting"


def move(store: Store, email: str, word: str, now: datetime) -> StoredSubscriber:
    """Pause, resume or remove a person, by a word of MOVES. Raises NotFound and NotAllowed."""
    return store.subscribers.set_state(email, MOVES[word][0], Origin.OPERATOR, now)


def one_paper(store: Store, name: str) -> StoredPaper:
    """Return the paper of an id, a link or a piece of its title. Raises NotFound, naming those that it may be."""
    found = store.papers.find(name)
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotFound(f"no paper {name!r}: give an id, a link, or a piece of the title")
    titles = "\n".join(f"  {one.paper.id}  {one.paper.title}" for one in found)
    raise NotFound(f"several papers have {name!r} in their title; which of these?\n{titles}")


def _settle(
    store: Store, edition: str, source: Collection[OutboxState], target: OutboxState, reason: str, now: datetime
) -> Done:
    row, _ledger = store.outbox.row(edition)
    who = f"{row.edition_id[:12]} to {row.email}"
    if store.outbox.settle(row.edition, source, target, reason, now):
        return Done(f"{who} is {target}", moved=True)
    return Done(f"{who} is {row.state}; this takes one that is {' or '.join(source)}", moved=False)
