"""A scripted SMTP server for tests: a good relay by default, with named faults at any step of the conversation.

    async with SmtpScript({"RCPT": "550 5.1.1 no such user"}) as server:
        ...  # speak to server.host, server.port
    assert server.commands == ["EHLO localhost", "MAIL FROM:<a@example.org>", ...]

Steps: CONNECT, EHLO, HELO, STARTTLS, AUTH, MAIL, RCPT, DATA, BODY (while the message comes in), DOT (after the
final dot), RSET, NOOP, QUIT, and OTHER. What a step does is an action, or a list of actions, one for each time the
step comes up on any connection, after which it is again as by default:

    "451 4.3.0 later"          that reply; newlines make more lines, {line} repeats the command
    b"\\xff\\xfe"                these bytes as they stand; b"250 ok\\r\\n250 ok\\r\\n" is two replies at once
    Drop(), Drop("250 ok")     cut the line, after the reply if one is given
    Hang()                     say nothing, and read on until the client leaves
    Slow("250 ok", 0.05)       a byte every so many seconds
    Endless(b"220-x\\r\\n")      the same bytes for ever
    Hold("250 ok", event)      wait for an asyncio.Event, then the reply
    OK                         what the step does by default

At BODY the action happens once `after` octets of the message are in (Drop and Hang have that field).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ssl
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from support.smtp_actions import OK, Action, Default, Drop, Endless, Hang, Hold, Received, Script, Session, Slow

EXTENSIONS = ("PIPELINING", "SIZE 10485760", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
END_OF_MESSAGE = b"\r\n.\r\n"
MAX_MESSAGE = 64 * 1024 * 1024
WAIT_LIMIT = 10.0  # seconds until a condition that a test waits for counts as never met


class SmtpScript:
    """The server. It listens on a free port of the loopback address while it is entered.

    `certificate` is a PEM file with key: STARTTLS is then offered, or TLS spoken at once with `implicit_tls`.
    `accounts` maps users to passwords: AUTH is then offered. `keep_bodies=False` keeps the header block of
    each message only (and the SHA-256 of the whole), for runs of many thousands.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        extensions: Sequence[str] = EXTENSIONS,
        certificate: Path | None = None,
        implicit_tls: bool = False,
        accounts: Mapping[str, str] | None = None,
        auth_methods: str = "PLAIN LOGIN CRAM-MD5",
        keep_bodies: bool = True,
    ) -> None:
        self.host = "127.0.0.1"
        self.port = 0
        self.sessions: list[Session] = []
        self.messages: list[Received] = []
        self.logins: list[tuple[str, str, str]] = []  # method, user, password as the client sent it
        self.extensions = tuple(extensions)
        self.accounts = accounts
        self.auth_methods = auth_methods
        self.keep_bodies = keep_bodies
        self.implicit_tls = implicit_tls
        self.tls = None if certificate is None else _server_context(certificate)
        self._always = {step: action for step, action in (script or {}).items() if isinstance(action, Action)}
        self._once = {step: deque(them) for step, them in (script or {}).items() if not isinstance(them, Action)}
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: dict[int, tuple[Session, asyncio.StreamWriter]] = {}  # of the open connections
        self._news = asyncio.Condition()

    @property
    def commands(self) -> list[str]:
        """Every command of every connection; those of one connection stand together."""
        return [command for session in self.sessions for command in session.commands]

    @property
    def verbs(self) -> list[str]:
        """The first words of `commands`."""
        return [command.split(" ")[0].split(":")[0].upper() for command in self.commands]

    @property
    def accepted(self) -> list[Received]:
        return [message for message in self.messages if message.is_accepted]

    def count(self, verb: str) -> int:
        return self.verbs.count(verb)

    def next_action(self, step: str) -> Action:
        """The action for this occurrence of `step`; used up if the script lists it."""
        if self._once.get(step):
            return self._once[step].popleft()
        return self._always.get(step, OK)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return once `condition`, on what the server has recorded, holds; raise TimeoutError if it never does."""
        async with asyncio.timeout(WAIT_LIMIT), self._news:
            await self._news.wait_for(condition)

    async def until_closed(self) -> None:
        """Return once every connection has ended that is not hung in a message."""
        await self.until(lambda: all(session.is_closed or session.is_hung for session in self.sessions))

    async def hang_up(self, farewell: str = "") -> None:
        """Write `farewell`, asked for by nobody, on every connection and close it."""
        for _, writer in list(self._writers.values()):
            if farewell:
                writer.write(f"{farewell}\r\n".encode())
            writer.close()

    def stop_reading(self) -> None:
        """Take nothing more from any connection, and so see none of them end."""
        for session, writer in self._writers.values():
            session.is_hung = True
            writer.transport.pause_reading()  # type: ignore[attr-defined]

    async def tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def __aenter__(self) -> Self:
        context = self.tls if self.implicit_tls else None
        self._server = await asyncio.start_server(self._serve, self.host, 0, ssl=context, limit=MAX_MESSAGE)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        session = Session(len(self.sessions), is_secure=self.implicit_tls)
        self.sessions.append(session)
        self._writers[session.number] = (session, writer)
        await self.tell()
        ends = (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, _LineEndedError)
        try:  # cancelled when the server leaves: raised, asyncio's stream callback would log it
            with suppress(*ends, asyncio.CancelledError):
                await _Conversation(self, session, reader, writer).run()
        finally:
            session.is_closed = True
            writer.transport.abort()
            self._tasks.discard(task)
            del self._writers[session.number]
            await self.tell()


class _LineEndedError(Exception):
    """The script says that this connection is over."""


class _Conversation:
    """One connection's state and the default answers."""

    def __init__(
        self, server: SmtpScript, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server, self.session, self.reader, self.writer = server, session, reader, writer
        self.sender: str | None = None
        self.recipients: list[str] = []

    async def run(self) -> None:
        await self.answer("CONNECT", "220 relay.example ESMTP")
        while line := await self.reader.readline():
            command = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
            self.session.commands.append(command)
            await self.server.tell()
            verb = command.split(" ")[0].upper()
            await getattr(self, f"on_{verb.lower()}", self.on_other)(command)

    async def answer(self, step: str, default: str, command: str = "") -> bool:
        """Do what the script says for `step`, else answer `default`; return whether the reply was positive."""
        return (await self.perform(self.server.next_action(step), default, command))[:1] in ("2", "3")

    async def perform(self, action: Action, default: str, command: str = "") -> str:
        """Do `action` and return the reply that it gave."""
        match action:
            case Default():
                reply = default
            case str():
                reply = action.replace("{line}", command)
            case bytes():
                self.writer.write(action)
                return action[:64].decode("ascii", "replace")
            case Drop():
                if action.reply:
                    await self.write(action.reply)
                self.writer.close()  # lets the reply out first; `abort` would throw it away
                raise _LineEndedError
            case Hang():
                while await self.reader.read(65536):
                    pass
                raise _LineEndedError
            case Slow():
                for octet in f"{action.reply}\r\n".encode():
                    self.writer.write(bytes([octet]))
                    await self.writer.drain()
                    await asyncio.sleep(action.seconds)
                return action.reply
            case Endless():
                flood = action.octets * (4096 // len(action.octets))
                while True:
                    self.writer.write(flood)
                    await self.writer.drain()
                    await asyncio.sleep(0)  # `drain` alone does not let the client, in the same loop, have its turn
            case Hold():
                await action.until.wait()
                reply = action.reply
        await self.write(reply)
        return reply

    async def write(self, reply: str) -> None:
        lines = f"{reply}\n".replace("\r\n", "\n").replace("\n", "\r\n")
        self.writer.write(lines.encode("utf-8", "surrogateescape"))
        await self.writer.drain()

    async def on_ehlo(self, command: str) -> None:
        offers = list(self.server.extensions)
        if self.server.tls is not None and not self.session.is_secure:
            offers.append("STARTTLS")
        if self.server.accounts is not None:
            offers.append(f"AUTH {self.server.auth_methods}")
        lines = ["relay.example", *offers]
        reply = "\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"])
        await self.answer("EHLO", reply, command)

    async def on_helo(self, command: str) -> None:
        await self.answer("HELO", "250 relay.example", command)

    async def on_starttls(self, command: str) -> None:
        if self.server.tls is None:
            await self.answer("STARTTLS", "502 5.5.1 no TLS here", command)
        elif await self.answer("STARTTLS", "220 2.0.0 go ahead", command):
            await self.writer.start_tls(self.server.tls)
            self.session.is_secure = True

    async def on_auth(self, command: str) -> None:
        words = command.split(" ")
        method, initial = words[1].upper(), "".join(words[2:3])
        action = self.server.next_action("AUTH")
        if not isinstance(action, Default):
            await self.perform(action, "", command)
            return
        user, password, is_right = await self._credentials(method, initial)
        self.server.logins.append((method, user, password))
        await self.write("235 2.7.0 welcome" if is_right else "535 5.7.8 wrong user or password")

    async def _credentials(self, method: str, initial: str) -> tuple[str, str, bool]:
        accounts = self.server.accounts or {}
        if method == "PLAIN":
            _, user, password = _decoded(initial).split("\0")
        elif method == "LOGIN":
            user = _decoded(initial or await self._challenge("Username:"))
            password = _decoded(await self._challenge("Password:"))
        else:
            challenge = "<1.2@relay.example>"
            user, _, password = _decoded(await self._challenge(challenge)).partition(" ")
            expected = hmac.new(accounts.get(user, "").encode(), challenge.encode(), hashlib.md5).hexdigest()
            return user, password, expected == password
        return user, password, accounts.get(user) == password

    async def _challenge(self, text: str) -> str:
        await self.write(f"334 {base64.b64encode(text.encode()).decode()}")
        line = (await self.reader.readline()).decode().strip()
        self.session.commands.append(line)
        return line

    async def on_mail(self, command: str) -> None:
        if await self.answer("MAIL", "250 2.1.0 ok", command):
            self.sender, self.recipients = _path(command), []

    async def on_rcpt(self, command: str) -> None:
        if self.sender is None:
            await self.write("503 5.5.1 MAIL first")
        elif await self.answer("RCPT", "250 2.1.5 ok", command):
            self.recipients.append(_path(command))

    async def on_data(self, command: str) -> None:
        default = "354 go ahead" if self.recipients else "554 5.5.1 no valid recipients"
        if await self.answer("DATA", default, command):
            await self._message()

    async def _message(self) -> None:
        action = self.server.next_action("BODY")
        if not isinstance(action, Default):
            await self._interrupt(action)
        octets = await self._read_message()
        keep = octets if self.server.keep_bodies else octets[: octets.find(b"\r\n\r\n") + 4]
        digest = hashlib.sha256(octets).hexdigest()
        action = self.server.next_action("DOT")
        # Recorded before the reply leaves: a client that has read 250 finds its message here.
        reply = "250 2.0.0 queued" if isinstance(action, Default) else _reply_of(action)
        received = Received(self.session.number, self.sender or "", tuple(self.recipients), keep, digest, reply)
        self.server.messages.append(received)
        self.sender, self.recipients = None, []
        await self.server.tell()
        await self.perform(action, reply)

    async def _interrupt(self, action: Action) -> None:
        """Do `action` in the middle of a message, and keep what had come of it."""
        after = action.after if isinstance(action, Drop | Hang) else 1
        self.session.cut_body = await self.reader.readexactly(after)
        await self.server.tell()
        if isinstance(action, Hang):  # unlike elsewhere, stop reading: the client's buffers must fill up
            self.session.is_hung = True
            self.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await asyncio.Event().wait()
        await self.perform(action, "")
        while chunk := await self.reader.read(65536):
            self.session.cut_body += chunk
        raise _LineEndedError

    async def _read_message(self) -> bytes:
        try:
            octets = await self.reader.readuntil(END_OF_MESSAGE)
        except asyncio.IncompleteReadError as error:
            self.session.cut_body = error.partial
            raise
        octets = octets[: -len(b".\r\n")].replace(b"\r\n..", b"\r\n.")
        return octets[1:] if octets.startswith(b"..") else octets

    async def on_rset(self, command: str) -> None:
        self.sender, self.recipients = None, []
        await self.answer("RSET", "250 2.0.0 ok", command)

    async def on_noop(self, command: str) -> None:
        await self.answer("NOOP", "250 2.0.0 ok", command)

    async def on_quit(self, command: str) -> None:
        await self.answer("QUIT", "221 2.0.0 bye", command)
        raise _LineEndedError

    async def on_other(self, command: str) -> None:
        await self.answer("OTHER", "502 5.5.2 {line}?", command)


def _reply_of(action: Action) -> str:
    match action:
        case str():
            return action
        case bytes():
            return action[:64].decode("ascii", "replace")
        case Drop() | Slow() | Hold():
            return action.reply
    return ""


def _decoded(text: str) -> str:
    return base64.b64decode(text).decode("utf-8", "surrogateescape")


def _path(command: str) -> str:
    return command[command.find("<") + 1 : command.rfind(">")]


def _server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
