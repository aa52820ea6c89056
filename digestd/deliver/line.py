"""The line to a relay once it is open and logged in: bytes out, whole replies in, everything bounded.

Every reply is counted against the commands that asked for one, because a reply that is one too many would pass
for the answer to the next message. It knows the grammar of replies and nothing of what they mean.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

MAX_REPLY_OCTETS = 8192  # RFC 5321 4.5.3.1.5 has 512 a line, and nobody reads more of an explanation
_EXCERPT = 80  # octets of a garbled reply that are shown to the operator

# All lines of a reply carry the same code, all but the last with a hyphen (RFC 5321 4.2.1).
_REPLY = re.compile(rb"([2-5][0-9]{2})(?:-[^\n]*\n\1)*(?:[ \r][^\n]*)?\n")
_REPLY_SO_FAR = re.compile(rb"([2-5][0-9]{2})-[^\n]*\n(?:\1-[^\n]*\n)*[^\n]*\Z")


class Reply(NamedTuple):
    """One reply of the relay; the lines of its text are separated by newlines."""

    code: int
    text: str


class Line(asyncio.Protocol):
    """An open connection, for one coroutine at a time.

    `trouble` says why it can no longer be used, once that is so; `was_cut` that the relay or the network closed
    it without a word; `unasked` is a reply that nothing had asked for. After trouble nothing more is read or
    written.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        """Take over `transport`, whose former protocol must not be waiting for anything."""
        self.trouble: str | None = None
        self.unasked: Reply | None = None
        self.was_cut = False
        self._transport = transport
        self._replies: deque[Reply] = deque()
        self._owed = 0  # replies asked for and not yet here
        self._buffer = bytearray()
        self._is_paused = False
        self._loop = asyncio.get_running_loop()
        self._news: asyncio.Future[None] | None = None
        self._closed: asyncio.Future[None] = self._loop.create_future()
        # So that `drained` means that the kernel has it all; 0 would pause a TLS transport for ever.
        transport.set_write_buffer_limits(high=1)
        transport.set_protocol(self)

    @property
    def has_reply(self) -> bool:
        """Whether a reply has come that `reply` has not yet given out."""
        return bool(self._replies)

    @property
    def is_in_step(self) -> bool:
        """Whether the next command would get its own answer.

        Replies that nobody waited for any more are no harm if they refuse: RCPT was refused, so was DATA.
        """
        return self.trouble is None and self._owed == 0 and all(reply.code >= 400 for reply in self._replies)

    def send(self, octets: bytes, replies: int = 0) -> None:
        """Write `octets`, which ask for so many replies; nothing once there is trouble."""
        if self.trouble is None:
            self._owed += replies
            self._transport.write(octets)

    async def reply(self, limit: float) -> Reply | None:
        """Return the next reply that was asked for, or None if none comes: then `trouble` says why.

        The whole reply must be here within `limit` seconds, however many pieces it comes in.
        """
        if not self._replies:
            await self._wait(lambda: bool(self._replies), limit)
        return self._replies.popleft() if self._replies else None

    async def drained(self, limit: float) -> None:
        """Wait until the kernel has taken what was sent, a reply has come, or there is trouble."""
        if self._is_paused:
            await self._wait(lambda: not self._is_paused or bool(self._replies), limit)

    async def _wait(self, is_enough: Callable[[], bool], limit: float) -> None:
        alarm = self._loop.call_later(limit, self.fail, f"no answer within {limit:g} seconds")
        try:
            while self.trouble is None and not is_enough():
                self._news = self._loop.create_future()
                await self._news
        finally:
            self._news = None
            alarm.cancel()

    def forget_replies(self) -> None:
        """Drop the replies that nobody will ask for."""
        self._replies.clear()

    def fail(self, reason: str) -> None:
        """Cut the connection at once, unsent bytes included; the first reason given is the one that counts."""
        if self.trouble is None:
            self.trouble = reason
            self._buffer.clear()
        self._transport.abort()
        self._tell()

    async def close(self, limit: float) -> None:
        """Say QUIT, close, and wait for the end for at most `limit` seconds.

        The reply to QUIT is not waited for (as Postfix does it): it changes nothing.
        """
        self.send(b"QUIT\r\n")
        self.trouble = self.trouble or "the connection was closed"
        self._transport.close()
        try:
            await asyncio.wait([self._closed], timeout=limit)
        finally:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:  # noqa: D102
        if self.trouble is not None:
            return
        self._buffer += data
        if b"\n" in data:
            self._take_replies()
        if len(self._buffer) > MAX_REPLY_OCTETS:
            self._garbled()
        self._tell()

    def _take_replies(self) -> None:
        start = 0
        while self.trouble is None and (found := _REPLY.match(self._buffer, start)):
            start = found.end()
            self._take(_read(bytes(found[0])))
        del self._buffer[:start]
        if b"\n" in self._buffer and not _REPLY_SO_FAR.match(self._buffer):
            self._garbled()

    def _take(self, reply: Reply) -> None:
        if self._owed:
            self._owed -= 1
            self._replies.append(reply)
            return
        self.unasked = reply
        # 421 may come at any time, and says that the relay closes (RFC 5321 3.8).
        event = "the relay ended the session" if reply.code == 421 else "the relay sent a reply too many"
        self.fail(f"{event}: {reply.code} {reply.text}")

    def _garbled(self) -> None:
        excerpt = bytes(self._buffer[:_EXCERPT]).decode("utf-8", "replace")
        self.fail(f"the relay did not answer with an SMTP reply but with: {excerpt}")

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def eof_received(self) -> None:  # noqa: D102
        self.was_cut = self.trouble is None
        self.fail("the relay closed the connection")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: D102
        self.was_cut |= self.trouble is None
        self.fail("the connection was lost")
        self._closed.set_result(None)

    def pause_writing(self) -> None:  # noqa: D102
        self._is_paused = True

    def resume_writing(self) -> None:  # noqa: D102
        self._is_paused = False
        self._tell()


@lru_cache(maxsize=64)  # those to MAIL, RCPT and DATA are the same for each message
def _read(octets: bytes) -> Reply:
    """Return the reply that whole lines, found well-formed, say."""
    if octets.count(b"\n") == 1:
        text = octets[4:].strip()
    else:
        text = b"\n".join(line[4:].strip() for line in octets.splitlines())
    return Reply(int(octets[:3]), text.decode("utf-8", "replace"))
