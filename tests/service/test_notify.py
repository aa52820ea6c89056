"""What systemd hears from a running service, by a socket in its place."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from support.serving import serving
from support.smtp_script import SmtpScript
from support.world import reader

from digestd.service.notify import Notifier, handed_over

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


class Manager:
    """A service manager that listens."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)
        self._heard: list[str] = []

    @property
    def heard(self) -> list[str]:
        """Every assignment so far."""
        while True:
            try:
                self._heard += self._socket.recv(65536).decode().split("\n")
            except BlockingIOError:
                return self._heard

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify")
    yield made
    made.close()


def under(manager: Path, watchdog: str) -> None:
    os.environ.update(NOTIFY_SOCKET=str(manager), WATCHDOG_USEC=watchdog, WATCHDOG_PID=str(os.getpid()))


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
