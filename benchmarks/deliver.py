"""Deliver: editions rendered, recorded and accepted by smtp-sink, beside smtp-source into the same sink."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from benchmarks import world
from benchmarks.rows import ROUNDS, Row, median, timed
from digestd.config import Dkim, Settings
from digestd.service import build
from digestd.service.press_room import PressRoom
from digestd.service.rounds import Rounds

FEW, MANY = 20_000, 100_000  # readers; with many, what the start takes counts for less
OCTETS = 25_000  # of a dummy's body; with its header it has 25,125, and the world's editions have 25,216 in the mean


def deliver(folder: Path) -> list[Row]:
    """Return the rows of delivery; none where Postfix's smtp-sink and smtp-source are missing."""
    if not (shutil.which("smtp-sink") and shutil.which("smtp-source")):
        return []
    return [
        *(_delivered(folder, FEW, connections) for connections in (8, 32, 64)),
        *(_delivered(folder, MANY, connections) for connections in (32, 64)),
        _delivered(folder, FEW, 32, signed=True),
        *(_published_and_delivered(folder, FEW, connections) for connections in (32, 64)),
    ]


def _delivered(folder: Path, readers: int, connections: int, *, signed: bool = False) -> Row:
    def ours(rounds: Rounds) -> float:
        rounds.publish()
        return timed(lambda: _run(rounds, readers))

    what = f"deliver: {readers:,} editions, {connections} connections{', DKIM' if signed else ''}"
    return _beside_source(what, folder, readers, connections, ours, signed=signed)


def _published_and_delivered(folder: Path, readers: int, connections: int) -> Row:
    def ours(rounds: Rounds) -> float:
        def once() -> None:
            with PressRoom(rounds.settings) as room:
                rounds.publish(room=room)
                _run(rounds, readers, room)

        return timed(once)

    what = f"publish, deliver: {readers:,} editions, {connections} connections"
    return _beside_source(what, folder, readers, connections, ours)


def _beside_source(
    what: str, folder: Path, readers: int, connections: int, ours: Callable[[Rounds], float], *, signed: bool = False
) -> Row:
    times = []
    with sink() as port:
        for _ in range(ROUNDS):
            database = folder / f"deliver-{time.monotonic_ns()}.db"
            settings = world.settings(folder, database, port, connections)
            settings = _signing(settings, folder) if signed else settings
            with closing(build.store(settings)) as store:
                mine = ours(world.peopled(settings, store, readers))
            times.append((mine, timed(lambda: _source(port, connections, readers))))
            database.unlink()
    return median(what, f"smtp-source, {OCTETS:,} octets", times)


def _run(rounds: Rounds, readers: int, room: PressRoom | None = None) -> None:
    with asyncio.Runner(loop_factory=build.loop_factory()) as runner:
        report = runner.run(rounds.deliver(room=room))
    assert report.sent == readers


def _signing(settings: Settings, folder: Path) -> Settings:
    file = folder / "dkim.pem"
    file.write_bytes(generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    mail = settings.mail.model_copy(update={"dkim": (Dkim(selector="bench", key_file=file),)})
    return settings.model_copy(update={"mail": mail})


def _source(port: int, connections: int, messages: int) -> None:
    command = ["smtp-source", "-s", str(connections), "-l", str(OCTETS), "-m", str(messages), "-d"]
    subprocess.run([*command, "-f", "a@b.example", "-t", "c@d.example", f"127.0.0.1:{port}"], check=True)


@contextmanager
def sink() -> Iterator[int]:
    """Run smtp-sink, which takes every message and keeps none; yields its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    sink = subprocess.Popen(
        ["smtp-sink", *user, f"127.0.0.1:{port}", "200"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield port
    finally:
        sink.terminate()
        sink.wait()
