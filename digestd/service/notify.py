"""What systemd is told, and what it hands over: sd_notify(3) and sd_listen_fds(3), without its library.

Without systemd nothing of this happens, and no failure of it is one of the service.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

FIRST_SOCKET = 3  # SD_LISTEN_FDS_START


@dataclass(frozen=True, slots=True)
class Notifier:
    """Tells the service manager at `address` (a path, or an abstract name after an @); to nobody where it is empty.

    `watchdog` is how often it wants to hear that all is well, in seconds; None where it does not ask.
    """

    address: str = ""
    watchdog: float | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Notifier:
        """Return the one that the environment names."""
        mine = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        microseconds = environment.get("WATCHDOG_USEC", "")
        watchdog = int(microseconds) / 1_000_000 if mine and microseconds.isdigit() and int(microseconds) else None
        return cls(environment.get("NOTIFY_SOCKET", ""), watchdog)

    def tell(self, *assignments: str) -> None:
        """Send assignments such as `READY=1`, in one datagram."""
        if not self.address.startswith(("/", "@")):
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.setblocking(False)  # a manager that does not read must not hold up the mail
            text = "\n".join(one.replace("\n", " ") for one in assignments)
            line.sendto(text.encode("utf-8", "replace"), self.address.replace("@", "\0", 1))

    def status(self, text: str) -> None:
        """Set the line that `systemctl status` shows."""
        self.tell(f"STATUS={text}")


def handed_over(environment: Mapping[str, str]) -> socket.socket | None:
    """Return the listening socket that systemd opened for us, None when it did not."""
    if environment.get("LISTEN_PID") != str(os.getpid()) or environment.get("LISTEN_FDS", "0") == "0":
        return None
    os.set_inheritable(FIRST_SOCKET, False)
    return socket.socket(fileno=FIRST_SOCKET)
