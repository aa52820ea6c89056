"""A stage is supervised: it fails alone, says so, and is tried again; only a store that cannot be trusted ends it."""

from __future__ import annotations

import asyncio

import pytest

from digestd.errors import DigestdError, StoreBusy, StoreFailed, StoreUnusable
from digestd.service.stages import Stage


class Work:
    """Rounds that end as they are told to, one after the other; then the stage is asked to stop."""

    def __init__(self, *ends: Exception | None) -> None:
        self.ends = list(ends)
        self.seen: list[str | None] = []
        self.stop = asyncio.Event()
        self.stage = Stage("work", self.round)

    async def round(self) -> None:
        self.seen.append(self.stage.trouble)
        end = self.ends.pop(0)
        self.stage.wake.set()
        if not self.ends:
            self.stop.set()
        if end is not None:
            raise end

    async def run(self) -> Stage:
        self.stage.wake.set()
        async with asyncio.timeout(5):
            await self.stage.run(self.stop)
        return self.stage


async def test_stage_that_fails_says_so_and_is_tried_again_when_woken() -> None:
    work = Work(DigestdError("no such folder"), StoreBusy("locked"), ZeroDivisionError("by zero"), None, None)
    stage = await work.run()
    assert work.seen == [None, "no such folder", "locked", "ZeroDivisionError: by zero", None]
    assert (stage.trouble, stage.failures) == (None, 3)
    assert stage.succeeded_at is not None


async def test_stage_that_failed_last_is_in_trouble_and_not_stuck() -> None:
    stage = await Work(DigestdError("no such folder")).run()
    assert (stage.trouble, stage.succeeded_at, stage.is_stuck(patience=0)) == ("no such folder", None, False)


@pytest.mark.parametrize("error", [StoreFailed("damaged"), StoreUnusable("newer")])
async def test_stage_whose_store_cannot_be_trusted_ends(error: Exception) -> None:
    work = Work(error, None)
    with pytest.raises(type(error)):
        await work.run()
    assert len(work.seen) == 1


async def test_stage_woken_in_a_while_is_woken_once_by_what_was_said_last() -> None:
    stage = Work(None).stage
    stage.wake_in(3_600)
    first = stage._timer
    stage.wake_in(0)
    async with asyncio.timeout(5):
        await stage.wake.wait()
    assert first is not None
    assert first.cancelled()
