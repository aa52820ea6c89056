"""`digestd serve` in a process of its own, with its log at hand."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

from support.processes import Fault, digestd

LIMIT = 20.0  # seconds until a condition counts as never met


class Served:
    """A running daemon and what it wrote."""

    def __init__(self, process: BaseProcess, log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something to become true."""
        try:
            async with asyncio.timeout(LIMIT):
                while not condition():
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(self.log) from None

    async def says(self, words: str, times: int = 1) -> None:
        """Wait for words in the log."""
        await self.until(lambda: self.log.count(words) >= times)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    async def ended(self) -> int | None:
        """Wait for its end; returns its exit status."""
        await asyncio.to_thread(self.process.join, LIMIT)
        assert self.process.exitcode is not None, f"it does not end\n{self.log}"
        return self.process.exitcode

    async def stopped(self) -> int | None:
        """Ask it to end; returns its exit status."""
        self.send(signal.SIGTERM)
        return await self.ended()


@asynccontextmanager
async def serving(config: Path, fault: Fault | None = None, log: str = "serve.log") -> AsyncIterator[Served]:
    """Run the daemon until the block ends; it is killed where it still runs."""
    config.with_name(log).unlink(missing_ok=True)
    (config.parent / "inbox").mkdir(exist_ok=True)
    async with digestd(config, "serve", fault=fault, log=log) as process:
        served = Served(process, config.with_name(log))
        await served.says("event=serving")
        yield served
