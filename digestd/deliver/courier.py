"""One SMTP connection to the relay, driven phase by phase so that no message is lost or doubled by a guess.

aiosmtplib connects, secures the line and logs in; then the line is taken over by `deliver.line`, which counts
replies. Where the relay offers PIPELINING the envelope is one write. Nothing a relay does raises: what came of an
attempt is an Outcome.
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from types import MappingProxyType
from typing import Literal, cast

import aiosmtplib

from digestd.deliver.line import Line, dot_stuffed
from digestd.deliver.policy import classify, unanswered
from digestd.model import Blame, Envelope, Outcome, Phase, Verdict

BLOCK = 65536  # octets of a body under one time limit; most editions are one

# What could end a path, or the command, early. A quoted local part with a blank is not worth the risk.
_UNSAFE_IN_PATH = re.compile("[\\s<>\x00-\x1f\x7f-\x9f\ud800-\udfff]")

_POSITIVE = MappingProxyType({Phase.MAIL: (250,), Phase.RCPT: (250, 251), Phase.DATA: (354,)})
_EHLO_UNKNOWN = (500, 502, 504)  # a relay of the last century; HELO is worth a try (RFC 5321 4.1.4)


@dataclass(frozen=True, slots=True)
class Relay:
    """The server that takes our mail, and how to reach it.

    `local_hostname` is our name in EHLO: a full domain or an address literal. `ca_file` (PEM) takes the place
    of the system's certificate authorities. Without a username nobody logs in.
    """

    host: str
    port: int
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    local_hostname: str = "localhost"
    ca_file: str | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether what goes to this host stays on this machine."""
        if self.host == "localhost" or self.host.endswith(".localhost"):  # RFC 6761 6.3
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def secrets(self) -> tuple[str, ...]:
        """The password in each form in which AUTH sends it, and a relay might echo it."""
        if not self.password:
            return ()
        password = _octets(self.password)
        plain = b"\0" + _octets(self.username or "") + b"\0" + password
        return (self.password, base64.b64encode(password).decode(), base64.b64encode(plain).decode())


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds that each step may take, and for how long a connection is used.

    The figures are those of RFC 5321 4.5.3.2. A limit that is short before the body costs a retry; after the
    final dot it costs a copy, so nobody should shorten `dot` for a relay that filters as it receives.
    """

    connect: float = 30.0  # name look-up and TCP; not in the RFC, Postfix takes the same
    greeting: float = 300.0  # the banner, and the TLS handshake where that comes first
    command: float = 300.0  # each of EHLO, STARTTLS with its handshake, the whole login, MAIL and RCPT
    data: float = 120.0  # DATA until 354
    block: float = 180.0  # each block of the body until the kernel has it
    dot: float = 600.0  # the final dot until its reply
    quit: float = 5.0  # a good-bye is worth no more
    messages: int = 100  # relays commonly end a session after 100 or more
    age: float = 300.0  # of the connection when another message begins


@dataclass(frozen=True, slots=True)
class _Offer:
    """What of the relay's EHLO reply matters here; `size` in octets, None for no limit (RFC 1870)."""

    pipelining: bool
    declares_size: bool
    size: int | None
    smtputf8: bool

    @classmethod
    def read(cls, extensions: Mapping[str, str]) -> _Offer:
        size = extensions.get("size", "")
        limit = int(size) if re.fullmatch(r"[0-9]{1,20}", size) else 0
        return cls("pipelining" in extensions, "size" in extensions, limit or None, "smtputf8" in extensions)


class SmtpCourier:
    """One connection to one relay: opened when first needed, reused, reopened after anything but a clean reply.

    For one coroutine at a time; several connections are several couriers. The password is in no text of it.
    """

    def __init__(self, relay: Relay, limits: Limits | None = None) -> None:
        self._relay = relay
        self._limits = limits or Limits()
        self._secrets = relay.secrets
        self._line: Line | None = None
        self._offer = _Offer.read({})
        self._expires = 0.0  # on the event loop's clock
        self._carried = 0
        self._needs_reset = False

    async def carry(self, envelope: Envelope, message: bytes, before_body: Callable[[], Awaitable[bool]]) -> Outcome:
        """Try once to hand `message`, ASCII with CRLF line ends, to the relay, and return what came of it.

        `before_body` is awaited when the relay is ready for the message (354) and before its first byte leaves;
        False withdraws the message. What it raises, and cancellation, closes the connection at once and goes on
        to the caller; nothing else is raised.
        """
        flaw = _flaw(envelope, message)
        if flaw is not None:
            return flaw
        try:
            kept = self._line
            outcome = await self._attempt(envelope, message, before_body)
            # A relay that closes idle lines, or each line after a message, may do so before we can see it.
            if kept is not None and kept.was_cut and outcome.phase is Phase.MAIL and outcome.code is None:
                outcome = await self._attempt(envelope, message, before_body)
        except BaseException:
            self._drop()
            raise
        return outcome

    async def _attempt(self, envelope: Envelope, message: bytes, before_body: Callable[[], Awaitable[bool]]) -> Outcome:
        if self._line is None or self._is_worn(self._line):
            refusal = await self.open()
            if refusal is not None:
                return refusal
        line = self._line
        assert line is not None
        misfit = self._misfit(envelope, len(message))
        if misfit is not None:
            return misfit
        outcome = await self._transact(line, envelope, message, before_body)
        self._settle(line, outcome)
        return outcome

    async def close(self) -> None:
        """Take leave of the relay and close the connection; harmless where there is none."""
        line, self._line = self._line, None
        if line is not None:
            await line.close(self._limits.quit)

    def _drop(self) -> None:
        if self._line is not None:
            self._line.fail("the connection was dropped")
            self._line = None

    def _is_worn(self, line: Line) -> bool:
        is_old = asyncio.get_running_loop().time() >= self._expires
        return is_old or self._carried >= self._limits.messages or line.trouble is not None

    def _settle(self, line: Line, outcome: Outcome) -> None:
        """Keep the connection for the next message where replies are in step, else drop it.

        The refusal of one address or message is an orderly end: RSET before the next MAIL forgets it.
        """
        self._carried += 1
        is_clean = outcome.verdict is Verdict.SENT or outcome.blame is not Blame.RELAY
        if is_clean and line.is_in_step:
            self._needs_reset = outcome.verdict is not Verdict.SENT
            line.forget_replies()
        else:
            self._drop()

    # The transaction

    def _misfit(self, envelope: Envelope, octets: int) -> Outcome | None:
        """Return the failure of a message that this relay says beforehand it cannot take."""
        host, offer = self._relay.host, self._offer
        if offer.size is not None and octets > offer.size:
            reason = f"the message has {octets} octets and {host} takes {offer.size}"
            return Outcome(Verdict.FAILED, Phase.MAIL, Blame.MESSAGE, reason)
        if not offer.smtputf8 and not envelope.recipient.isascii():
            reason = f"the address has letters beyond ASCII and {host} does not offer SMTPUTF8"
            return Outcome(Verdict.FAILED, Phase.RCPT, Blame.RECIPIENT, reason)
        if not offer.smtputf8 and not envelope.sender.isascii():
            return unanswered(Phase.MAIL, f"the sender is not ASCII and {host} does not offer SMTPUTF8")
        return None

    def _commands(self, envelope: Envelope, octets: int) -> list[tuple[Phase, bytes, float]]:
        """Return the commands that lead to 354, each with its phase and the seconds for its reply."""
        size = f" SIZE={octets}" if self._offer.declares_size else ""
        utf8 = "" if envelope.sender.isascii() and envelope.recipient.isascii() else " SMTPUTF8"
        commands = [
            (Phase.MAIL, f"MAIL FROM:<{envelope.sender}>{size}{utf8}\r\n".encode(), self._limits.command),
            (Phase.RCPT, f"RCPT TO:<{envelope.recipient}>\r\n".encode(), self._limits.command),
            (Phase.DATA, b"DATA\r\n", self._limits.data),
        ]
        if self._needs_reset:
            commands.insert(0, (Phase.MAIL, b"RSET\r\n", self._limits.command))
        return commands

    async def _transact(
        self, line: Line, envelope: Envelope, message: bytes, before_body: Callable[[], Awaitable[bool]]
    ) -> Outcome:
        commands = self._commands(envelope, len(message))
        if self._offer.pipelining:  # RFC 2920: one packet, one turn-around
            line.send(b"".join(command for _, command, _ in commands), replies=len(commands))
        for phase, command, limit in commands:
            if not self._offer.pipelining:
                line.send(command, replies=1)
            reply = await line.reply(limit)
            if reply is None:
                return self._unanswered(phase, line)
            if reply.code not in _POSITIVE[phase]:
                return classify(phase, reply.code, reply.text, self._secrets)
        if line.trouble is None and not await before_body():
            self._drop()
            reason = "withdrawn before its first byte: it is no longer wanted, or no longer ours to send"
            return Outcome(Verdict.DEFERRED, Phase.DATA, Blame.MESSAGE, reason)
        if line.trouble is not None:
            return self._unanswered(Phase.DATA, line)
        return await self._send_body(line, dot_stuffed(message))

    async def _send_body(self, line: Line, octets: bytes) -> Outcome:
        """Send the dot-stuffed message and judge the reply. From here on, silence is UNCERTAIN."""
        for start in range(0, len(octets), BLOCK):
            line.send(octets[start : start + BLOCK], replies=0 if start else 1)
            await line.drained(self._limits.block)
            if line.has_reply:  # some relays refuse, and leave, before they have heard the end
                break
        is_whole = start + BLOCK >= len(octets)
        reply = await line.reply(self._limits.dot)
        if reply is None:
            return self._unanswered(Phase.BODY, line)
        outcome = classify(Phase.BODY, reply.code, reply.text, self._secrets)
        if not is_whole:
            self._drop()
            if outcome.verdict is Verdict.SENT:
                return unanswered(Phase.BODY, "the relay accepted the message before its end")
        # Two replies that differ: one of them was meant for something else, and nobody knows which. But
        # 421 after 250 only says that the relay has had enough of us.
        unasked = line.unasked
        if unasked is not None and unasked.code != 421 and unasked.code // 100 != reply.code // 100:
            reason = f"the relay answered both {reply.code} {reply.text} and {unasked.code} {unasked.text}"
            return unanswered(Phase.BODY, reason, self._secrets)
        return outcome

    def _unanswered(self, phase: Phase, line: Line) -> Outcome:
        return unanswered(phase, line.trouble or "", self._secrets)

    # Opening

    async def open(self) -> Outcome | None:
        """Connect anew, secure the line and log in; return None, or the outcome of whatever was to be sent.

        Words of the relay, errors of the network and of certificates all end in an Outcome that blames the relay.
        """
        await self.close()
        relay, limits = self._relay, self._limits
        if relay.username and relay.tls == "none" and not relay.is_loopback:
            return unanswered(Phase.LOGIN, f"no login to {relay.host} in clear text: set tls to starttls or implicit")
        # No time limit of the library's own: on Python 3.11 `wait_for` can swallow a cancellation.
        smtp = aiosmtplib.SMTP(hostname=relay.host, local_hostname=relay.local_hostname, start_tls=False, timeout=None)
        phase = Phase.TLS
        try:
            context = None if relay.tls == "none" else await _tls_context(relay.ca_file)
            phase = Phase.CONNECT
            async with asyncio.timeout(limits.connect):
                sock = await _connected_socket(relay)
            async with asyncio.timeout(limits.greeting):
                await smtp.connect(sock=sock, use_tls=relay.tls == "implicit", tls_context=context)
            async with asyncio.timeout(limits.command):
                await _say_hello(smtp)
            if relay.tls == "starttls":
                phase = Phase.TLS
                if not smtp.supports_extension("starttls"):
                    return unanswered(phase, f"{relay.host} does not offer STARTTLS: nothing is sent in clear text")
                async with asyncio.timeout(limits.command):
                    await smtp.starttls()
                async with asyncio.timeout(limits.command):
                    await smtp.ehlo()
            if relay.username:
                phase = Phase.LOGIN
                async with asyncio.timeout(limits.command):
                    await _log_in(smtp, relay.username, relay.password or "")
            self._take_over(smtp)
        except aiosmtplib.SMTPResponseException as error:
            return classify(phase, error.code, error.message, self._secrets)
        except (OSError, aiosmtplib.SMTPException) as error:
            return self._unopened(phase, error)
        finally:
            if self._line is None:
                smtp.close()
        return None

    def _take_over(self, smtp: aiosmtplib.SMTP) -> None:
        self._offer = _Offer.read(smtp.esmtp_extensions)
        self._line = Line(cast("asyncio.Transport", smtp.transport))
        self._expires = asyncio.get_running_loop().time() + self._limits.age
        self._carried = 0
        self._needs_reset = False

    def _unopened(self, phase: Phase, error: Exception) -> Outcome:
        """Return the outcome for an error of the network, of TLS or of aiosmtplib, in words of our own."""
        host = f"{self._relay.host} port {self._relay.port}"
        cause = error.__cause__ if isinstance(error, aiosmtplib.SMTPConnectError) and error.__cause__ else error
        match cause:
            case ssl.SSLCertVerificationError():
                return unanswered(Phase.TLS, f"the certificate of {host} is not accepted: {cause.verify_message}")
            case ssl.SSLError():
                return unanswered(Phase.TLS, f"no TLS with {host}: {cause.reason or 'the handshake failed'}")
            case TimeoutError(errno=None):
                return unanswered(phase, f"{host} did not answer in time")
            case socket.gaierror():
                return unanswered(phase, f"no address for {host}: {cause.strerror}")
            case OSError(errno=int(number)):
                return unanswered(phase, f"cannot reach {host}: {os.strerror(number)}")
            case _:
                return unanswered(phase, f"{host}: {cause}", self._secrets)


async def _connected_socket(relay: Relay) -> socket.socket:
    """Return a socket connected to the first of the relay's addresses that takes it; raise the last OSError."""
    loop = asyncio.get_running_loop()
    failure = OSError("the name has no address")
    for family, kind, protocol, _, address in await loop.getaddrinfo(relay.host, relay.port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure


async def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Return a context that verifies chain and name. Made for each connection, so a renewed file is seen."""
    try:
        return await asyncio.to_thread(ssl.create_default_context, cafile=ca_file)  # reading costs about 10 ms
    except OSError as error:  # SSLError is one
        raise aiosmtplib.SMTPException(f"cannot use the certificates in {ca_file}: {error.strerror}") from error


async def _say_hello(smtp: aiosmtplib.SMTP) -> None:
    try:
        await smtp.ehlo()
    except aiosmtplib.SMTPHeloError as error:
        if error.code not in _EHLO_UNKNOWN:
            raise
        await smtp.helo()


async def _log_in(smtp: aiosmtplib.SMTP, username: str, password: str) -> None:
    """Log in by the first method offered, once: three refusals for one wrong password can lock an account."""
    methods = {"plain": smtp.auth_plain, "login": smtp.auth_login, "cram-md5": smtp.auth_crammd5}
    for name, method in methods.items():
        if name in smtp.server_auth_methods:
            await method(_octets(username), _octets(password))
            return
    raise aiosmtplib.SMTPException("no login: the relay offers none of PLAIN, LOGIN and CRAM-MD5")


def _octets(secret: str) -> bytes:
    """Encode without an error, whose text would show the secret."""
    return secret.encode("utf-8", "surrogatepass")


def _flaw(envelope: Envelope, message: bytes) -> Outcome | None:
    """Return the failure of what may not go over any line: a path that could pass for a command, foreign bytes."""
    if _UNSAFE_IN_PATH.search(envelope.sender):
        return unanswered(Phase.MAIL, "the sender's address has characters that no SMTP command may carry")
    if not envelope.recipient or _UNSAFE_IN_PATH.search(envelope.recipient):
        reason = "the address is empty or has characters that no SMTP command may carry"
        return Outcome(Verdict.FAILED, Phase.RCPT, Blame.RECIPIENT, reason)
    if not message.isascii():
        return Outcome(Verdict.FAILED, Phase.BODY, Blame.MESSAGE, "the message is not ASCII and was not sent")
    return None
