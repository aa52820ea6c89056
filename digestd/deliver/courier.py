"""One SMTP connection to the relay, driven phase by phase so that no message is lost or doubled by a guess.

aiosmtplib connects, secures the line and logs in; then the line is taken over by `deliver.line`, which counts
replies. Where the relay offers PIPELINING the envelope is one write. Nothing a relay does raises: what came of an
attempt is an Outcome.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import cast

import aiosmtplib

from digestd.deliver.line import Line
from digestd.deliver.policy import classify, unanswered
from digestd.deliver.relay import Limits, Relay, connected_socket, log_in, say_hello, tls_context
from digestd.model import Blame, Envelope, Outcome, Phase, Verdict

FINAL_DOT = b".\r\n"
BLOCK = 65536  # octets of a body under one time limit; most editions are one

BeforeBody = Callable[[], Awaitable[bool]]
Announcement = tuple[Envelope, int]  # what is carried next: its envelope, and the octets of its message

# What could end a path, or the command, early. A quoted local part with a blank is not worth the risk.
_UNSAFE_IN_PATH = re.compile("[\\s<>\x00-\x1f\x7f-\x9f\ud800-\udfff]")

_TO_354 = (Phase.MAIL, Phase.RCPT, Phase.DATA)
_POSITIVE = MappingProxyType({Phase.MAIL: (250,), Phase.RCPT: (250, 251), Phase.DATA: (354,)})


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
        self._clock = time.monotonic  # the event loop's own, once there is a line
        self._expires = 0.0
        self._needs_reset = False
        self._announced: Announcement | None = None

    async def carry(
        self,
        envelope: Envelope,
        message: bytes,
        before_body: BeforeBody,
        following: Announcement | None = None,
    ) -> Outcome:
        """Try once to hand `message` to the relay, as `build_message` makes it, and return what came of it.

        `before_body` is awaited when the relay is ready for the message (354) and before its first byte leaves;
        False withdraws the message. What it raises, and cancellation, closes the connection at once and goes on
        to the caller; nothing else is raised. With `following`, what is carried next is announced behind the final
        dot, which RFC 2920 3.1 allows: that saves it a turn-around.
        """
        flaw = _flaw_in_path(envelope)
        if flaw is not None:
            self._forget_announced()
            return flaw
        if self._announced not in (None, (envelope, len(message))):
            self._forget_announced()
        try:
            kept, was_announced = self._line, self._announced is not None
            outcome = await self._attempt(envelope, message, before_body, following)
            # A relay that closes idle lines, or each line after some messages, may do so before we can see it.
            was_left = (kept is not None and kept.was_cut and outcome.code is None) or (
                was_announced and outcome.code == 421
            )
            if was_left and outcome.phase is Phase.MAIL:
                outcome = await self._attempt(envelope, message, before_body, following)
        except BaseException:
            self._drop()
            raise
        return outcome

    async def _attempt(
        self, envelope: Envelope, message: bytes, before_body: BeforeBody, following: Announcement | None
    ) -> Outcome:
        if self._line is None or (self._announced is None and self._is_worn(self._line)):
            refusal = await self.open()
            if refusal is not None:
                return refusal
        line = self._line
        assert line is not None
        misfit = self._misfit(envelope, len(message))
        if misfit is not None:
            return misfit
        outcome = await self._transact(line, envelope, message, before_body, following)
        self._settle(line, outcome)
        return outcome

    async def close(self) -> None:
        """Take leave of the relay and close the connection; harmless where there is none."""
        self._forget_announced()
        line, self._line = self._line, None
        if line is not None:
            await line.close(self._limits.quit)

    def _forget_announced(self) -> None:
        """Cut the line on which a message is awaited that will not come: what is said now would be its body."""
        if self._announced is not None:
            self._drop()

    def _drop(self) -> None:
        self._announced = None
        if self._line is not None:
            self._line.fail("the connection was dropped")
            self._line = None

    def _is_worn(self, line: Line) -> bool:
        return line.trouble is not None or self._is_old

    @property
    def _is_old(self) -> bool:
        return self._clock() >= self._expires

    def _settle(self, line: Line, outcome: Outcome) -> None:
        """Keep the connection for the next message where replies are in step, else drop it.

        The refusal of one address or message is an orderly end: RSET before the next MAIL forgets it.
        """
        is_clean = outcome.verdict is Verdict.SENT or outcome.blame is not Blame.RELAY
        if is_clean and self._announced is not None and line.trouble is None:
            self._needs_reset = False
        elif is_clean and line.is_in_step:
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

    def _commands(self, envelope: Envelope, octets: int) -> tuple[bytes, bytes, bytes]:
        """Return the commands that lead to 354: of the phases MAIL, RCPT and DATA."""
        size = f" SIZE={octets}" if self._offer.declares_size else ""
        utf8 = "" if envelope.sender.isascii() and envelope.recipient.isascii() else " SMTPUTF8"
        return (
            f"MAIL FROM:<{envelope.sender}>{size}{utf8}\r\n".encode(),
            f"RCPT TO:<{envelope.recipient}>\r\n".encode(),
            b"DATA\r\n",
        )

    def _announcement(self, following: Announcement | None) -> bytes:
        """Return the commands that announce the next message, empty where they may not stand behind this one."""
        if following is None or not self._offer.pipelining or self._is_old:
            return b""
        if _flaw_in_path(following[0]) or self._misfit(*following):
            return b""
        return b"".join(self._commands(*following))

    async def _transact(
        self,
        line: Line,
        envelope: Envelope,
        message: bytes,
        before_body: BeforeBody,
        following: Announcement | None,
    ) -> Outcome:
        commands: list[bytes] = []
        phases: tuple[Phase, ...] = _TO_354
        if self._announced is not None:
            self._announced = None
        else:
            commands = [*self._commands(envelope, len(message))]
            if self._needs_reset:
                commands.insert(0, b"RSET\r\n")
                phases = (Phase.MAIL, *_TO_354)
            if self._offer.pipelining:  # RFC 2920: one packet, one turn-around
                line.send(b"".join(commands), replies=len(commands))
        for number, phase in enumerate(phases):
            if not self._offer.pipelining:
                line.send(commands[number], replies=1)
            reply = await line.reply(self._limits.data if phase is Phase.DATA else self._limits.command)
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
        return await self._send_body(line, message, following)

    async def _send_body(self, line: Line, message: bytes, following: Announcement | None) -> Outcome:
        """Send the message and judge the reply. From here on, silence is UNCERTAIN."""
        self._needs_reset = is_whole = False
        for start in range(0, len(message), BLOCK):
            block = message[start : start + BLOCK]
            is_whole = start + BLOCK >= len(message)
            replies = 0 if start else 1
            if is_whole:
                announcement = self._announcement(following)
                if announcement:
                    self._announced = following
                    replies += len(_TO_354)
                block += FINAL_DOT + announcement
            line.send(block, replies)
            await line.drained(self._limits.block)
            if line.has_reply:  # some relays refuse, and leave, before they have heard the end
                break
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
            context = None if relay.tls == "none" else await tls_context(relay.ca_file)
            phase = Phase.CONNECT
            async with asyncio.timeout(limits.connect):
                sock = await connected_socket(relay)
            async with asyncio.timeout(limits.greeting):
                await smtp.connect(sock=sock, use_tls=relay.tls == "implicit", tls_context=context)
            async with asyncio.timeout(limits.command):
                await say_hello(smtp)
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
                    await log_in(smtp, relay.username, relay.password or "")
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
        self._clock = asyncio.get_running_loop().time  # bound once: asking for the loop takes a call of the kernel
        self._expires = self._clock() + self._limits.age
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


@lru_cache(maxsize=256)  # each is asked for when it is announced, and again when its turn comes
def _flaw_in_path(envelope: Envelope) -> Outcome | None:
    """Return the failure of addresses that may not go over any line, because one could pass for a command."""
    if _UNSAFE_IN_PATH.search(envelope.sender):
        return unanswered(Phase.MAIL, "the sender's address has characters that no SMTP command may carry")
    if not envelope.recipient or _UNSAFE_IN_PATH.search(envelope.recipient):
        reason = "the address is empty or has characters that no SMTP command may carry"
        return Outcome(Verdict.FAILED, Phase.RCPT, Blame.RECIPIENT, reason)
    return None
