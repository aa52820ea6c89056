"""Store calls beside the event loop: a few threads of their own, a short queue, and an end to waiting.

A locked database then costs the web pages their answer, and the other stages of the daemon nothing. What only reads a
few rows is done in the loop itself: it takes less than handing it over, and beside a delivery each way to a thread and
back waits for the interpreter's lock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TypeVar

from digestd.errors import StoreBusy

THREADS = 4
LONGEST_QUEUE = 500  # calls: a second's work for a healthy store, and far more than it gets
LONGEST_READ = 0.02  # seconds that the loop may be held by one; a disk that takes longer is left to the threads
FAR_TOO_LONG = 0.2  # seconds; one that takes longer than LONGEST_READ may also have waited for a processor
DISTRUST = 10.0  # seconds after two of the former in a row, or one of the latter

_T = TypeVar("_T")


class StoreThreads:
    """Runs store calls. Its threads stay, because a store keeps a connection for every thread that reads."""

    def __init__(self, limit: float, at_once: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        """`at_once` is the store's: within it nothing waits for another process."""
        self._limit = limit
        self._at_once = at_once
        self._slow_until = 0.0
        self._was_slow = False
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="web-store")
        self._waiting = 0

    async def read(self, call: Callable[[], _T]) -> _T:
        """Return what a call returns that reads a few rows and changes nothing. Raises as `run` does."""
        begun = time.monotonic()
        if begun >= self._slow_until:
            try:
                with suppress(StoreBusy), self._at_once():  # a thread may wait for it
                    return call()
            finally:
                now = time.monotonic()
                is_slow = now - begun > LONGEST_READ
                if is_slow and (self._was_slow or now - begun > FAR_TOO_LONG):
                    self._slow_until = now + DISTRUST
                self._was_slow = is_slow
        return await self.run(call)

    def begin(self, call: Callable[[], object]) -> None:
        """Have a call made that prepares something; that it failed is met by who needs what it was to prepare."""
        self._pool.submit(call)

    async def run(self, call: Callable[[], _T]) -> _T:
        """Return what `call` returns, or raise what it raises.

        Raises StoreBusy when too many calls wait, or after `limit` seconds; a call that has begun then goes on
        to its end unseen, so it must be one that may be repeated.
        """
        if self._waiting >= LONGEST_QUEUE:
            raise StoreBusy(f"{self._waiting} requests wait for the store")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._limit):
                return await asyncio.get_running_loop().run_in_executor(self._pool, call)
        except TimeoutError:
            raise StoreBusy(f"the store has not answered for {self._limit:g} seconds") from None
        finally:
            self._waiting -= 1
