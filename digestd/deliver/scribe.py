"""The scribe: transitions of the outbox made durable, those that wait at the same moment by one commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import ParamSpec, TypeVar

from digestd.model import OutboxState
from digestd.store.base import Outbox, Transition

Given = ParamSpec("Given")
Result = TypeVar("Result")

_Asked = tuple[Transition, "asyncio.Future[bool]"]


class Scribe:
    """Group commit: transitions that are waiting when the last commit ends share the next one, in their order.

    Once one could not be written, no further body begins; what became of those on their way is still written down.

    Its thread takes what waits by itself: to wake another one for each commit takes longer than what it writes.
    For one event loop, until `finish`.
    """

    def __init__(self, outbox: Outbox, owner: str) -> None:
        self._outbox = outbox
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._asked: SimpleQueue[_Asked | None] = SimpleQueue()
        self._failure: Exception | None = None
        self._ended: asyncio.Future[None] = self._loop.create_future()
        # A program that ends without `finish` does not wait for it: to the store that is a crash, and no hang.
        Thread(target=self._work, name="scribe", daemon=True).start()

    def record(self, transition: Transition) -> asyncio.Future[bool]:
        """Return what tells, once that is durable, whether the transition was made."""
        future: asyncio.Future[bool] = self._loop.create_future()
        self._asked.put((transition, future))
        return future

    async def finish(self) -> None:
        """Wait until what was asked for is written, also for those who were cancelled while they waited."""
        self._asked.put(None)
        await asyncio.wait([self._ended])

    def _work(self) -> None:
        is_over = False
        while not is_over:
            batch: list[_Asked] = []
            try:
                is_over = self._take(batch)
                self._write(batch)
            except Exception as error:  # whatever it is: who waits for a mark would wait for ever
                self._failure = error
                self._tell(batch, error)
        self._loop.call_soon_threadsafe(self._ended.set_result, None)

    def _take(self, batch: list[_Asked]) -> bool:
        """Put what waits into `batch`, once there is something. Returns whether that was all."""
        while True:
            one = self._asked.get()
            if one is None:
                return True
            batch.append(one)
            if self._asked.empty():
                return False

    def _write(self, batch: list[_Asked]) -> None:
        if self._failure is not None:
            self._tell([one for one in batch if one[0].target is OutboxState.SENDING], self._failure)
            batch = [one for one in batch if one[0].target is not OutboxState.SENDING]
        if batch:
            self._tell(batch, self._outbox.record(self._owner, [transition for transition, _ in batch]))

    def _tell(self, batch: Sequence[_Asked], came: Sequence[bool] | Exception) -> None:
        self._loop.call_soon_threadsafe(_tell, [future for _, future in batch], came)


def _tell(futures: Sequence[asyncio.Future[bool]], came: Sequence[bool] | Exception) -> None:
    """Tell each who waits whether its transition was made, or why none was."""
    for at, future in enumerate(futures):
        if future.done():  # nobody waits any more
            continue
        if isinstance(came, Exception):
            future.set_exception(came)
        else:
            future.set_result(came[at])


async def to_its_end(call: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs) -> Result:
    """Return what a call in a thread returns. A thread cannot be stopped, so cancellation waits for its end."""
    running = asyncio.ensure_future(asyncio.to_thread(call, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        running.exception()  # seen, so that asyncio does not complain; the caller is leaving anyway
        raise
