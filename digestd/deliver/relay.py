"""A relay: how it is reached, secured and logged in to, by aiosmtplib, and how long each step may take."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal

import aiosmtplib

EHLO_UNKNOWN = (500, 502, 504)  # a relay of the last century; HELO is worth a try (RFC 5321 4.1.4)


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
        password = octets(self.password)
        plain = b"\0" + octets(self.username or "") + b"\0" + password
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
    age: float = 300.0  # of the connection when another message begins; a relay that wants fewer says so


async def connected_socket(relay: Relay) -> socket.socket:
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


async def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Return a context that verifies chain and name. Made for each connection, so a renewed file is seen."""
    try:
        return await asyncio.to_thread(ssl.create_default_context, cafile=ca_file)  # reading costs about 10 ms
    except OSError as error:  # SSLError is one
        raise aiosmtplib.SMTPException(f"cannot use the certificates in {ca_file}: {error.strerror}") from error


async def say_hello(smtp: aiosmtplib.SMTP) -> None:
    """Say EHLO, or HELO to a relay that does not know it."""
    try:
        await smtp.ehlo()
    except aiosmtplib.SMTPHeloError as error:
        if error.code not in EHLO_UNKNOWN:
            raise
        await smtp.helo()


async def log_in(smtp: aiosmtplib.SMTP, username: str, password: str) -> None:
    """Log in by the first method offered, once: three refusals for one wrong password can lock an account."""
    methods = {"plain": smtp.auth_plain, "login": smtp.auth_login, "cram-md5": smtp.auth_crammd5}
    for name, method in methods.items():
        if name in smtp.server_auth_methods:
            await method(octets(username), octets(password))
            return
    raise aiosmtplib.SMTPException("no login: the relay offers none of PLAIN, LOGIN and CRAM-MD5")


def octets(secret: str) -> bytes:
    """Encode without an error, whose text would show the secret."""
    return secret.encode("utf-8", "surrogatepass")
