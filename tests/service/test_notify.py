"""What systemd hears from a running service, by a socket in its place."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from support.manager import Manager, under
from support.serving import serving
from support.smtp_script import SmtpScript
from support.store_room import StoreRoom, opened
from support.world import reader

from digestd.service.notify import Notifier, handed_over
from digestd.service.stages import PATIENCE, Stage
from digestd.service.standing import Standing

CONFIG = """
[paths]
inbox = "inbox"
[smtp]
host = "127.0.0.1"
port = {port}
tls = "none"
[mail]
from_address = "papers@example.org"
"""


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify")
    yield made
    made.close()


async def test_serve_tells_its_life_to_systemd(tmp_path: Path, manager: Manager) -> None:
    async with SmtpScript() as relay:
        config = tmp_path / "digestd.toml"
        config.write_text(CONFIG.format(port=relay.port))
        (tmp_path / "subscribers.toml").write_text(reader("ada", "robot"))
        async with serving(config, fault=partial(under, manager.path, "100000")) as served:
            await served.until(lambda: manager.heard.count("WATCHDOG=1") >= 3)
            assert manager.heard[:2] == ["READY=1", "STATUS=at work"]
            config.write_text("[smtp]\n")
            served.send(signal.SIGHUP)
            await served.until(lambda: manager.heard.count("READY=1") == 2)
            assert "RELOADING=1" in manager.heard
            assert any(
                one.startswith("STATUS=the last good configuration is in force: ") and "smtp.host" in one
                for one in manager.heard
            )
            assert await served.stopped() == 0
            assert "STOPPING=1" in manager.heard
            assert manager.heard[-1].startswith("STATUS=ending")


class Watched:
    """A stage and a standing at work in this loop, with a watchdog that wants to hear of them every 20 ms."""

    def __init__(self, room: StoreRoom, manager: Manager) -> None:
        self._manager = manager
        self.block = 0.0
        self.fed_meanwhile: list[int] = []
        self.stage = Stage("deliver", self._work)
        self.standing = Standing(room.store, (self.stage,), Notifier(str(manager.path), 0.02))

    @property
    def fed(self) -> int:
        """How often the watchdog was fed so far."""
        return self._manager.heard.count("WATCHDOG=1")

    async def _work(self) -> None:
        before = self.fed
        time.sleep(self.block)  # noqa: ASYNC251 - what is tested
        self.fed_meanwhile.append(self.fed - before)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something to become true."""
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.005)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Let both run, and end them."""
        stop = asyncio.Event()
        parts = [asyncio.create_task(part) for part in (self.standing.keep(stop), self.stage.run(stop))]
        try:
            yield
        finally:
            stop.set()
            self.stage.wake.set()
            await asyncio.gather(*parts)


async def test_watchdog_is_not_fed_while_the_event_loop_is_blocked_and_work_goes_on_afterwards(
    tmp_path: Path, manager: Manager
) -> None:
    with opened(tmp_path / "digestd.db") as room:
        watched = Watched(room, manager)
        async with watched.at_work():
            await watched.until(lambda: watched.fed >= 2)
            watched.block = 0.5  # 25 times as long as the watchdog waits
            watched.stage.wake.set()
            await watched.until(lambda: watched.fed_meanwhile == [0])
            fed = watched.fed
            await watched.until(lambda: watched.fed > fed)
            watched.block = 0.0
            watched.stage.wake.set()
            await watched.until(lambda: len(watched.fed_meanwhile) == 2)
        assert watched.stage.trouble is None


async def test_watchdog_is_not_fed_while_a_stage_stands_still_and_is_once_it_gets_on(
    tmp_path: Path, manager: Manager
) -> None:
    with opened(tmp_path / "digestd.db") as room:
        watched = Watched(room, manager)
        async with watched.at_work():
            await watched.until(lambda: watched.fed >= 2)
            watched.stage._moved_at = time.monotonic() - PATIENCE - 1
            await watched.until(lambda: "STATUS=deliver makes no progress" in manager.heard)
            fed = watched.fed
            await asyncio.sleep(0.1)  # five times what it waits
            assert watched.fed == fed
            watched.stage.progress()
            await watched.until(lambda: watched.fed > fed)
            watched.stage._moved_at = None


def test_notifier_without_a_manager_or_with_a_vanished_one_is_silent(tmp_path: Path) -> None:
    Notifier().tell("READY=1")
    Notifier(str(tmp_path / "gone")).tell("READY=1")
    Notifier("ftp://x").tell("READY=1")


def test_notifier_of_the_environment_is_ours_alone(tmp_path: Path) -> None:
    mine = {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "30000000"}
    assert Notifier.of(mine) == Notifier("/run/x", 30.0)
    assert Notifier.of({**mine, "WATCHDOG_PID": "1"}) == Notifier("/run/x", None)
    assert Notifier.of({**mine, "WATCHDOG_USEC": "soon"}).watchdog is None
    assert Notifier.of({}) == Notifier()


def test_notifier_sends_one_line_for_each_assignment(manager: Manager) -> None:
    Notifier(str(manager.path)).status("a mistake\nREADY=1")
    assert manager.heard == ["STATUS=a mistake READY=1"]


def test_notifier_speaks_to_an_abstract_socket() -> None:
    name = f"digestd-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0{name}")
        Notifier(f"@{name}").tell("READY=1")
        listener.settimeout(5)
        assert listener.recv(100) == b"READY=1"


def test_handed_over_is_nothing_unless_it_is_for_this_process() -> None:
    assert handed_over({}) is None
    assert handed_over({"LISTEN_PID": "1", "LISTEN_FDS": "1"}) is None
    assert handed_over({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "0"}) is None
