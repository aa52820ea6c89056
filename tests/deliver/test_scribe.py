"""Group commit: what is asked for while one is written is written together, and each learns what became of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import cast

import pytest
from support.store_room import MONDAY

from digestd.deliver.scribe import Scribe
from digestd.errors import StoreFailed
from digestd.model import OutboxState
from digestd.store.base import Outbox, Transition


class Book:
    """An outbox that writes down the sizes of its commits, and fails at one of so many transitions."""

    def __init__(self, fails_at: int = 0) -> None:
        self.commits: list[int] = []
        self.begun = threading.Event()
        self.free = threading.Event()  # until then a commit lasts
        self.free.set()
        self._fails_at = fails_at

    def record(self, owner: str, transitions: Sequence[Transition]) -> list[bool]:
        self.begun.set()
        assert self.free.wait(10)
        if len(transitions) == self._fails_at:
            raise StoreFailed("the disk is gone")
        self.commits.append(len(transitions))
        return [transition.edition != 13 for transition in transitions]


@asynccontextmanager
async def scribe(book: Book) -> AsyncGenerator[Scribe]:
    it = Scribe(cast("Outbox", book), "me")
    yield it
    await it.finish()


def step(edition: int, target: OutboxState = OutboxState.SENDING) -> Transition:
    return Transition(edition, OutboxState.CLAIMED, target, MONDAY)


async def busy(it: Scribe, book: Book) -> asyncio.Future[bool]:
    """Have a first transition written, which lasts until the book is free."""
    book.free.clear()
    first = it.record(step(1))
    await asyncio.to_thread(book.begun.wait)
    return first


async def test_scribe_writes_what_is_asked_for_meanwhile_by_one_commit() -> None:
    book = Book()
    async with scribe(book) as it, asyncio.timeout(5):
        first = await busy(it, book)
        others = [it.record(step(edition)) for edition in (2, 3, 13, 5)]
        assert not first.done()
        book.free.set()
        assert await asyncio.gather(first, *others) == [True, True, True, False, True]
        assert book.commits == [1, 4]
        assert await it.record(step(6))
    assert book.commits == [1, 4, 1]


async def test_scribe_that_failed_begins_no_body_and_still_writes_what_became_of_others() -> None:
    book = Book(fails_at=2)
    async with scribe(book) as it, asyncio.timeout(5):
        first = await busy(it, book)
        asked = [it.record(step(2)), it.record(step(3))]
        book.free.set()
        assert await first
        failed = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(error) for error in failed] == [StoreFailed, StoreFailed]
        late = await asyncio.gather(it.record(step(4)), it.record(step(5, OutboxState.SENT)), return_exceptions=True)
        assert isinstance(late[0], StoreFailed)
        assert late[1] is True
    assert book.commits == [1, 1]


async def test_scribe_that_finishes_writes_what_was_asked_for_last_also_for_those_who_left() -> None:
    book = Book()
    async with scribe(book) as it, asyncio.timeout(5):
        asked = [await busy(it, book), it.record(step(2)), it.record(step(3))]
        asked[1].cancel()
        ending = asyncio.create_task(it.finish())
        await asyncio.sleep(0)
        assert not ending.done()
        book.free.set()
        await ending
    assert book.commits == [1, 2]
    assert [one.result() for one in asked if not one.cancelled()] == [True, True]


async def test_scribe_that_breaks_down_tells_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    async with scribe(Book()) as it, asyncio.timeout(5):
        monkeypatch.setattr(it, "_write", lambda batch: batch.no_such_thing)
        with pytest.raises(AttributeError):
            await it.record(step(1))
