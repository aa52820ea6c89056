"""Group commit: what is asked for within a moment is written together, and each learns what became of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import cast

import pytest
from support.store_room import MONDAY

from digestd.deliver import scribe as room
from digestd.deliver.scribe import Scribe
from digestd.errors import StoreFailed
from digestd.model import OutboxState
from digestd.store.base import Outbox, Transition


class Book:
    """An outbox that writes down the sizes of its commits, and fails at one of so many transitions."""

    def __init__(self, fails_at: int = 0) -> None:
        self.commits: list[int] = []
        self.free = threading.Event()  # until then a commit lasts
        self.free.set()
        self.begun = threading.Event()
        self._fails_at = fails_at

    def record(self, owner: str, transitions: Sequence[Transition]) -> list[bool]:
        self.begun.set()
        assert self.free.wait(10)
        if len(transitions) == self._fails_at:
            raise StoreFailed("the disk is gone")
        self.commits.append(len(transitions))
        return [transition.edition != 13 for transition in transitions]


class Moment:
    """The moments that the scribe waits for more: each lasts until it is over."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun = 0
        self.over = threading.Event()
        monkeypatch.setattr(room, "_rest", self._last)

    def _last(self) -> None:
        self.begun += 1
        assert self.over.wait(10)


@pytest.fixture
def moment(monkeypatch: pytest.MonkeyPatch) -> Moment:
    return Moment(monkeypatch)


@asynccontextmanager
async def scribe(book: Book, enough: int = 1) -> AsyncGenerator[Scribe]:
    it = Scribe(cast("Outbox", book), "me", enough)
    yield it
    await it.finish()


def step(edition: int, target: OutboxState = OutboxState.SENDING) -> Transition:
    return Transition(edition, OutboxState.CLAIMED, target, MONDAY)


async def test_scribe_with_too_few_transitions_waits_a_moment_for_others(moment: Moment) -> None:
    book = Book()
    async with scribe(book, enough=4) as it:
        asked = [it.record(step(1)), it.record(step(2)), it.record(step(13))]
        moment.over.set()
        assert await asyncio.gather(*asked) == [True, True, False]
        assert book.commits == [3]
        assert await it.record(step(4))  # and not for ever
        assert book.commits == [3, 1]
        assert moment.begun == 2


async def test_scribe_with_enough_transitions_writes_them_at_once(moment: Moment) -> None:
    book = Book()
    book.free.clear()
    moment.over.set()
    async with scribe(book, enough=2) as it, asyncio.timeout(5):
        asked = [it.record(step(1))]
        await asyncio.to_thread(book.begun.wait)
        asked += [it.record(step(edition)) for edition in range(2, 7)]
        book.free.set()
        await asyncio.gather(*asked)
    assert book.commits == [1, 5]
    assert moment.begun == 1  # for the first one, which was not enough


async def test_scribe_that_failed_begins_no_body_and_still_writes_what_became_of_others(moment: Moment) -> None:
    book = Book(fails_at=2)
    async with scribe(book, enough=3) as it:
        asked = [it.record(step(1)), it.record(step(2))]
        moment.over.set()
        failed = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(error) for error in failed] == [StoreFailed, StoreFailed]
        late = await asyncio.gather(it.record(step(3)), it.record(step(4, OutboxState.SENT)), return_exceptions=True)
        assert isinstance(late[0], StoreFailed)
        assert late[1] is True
    assert book.commits == [1]


async def test_scribe_that_finishes_writes_what_was_asked_for_last_also_for_those_who_left() -> None:
    book = Book()
    async with scribe(book) as it:
        book.free.clear()
        asked = [it.record(step(edition)) for edition in (1, 2, 3)]
        asked[1].cancel()
        ending = asyncio.create_task(it.finish())
        await asyncio.sleep(0)
        assert not ending.done()
        book.free.set()
        await ending
    assert sum(book.commits) == 3
    assert [one.result() for one in asked if not one.cancelled()] == [True, True]


async def test_scribe_that_breaks_down_tells_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise OSError("no clock here")

    monkeypatch.setattr(room, "_rest", broken)
    async with scribe(Book(), enough=2) as it, asyncio.timeout(5):
        with pytest.raises(OSError, match="no clock here"):
            await it.record(step(1))
