"""One question to the DNS: the TXT records of a name, from the resolver that the system names (RFC 1035).

Only for `doctor`, which asks a handful of names; nothing that is sent depends on it. No search list, no cache.
"""

from __future__ import annotations

import secrets
import socket
import struct
from pathlib import Path

TXT, INTERNET, RECURSE = 16, 1, 0x0100
TRUNCATED, NO_SUCH_NAME = 0x0200, 3
LIMIT = 3.0  # seconds for an answer


class NoAnswer(Exception):
    """No resolver answered; nothing is known of the name."""


def resolver(path: Path = Path("/etc/resolv.conf")) -> str | None:
    """Return the address of the first resolver that the system names."""
    try:
        lines = path.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return None
    named = (line.split()[1] for line in lines if line.startswith("nameserver") and len(line.split()) > 1)
    return next(named, None)


def texts(name: str, server: str, port: int = 53, limit: float = LIMIT) -> list[str]:
    """Return the TXT records of a name, none where it has none. Raises NoAnswer."""
    number = secrets.randbelow(65536)
    labels = [label.encode("idna") for label in name.rstrip(".").split(".")]
    asked = b"".join(bytes([len(label)]) + label for label in labels) + b"\0" + struct.pack("!HH", TXT, INTERNET)
    question = struct.pack("!HHHHHH", number, RECURSE, 1, 0, 0, 0) + asked
    try:
        answer = _asked(question, server, port, limit)
        return _texts(answer, len(question))
    except (OSError, struct.error, IndexError) as error:
        raise NoAnswer(f"{server} does not answer: {error}") from None


def _asked(question: bytes, server: str, port: int, limit: float) -> bytes:
    """Return the answer with the question's number: by UDP, and by TCP where it does not fit."""
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as line:
        line.settimeout(limit)
        line.connect((server, port))
        line.send(question)
        answer = line.recv(65536)
        while answer[:2] != question[:2]:
            answer = line.recv(65536)
    if not struct.unpack_from("!H", answer, 2)[0] & TRUNCATED:
        return answer
    with socket.create_connection((server, port), limit) as stream, stream.makefile("rb") as replies:
        stream.sendall(struct.pack("!H", len(question)) + question)
        return replies.read(struct.unpack("!H", replies.read(2))[0])


def _texts(answer: bytes, at: int) -> list[str]:
    _, flags, _, count = struct.unpack_from("!HHHH", answer)
    code = flags & 0xF
    if code not in (0, NO_SUCH_NAME):
        raise OSError(f"code {code}")
    found = []
    for _ in range(count):
        at = _past_name(answer, at)
        kind, _, _, size = struct.unpack_from("!HHIH", answer, at)
        at += 10
        if kind == TXT:
            found.append(_joined(answer[at : at + size]).decode("utf-8", "replace"))
        at += size
    return found


def _past_name(answer: bytes, at: int) -> int:
    while size := answer[at]:
        if size & 0xC0:
            return at + 2  # the rest stands elsewhere
        at += 1 + size
    return at + 1


def _joined(parts: bytes) -> bytes:
    whole, at = b"", 0
    while at < len(parts):
        size = parts[at]
        whole += parts[at + 1 : at + 1 + size]
        at += 1 + size
    return whole
