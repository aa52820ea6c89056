"""The scribe: transitions of the outbox made durable, those that wait at the same moment by one commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from digestd.model import OutboxState
from digestd.store.base import Outbox, Transition

A_MOMENT = 0.001  # seconds

Given = ParamSpec("Given")
Result = TypeVar("Result")


class Scribe:
    """Group commit: transitions that are waiting when the last commit ends share the next one, in their order.

    A commit costs as much as a dozen transitions, so it waits a moment while fewer than `enough` ask for it. Once one
    could not be written, no further body begins; what became of those on their way is still written down.
    """

    def __init__(self, outbox: Outbox, owner: str, enough: int = 1) -> None:
        self._outbox = outbox
        self._owner = owner
        self._enough = enough
        self._waiting: list[tuple[Transition, asyncio.Future[bool]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._failure: Exception | None = None

    def record(self, transition: Transition) -> asyncio.Future[bool]:
        """Return what tells, once that is durable, whether the transition was made."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((transition, future))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        return future

    async def finish(self) -> None:
        """Wait until what was asked for is written, also for those who were cancelled while they waited."""
        if self._writing is not None:
            await asyncio.wait([self._writing])

    async def _write(self) -> None:
        while self._waiting:
            if len(self._waiting) < self._enough:
                await asyncio.sleep(A_MOMENT)
            batch, self._waiting = self._waiting, []
            if self._failure is not None:
                _refuse([one for one in batch if one[0].target is OutboxState.SENDING], self._failure)
                batch = [one for one in batch if one[0].target is not OutboxState.SENDING]
            try:
                made = await asyncio.to_thread(
                    self._outbox.record, self._owner, [transition for transition, _ in batch]
                )
            except Exception as error:
                self._failure = error
                _refuse(batch, error)
            else:
                for (_, future), done in zip(batch, made, strict=True):
                    if not future.done():
                        future.set_result(done)
        self._writing = None


def _refuse(batch: list[tuple[Transition, asyncio.Future[bool]]], error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)


async def to_its_end(call: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs) -> Result:
    """Return what a call in a thread returns. A thread cannot be stopped, so cancellation waits for its end."""
    running = asyncio.ensure_future(asyncio.to_thread(call, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        running.exception()  # seen, so that asyncio does not complain; the caller is leaving anyway
        raise
