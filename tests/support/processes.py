"""A command of digestd in a process of its own, to be killed: a warm server forks it within milliseconds.

A fault is put into the child before the command begins, by a function of the tests that is called there: so the
package itself holds no fail points, and nothing that an operator can set brings one about.
"""

from __future__ import annotations

import asyncio
import faulthandler
import multiprocessing
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import cache
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

from support import powercut

WARM = ["digestd.cli.pipeline", "digestd.service.daemon", "digestd.deliver.courier", "digestd.store.open"]
WARM += ["digestd.cli.common", "support.processes", "support.fail_points"]
RUN_LIMIT = 120.0  # seconds until a command that should end by itself counts as hung

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)

Fault = Callable[[], None]


def call(config: Path, arguments: tuple[str, ...], log: Path, fault: Fault | None) -> None:
    """Be `digestd --config CONFIG ARGUMENTS…`, with all that it says in a file."""
    from digestd.cli import main

    with log.open("a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        faulthandler.enable(sys.stderr)
        if fault:
            fault()
        main.main(["--config", str(config), *arguments], prog_name="digestd")


@cache
def warm() -> ForkServerContext:
    """Return the context whose server has everything imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(WARM)
    before = os.environ.get("LD_PRELOAD")
    if powercut.COMPILER:
        os.environ["LD_PRELOAD"] = str(powercut.built())  # it does nothing until a child arms it
    try:
        forkserver.ensure_running()
    finally:
        os.environ.pop("LD_PRELOAD", None)
        if before is not None:
            os.environ["LD_PRELOAD"] = before
    return context


@asynccontextmanager
async def digestd(
    config: Path, *arguments: str, fault: Fault | None = None, log: str = "command.log"
) -> AsyncIterator[BaseProcess]:
    """Run a command; leaving kills it with SIGKILL where it still runs. What it says is added to the log."""
    process = warm().Process(target=call, args=(config, arguments, config.with_name(log), fault))
    process.start()
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await asyncio.to_thread(process.join)


async def finished(config: Path, *arguments: str, fault: Fault | None = None) -> tuple[int | None, str]:
    """Run a command to its end, however it ends. Returns its exit status, negative for a signal, and what it said."""
    log = config.with_name("command.log")
    log.unlink(missing_ok=True)
    async with digestd(config, *arguments, fault=fault) as process:
        await asyncio.to_thread(process.join, RUN_LIMIT)
        if process.exitcode is None:
            os.kill(process.pid or 0, signal.SIGABRT)  # its threads say where they stand
            await asyncio.to_thread(process.join)
        return process.exitcode, log.read_text(errors="replace")


async def run(config: Path, *arguments: str) -> None:
    """Run a command to its end, which must be a success."""
    status, said = await finished(config, *arguments)
    assert status == 0, f"status {status}: {said}"


async def run_at(seconds: float, config: Path, *arguments: str) -> None:
    """Run a command to its end, which must be a success, in a process whose clock is off by so many seconds."""
    faked = {"LD_PRELOAD": str(FAKETIME), "FAKETIME": f"{seconds:+.0f}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    command = [sys.executable, "-m", "digestd", "--config", str(config), *arguments]
    process = await asyncio.create_subprocess_exec(*command, env=os.environ | faked, stderr=asyncio.subprocess.PIPE)
    _, said = await asyncio.wait_for(process.communicate(), RUN_LIMIT)
    assert process.returncode == 0, said.decode()
