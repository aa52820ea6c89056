"""Where messages lie between the press and the workers: a short queue that can be looked at, and has an end."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

Thing = TypeVar("Thing")


class Tray(Generic[Thing]):
    """A queue of at most `room` things: filled by one coroutine, emptied by several, closed when no more come."""

    def __init__(self, room: int) -> None:
        self._loop = asyncio.get_running_loop()  # asked for once: to be sure of it takes a call of the kernel
        self._room = room
        self._things: deque[Thing] = deque()
        self._takers: deque[asyncio.Future[None]] = deque()
        self._space: asyncio.Future[None] | None = None
        self._is_closed = False
        self._hungry = 0  # coroutines in `take`

    @property
    def is_finished(self) -> bool:
        """Whether nothing is in it and nothing more will come."""
        return self._is_closed and not self._things

    async def put(self, thing: Thing) -> None:
        """Lay a thing into the tray, once there is room."""
        while len(self._things) >= self._room:
            self._space = self._loop.create_future()
            await self._space
        self._things.append(thing)
        self._wake_one()

    async def take(self) -> Thing | None:
        """Return the next thing, once there is one; None when no more come."""
        self._hungry += 1
        try:
            while not self._things:
                if self._is_closed:
                    return None
                await self._something()
        finally:
            self._hungry -= 1
        return self._taken()

    def spare(self) -> Thing | None:
        """Return the next thing, if there is one beside those that others wait for."""
        return self._taken() if len(self._things) > self._hungry else None

    async def _something(self) -> None:
        waiting: asyncio.Future[None] = self._loop.create_future()
        self._takers.append(waiting)
        try:
            await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled():
                self._wake_one()  # what woke this one is for another
            raise

    def _taken(self) -> Thing:
        if self._space is not None and not self._space.done():
            self._space.set_result(None)
        return self._things.popleft()

    def give_back(self, thing: Thing) -> None:
        """Lay a thing back as the next one, room or not."""
        self._things.appendleft(thing)
        self._wake_one()

    def close(self) -> None:
        """Say that no more will come."""
        self._is_closed = True
        while self._takers:
            self._wake_one()

    def _wake_one(self) -> None:
        while self._takers:
            taker = self._takers.popleft()
            if not taker.done():
                taker.set_result(None)
                return
