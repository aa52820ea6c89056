"""A service manager that listens: a socket in the place of systemd's."""

from __future__ import annotations

import os
import socket
from pathlib import Path


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


def under(manager: Path, watchdog: str) -> None:
    """Let this process believe that the manager runs it, and wants to hear of it so often, in microseconds."""
    os.environ.update(NOTIFY_SOCKET=str(manager), WATCHDOG_USEC=watchdog, WATCHDOG_PID=str(os.getpid()))
