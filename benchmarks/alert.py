"""How long an alert takes, from a file's rename into the inbox to the relay's 250: `python -m benchmarks.alert`.

`serve` runs with its defaults beside a relay in this process, once with alerts at once and once grouped. Most of what
is left is the second for which a file must lie untouched before it is taken for whole (`ingest.settle_seconds`).
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from digestd.ingest.formats import json_lines
from digestd.model import Paper

ROUNDS = 10
WAITS = (0, 3)  # seconds of `schedule.alert_wait_seconds`
LIMIT = 2.0  # seconds beyond the wait
OTHERS = 1_000  # readers who follow something else, at once
PATIENCE = 60.0  # seconds until an alert counts as lost


class Sink:
    """A relay that takes everything, and tells when it said 250 to a message."""

    def __init__(self) -> None:
        self.taken: asyncio.Queue[float] = asyncio.Queue()

    async def hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak with one client."""
        writer.write(b"220 sink\r\n")
        is_body = False
        while line := await _line(reader):
            if is_body:
                if line == b".\r\n":
                    is_body = False
                    writer.write(b"250 taken\r\n")
                    self.taken.put_nowait(time.monotonic())
                continue
            is_body = line.upper().startswith(b"DATA")
            writer.write(b"354 go on\r\n" if is_body else b"250 ok\r\n")
        writer.close()


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readline()
    except ConnectionError:  # a client may leave without a word
        return b""


def configured(folder: Path, port: int, wait: int) -> Path:
    """Write the configuration and the people; returns the configuration."""
    people = [
        f'[[subscriber]]\nemail = "r{number}@example.org"\n[[subscriber.profile]]\nname = "P"\n'
        f'cadence = "immediate"\nqueries = ["{f"graph{number % 97}" if number else "robot"}"]\n'
        for number in range(1 + OTHERS)
    ]
    (folder / "subscribers.toml").write_text("".join(people))
    config = folder / "digestd.toml"
    config.write_text(
        f'[smtp]\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\n[mail]\nfrom_address = "papers@example.org"\n'
        f"[schedule]\nalert_wait_seconds = {wait}\n"
    )
    return config


async def seconds(folder: Path, wait: int, rounds: int = ROUNDS) -> list[float]:
    """Return how long each alert took. Raises TimeoutError for one that does not come."""
    sink = Sink()
    server = await asyncio.start_server(sink.hear, "127.0.0.1", 0)
    config = configured(folder, server.sockets[0].getsockname()[1], wait)
    serve = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "digestd", "--config", str(config), "serve", stderr=asyncio.subprocess.PIPE
    )
    assert serve.stderr
    reading: asyncio.Task[bytes] | None = None
    try:
        async with asyncio.timeout(PATIENCE):
            while b"serving" not in (line := await serve.stderr.readline()):
                assert line, "serve has ended"
        reading = asyncio.create_task(serve.stderr.read())
        found = []
        for number in range(rounds):
            file = folder / "new.jsonl"
            file.write_text(json_lines.dump(Paper(f"arXiv:2611.{number:05}", f"A robot {number}")) + "\n")
            renamed = time.monotonic()
            file.rename(folder / "var" / "inbox" / f"{number}.jsonl")
            async with asyncio.timeout(PATIENCE):
                found.append(await sink.taken.get() - renamed)
        return found
    finally:
        serve.terminate()
        await serve.wait()
        if reading:
            await reading
        server.close()


def main() -> None:
    """Measure and print; ends with 1 where an alert was too late."""
    late = False
    for wait in WAITS:
        with tempfile.TemporaryDirectory(prefix="digestd-alert-") as folder:
            over = sorted(one - wait for one in asyncio.run(seconds(Path(folder), wait)))
        late |= over[-1] > LIMIT
        print(
            f"alert at group_wait {wait} s: {over[0]:.2f} to {over[-1]:.2f} s over it, "
            f"median {over[len(over) // 2]:.2f}, limit {LIMIT} ({len(over)} times)"
        )
    sys.exit(int(late))


if __name__ == "__main__":
    main()
