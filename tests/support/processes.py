"""A command of digestd in a process of its own, to be killed: a warm server forks it within milliseconds."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import cache
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

WARM = ["digestd.cli.pipeline", "digestd.deliver.courier", "digestd.store.open", "support.processes"]
RUN_LIMIT = 120.0  # seconds until a command that should end by itself counts as hung


def call(config: Path, arguments: tuple[str, ...], log: Path) -> None:
    """Be `digestd --config CONFIG ARGUMENTS…`, with all that it says in a file."""
    from digestd.cli import main

    with log.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        main.main(["--config", str(config), *arguments], prog_name="digestd")


@cache
def warm() -> ForkServerContext:
    """Return the context whose server has everything imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(WARM)
    return context


@asynccontextmanager
async def digestd(config: Path, *arguments: str) -> AsyncIterator[BaseProcess]:
    """Run a command; leaving kills it with SIGKILL where it still runs."""
    log = config.with_name("command.log")
    process = warm().Process(target=call, args=(config, arguments, log))
    process.start()
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await asyncio.to_thread(process.join)


async def run(config: Path, *arguments: str) -> None:
    """Run a command to its end, which must be a success."""
    async with digestd(config, *arguments) as process:
        await asyncio.to_thread(process.join, RUN_LIMIT)
        assert process.exitcode == 0, config.with_name("command.log").read_text()
