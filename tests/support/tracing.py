"""A command under strace, which kills it at a system call or lets the call fail."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from support.fail_points import wait_for_tracer
from support.processes import RUN_LIMIT, digestd

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


async def traced(config: Path, command: str, *options: str) -> tuple[int | None, str]:
    """Run a command under strace. Returns how it ended, and what it said; strace's own log is `strace.log`."""
    log = config.with_name("command.log")
    log.unlink(missing_ok=True)
    async with digestd(config, command, fault=wait_for_tracer) as process:
        strace = await asyncio.create_subprocess_exec(
            "strace", "-f", "-qq", "-o", str(config.with_name("strace.log")), "-p", str(process.pid), *options,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        await asyncio.to_thread(process.join, RUN_LIMIT)
        _, said = await strace.communicate()
        if b"Operation not permitted" in said:
            pytest.skip("strace may not trace here")
        return process.exitcode, log.read_text(errors="replace")
