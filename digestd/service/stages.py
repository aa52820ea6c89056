"""A stage at work again and again: woken, supervised, and known to make progress or not.

One stage failing does not stop the others: it is said, and tried again when it is woken next. Only when the store
itself can no longer be trusted does it end, and the program with it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from digestd.errors import DigestdError, StoreFailed, StoreUnusable

PATIENCE = 900.0  # seconds without progress: longer than any time limit of SMTP and the store's busy timeout

log = structlog.get_logger("digestd")


@dataclass(slots=True)
class Stage:
    """One part of the work. `trouble` is how its last round failed; None when that went well."""

    name: str
    work: Callable[[], Awaitable[None]]
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    trouble: str | None = None
    failures: int = 0
    succeeded_at: float | None = None
    _moved_at: float | None = None
    _timer: asyncio.TimerHandle | None = None

    def wake_in(self, seconds: float) -> None:
        """Wake it so much later, and no more when an earlier call said."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.wake.set)

    def progress(self) -> None:
        """Note that the round in hand is getting on. Safe from any thread."""
        if self._moved_at is not None:
            self._moved_at = time.monotonic()

    def is_stuck(self, patience: float = PATIENCE) -> bool:
        """Return whether the round in hand has shown no progress for too long."""
        moved_at = self._moved_at
        return moved_at is not None and time.monotonic() - moved_at > patience

    async def run(self, stop: asyncio.Event) -> None:
        """Work whenever woken, until `stop` is set."""
        while True:
            await self.wake.wait()
            self.wake.clear()
            if stop.is_set():
                return
            self._moved_at = time.monotonic()
            try:
                await self.work()
            except (StoreFailed, StoreUnusable):
                raise  # nothing done with this store can be trusted: end, and let the next start look at it
            except DigestdError as error:
                self._failed(str(error))
                log.error("stage-failed", stage=self.name, error=error.key, reason=str(error))
            except Exception as error:
                self._failed(f"{type(error).__name__}: {error}")
                log.exception("stage-failed", stage=self.name, error="unexpected")
            else:
                self.trouble, self.succeeded_at = None, time.time()
            finally:
                self._moved_at = None

    def _failed(self, reason: str) -> None:
        self.trouble, self.failures = reason, self.failures + 1
