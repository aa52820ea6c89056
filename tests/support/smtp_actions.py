"""What a step of the scripted SMTP server can do, and what the server writes down.

`support.smtp_script` says what each action means.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Drop:
    reply: str = ""
    after: int = 1


@dataclass(frozen=True)
class Hang:
    after: int = 1


@dataclass(frozen=True)
class Slow:
    reply: str
    seconds: float


@dataclass(frozen=True)
class Endless:
    octets: bytes


@dataclass(frozen=True)
class Hold:
    reply: str
    until: asyncio.Event


@dataclass(frozen=True)
class Default:
    pass


OK = Default()

Action = str | bytes | Drop | Hang | Slow | Endless | Hold | Default
Script = Mapping[str, Action | Sequence[Action]]


@dataclass(frozen=True)
class Received:
    """A message whose final dot has come. `octets` is it without dot-stuffing; `reply` is what was answered."""

    connection: int
    sender: str
    recipients: tuple[str, ...]
    octets: bytes
    sha256: str
    reply: str

    @property
    def is_accepted(self) -> bool:
        return self.reply.startswith("250")

    def header(self, name: str) -> str:
        """The first header field of that name, unfolded; empty where there is none."""
        for line in self.octets.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ").split(b"\r\n"):
            key, _, value = line.decode("utf-8", "replace").partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return ""


@dataclass
class Session:
    """One connection: the commands in order, and what came of a message that never reached its final dot."""

    number: int
    commands: list[str] = field(default_factory=list)
    cut_body: bytes = b""
    is_secure: bool = False
    is_closed: bool = False
    is_hung: bool = False  # stopped reading in a message, and so cannot see the client leave
