"""Group commit: what is asked for within a moment is written together, and each learns what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

from support.store_room import MONDAY

from digestd.deliver.scribe import Scribe
from digestd.errors import StoreFailed
from digestd.model import OutboxState
from digestd.store.base import Outbox, Transition


class Book:
    """An outbox that writes down the sizes of its commits, and fails at one of so many transitions."""

    def __init__(self, fails_at: int = 0) -> None:
        self.commits: list[int] = []
        self._fails_at = fails_at

    def record(self, owner: str, transitions: Sequence[Transition]) -> list[bool]:
        if len(transitions) == self._fails_at:
            raise StoreFailed("the disk is gone")
        self.commits.append(len(transitions))
        return [transition.edition != 13 for transition in transitions]


def scribe(book: Book, enough: int = 1) -> Scribe:
    return Scribe(cast("Outbox", book), "me", enough)


def step(edition: int, target: OutboxState = OutboxState.SENDING) -> Transition:
    return Transition(edition, OutboxState.CLAIMED, target, MONDAY)


async def test_scribe_with_too_few_transitions_waits_a_moment_for_others() -> None:
    book = Book()
    it = scribe(book, enough=3)
    first = it.record(step(1))
    await asyncio.sleep(0)  # the first commit would have begun
    await asyncio.sleep(0)
    assert await asyncio.gather(first, it.record(step(2)), it.record(step(13))) == [True, True, False]
    assert book.commits == [3]
    assert await it.record(step(4))  # and not for ever
    assert book.commits == [3, 1]


async def test_scribe_with_enough_transitions_writes_them_at_once() -> None:
    book = Book()
    it = scribe(book, enough=2)
    async with asyncio.timeout(5):
        await asyncio.gather(*(it.record(step(edition)) for edition in range(5)))
    assert book.commits == [5]


async def test_scribe_that_failed_begins_no_body_and_still_writes_what_became_of_others() -> None:
    book = Book(fails_at=2)
    it = scribe(book)
    failed = await asyncio.gather(it.record(step(1)), it.record(step(2)), return_exceptions=True)
    assert [type(error) for error in failed] == [StoreFailed, StoreFailed]
    late = await asyncio.gather(it.record(step(3)), it.record(step(4, OutboxState.SENT)), return_exceptions=True)
    assert isinstance(late[0], StoreFailed)
    assert late[1] is True
    assert book.commits == [1]
