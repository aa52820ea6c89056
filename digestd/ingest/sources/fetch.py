"""One polite request: conditional, within limits of size and time, and to no address of a private network.

The standard library's client is enough and lets us choose the address a name leads to: it is looked up once, checked,
and connected to, so that no second answer of the DNS leads elsewhere (docs/decisions). Proxies are not used.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import BinaryIO
from urllib.parse import SplitResult, urljoin, urlsplit

REDIRECTS = 5
CHUNK = 65_536
_TEXT = (
    "text/",
    "application/json",
    "application/xml",
    "application/x-ndjson",
    "application/gzip",
    "application/x-gzip",
)

WATCH = 0.2  # seconds between looks whether a conversation must end

Lookup = Callable[[str, int], list[str]]
Stop = Callable[[], bool]


class FetchFailed(Exception):
    """A fetch that brought nothing; the text says why. `pause` is what the server asked for."""

    def __init__(self, reason: str, pause: timedelta | None = None) -> None:
        super().__init__(reason)
        self.pause = pause


class Stopped(Exception):
    """The program ends: what was on its way is left."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one fetch may take: bytes, seconds without a sign of life, and seconds in all."""

    max_bytes: int
    silence: float = 20.0
    total: float = 120.0


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask for. `etag` and `modified` are those of the last answer, empty for none."""

    address: str
    agent: str
    etag: str = ""
    modified: str = ""
    allow_private: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said. `unchanged` when it has nothing new (304); else the body was written."""

    unchanged: bool
    etag: str = ""
    modified: str = ""


def look_up(host: str, port: int) -> list[str]:
    """Return the addresses of a host."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def go_on() -> bool:
    """Say that nothing asks for an end."""
    return False


def fetch(
    request: Request,
    target: BinaryIO,
    limits: Limits,
    now: datetime,
    lookup: Lookup = look_up,
    stop: Stop = go_on,
) -> Answer:
    """Write what an address answers to `target`. Raises FetchFailed, and Stopped soon after `stop` says so."""
    address, until = request.address, time.monotonic() + limits.total
    for _ in range(REDIRECTS + 1):
        with _response(address, request, limits, until, lookup, stop) as response:
            if response.status in (301, 302, 303, 307, 308):
                address = _redirected(address, response.getheader("Location", ""))
                continue
            if response.status == 304:
                return Answer(True, request.etag, request.modified)
            if response.status != 200:
                pause = _pause(response.getheader("Retry-After", ""), now)
                raise FetchFailed(f"it answered {response.status} {response.reason[:80]}".rstrip(), pause)
            _refuse_type(response)
            _copy(response, target, limits, until, stop)
            return Answer(False, response.getheader("ETag", "")[:500], response.getheader("Last-Modified", "")[:100])
    raise FetchFailed(f"more than {REDIRECTS} redirections")


@contextmanager
def _response(
    address: str, request: Request, limits: Limits, until: float, lookup: Lookup, stop: Stop
) -> Iterator[http.client.HTTPResponse]:
    parts = urlsplit(address)
    sockets: list[socket.socket] = []
    line = _connection(parts, request.allow_private, limits, until, lookup, sockets)
    done = threading.Event()
    watch = threading.Thread(target=_watch, args=(sockets, until, stop, done), daemon=True)
    try:
        watch.start()
        line.connect()
        line.request("GET", _path(parts), headers=_headers(request))
        yield line.getresponse()
    except (OSError, http.client.HTTPException, ValueError) as error:
        if stop():
            raise Stopped from None
        if time.monotonic() >= until:
            raise FetchFailed(f"it took longer than {limits.total:g} seconds") from None
        raise FetchFailed(_why(error, limits)) from None
    finally:
        done.set()
        line.close()
        for one in sockets:
            one.close()


def _connection(
    parts: SplitResult, allow_private: bool, limits: Limits, until: float, lookup: Lookup, sockets: list[socket.socket]
) -> http.client.HTTPConnection:
    """Return a connection to an address that was looked up and checked here, not yet opened.

    Once it is, `sockets` holds a second handle of it, by which it can be ended whoever holds the first: TLS takes it
    over before the handshake, and the body of the answer after the head.
    """
    try:
        host, port = (parts.hostname or "").encode("idna").decode("ascii"), parts.port
    except ValueError:
        raise FetchFailed("its address has no usable host") from None
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        raise FetchFailed("its address is neither http nor https, or names a user")
    port = port or (443 if parts.scheme == "https" else 80)
    try:
        found = lookup(host, port)
    except OSError as error:
        raise FetchFailed(f"{host} has no address: {error.strerror or error}") from None
    if not found:
        raise FetchFailed(f"{host} has no address")
    for one in found if not allow_private else ():
        if not is_public(one):
            raise FetchFailed(f"{host} leads to {one}, which is no public address")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    line = kind(host, port, timeout=limits.silence)

    def connect(_: object, timeout: float, source: object) -> socket.socket:
        opened = _connected(found, port, timeout)
        sockets.append(opened.dup())
        if time.monotonic() >= until:  # whoever watches may have looked before there was anything to end
            opened.close()
            raise TimeoutError
        return opened

    line._create_connection = connect  # type: ignore[attr-defined]
    return line


def is_public(address: str) -> bool:
    """Return whether an IP address is one of the open internet, also where IPv6 wraps an IPv4 one."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        wrapped = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if wrapped is None and ip in ipaddress.ip_network("64:ff9b::/96"):
            wrapped = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if wrapped is not None:
            return is_public(str(wrapped))
    return ip.is_global and not ip.is_multicast


def _connected(found: list[str], port: int, timeout: float) -> socket.socket:
    trouble: OSError = ConnectionError("no address")
    for one in found[:4]:
        try:
            return socket.create_connection((one, port), timeout)
        except OSError as error:
            trouble = error
    raise trouble


def _watch(sockets: list[socket.socket], until: float, stop: Stop, done: threading.Event) -> None:
    """End a conversation from outside, however slowly the other side still speaks."""
    while not (stop() or time.monotonic() >= until):
        if done.wait(WATCH):
            return
    for one in sockets:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def _headers(request: Request) -> dict[str, str]:
    headers = {"User-Agent": request.agent, "Accept": "*/*", "Accept-Encoding": "gzip", "Connection": "close"}
    if request.etag:
        headers["If-None-Match"] = request.etag
    if request.modified:
        headers["If-Modified-Since"] = request.modified
    return headers


def _path(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _redirected(address: str, location: str) -> str:
    target = urljoin(address, location)
    if not location or not target.isprintable() or " " in target:
        raise FetchFailed("it redirects to nowhere")
    if address.startswith("https:") and not target.startswith("https:"):
        raise FetchFailed("it redirects from https to an address without it")
    return target


def _refuse_type(response: http.client.HTTPResponse) -> None:
    kind = response.getheader("Content-Type", "").partition(";")[0].strip().lower()
    if (
        kind
        and not kind.startswith(_TEXT)
        and not kind.endswith(("+xml", "+json"))
        and kind != "application/octet-stream"
    ):
        raise FetchFailed(f"it answered with {kind[:80]}, which is no digest file")
    coded = response.getheader("Content-Encoding", "identity").lower()
    if coded not in ("identity", "gzip", "x-gzip"):
        raise FetchFailed(f"it answered in the coding {coded[:40]}, which was not asked for")


def _copy(response: http.client.HTTPResponse, target: BinaryIO, limits: Limits, until: float, stop: Stop) -> None:
    """Write a body as it stands: one that is gzipped is a gzipped digest file."""
    if response.length is not None and response.length > limits.max_bytes:
        raise FetchFailed(f"it is too large: {response.length:,} bytes, at most {limits.max_bytes:,} are taken")
    taken = 0
    while chunk := response.read(CHUNK) if response.length != 0 else b"":
        taken += len(chunk)
        if taken > limits.max_bytes:
            raise FetchFailed(f"it is too large: more than {limits.max_bytes:,} bytes")
        if stop() or time.monotonic() > until:
            raise TimeoutError
        target.write(chunk)
    if stop() or time.monotonic() >= until:  # whoever hung up, it was we
        raise TimeoutError
    if response.length:
        raise FetchFailed(f"it broke off {response.length:,} bytes before its end")


def _pause(told: str, now: datetime) -> timedelta | None:
    """Return what a Retry-After asks for, in seconds or until a date (RFC 9110, 10.2.3)."""
    if told.isdecimal() and len(told) < 9:
        return timedelta(seconds=int(told))
    try:
        moment = parsedate_to_datetime(told)
        return max(timedelta(0), (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now)
    except (ValueError, OverflowError, TypeError):
        return None


def _why(error: Exception, limits: Limits) -> str:
    if isinstance(error, TimeoutError):
        return f"it was silent for {limits.silence:g} seconds"
    if isinstance(error, ssl.SSLError):
        return (
            f"its certificate or TLS is not accepted: {getattr(error, 'verify_message', '') or error.reason or error}"
        )
    if isinstance(error, http.client.IncompleteRead):
        return "it broke off before its end"
    if isinstance(error, OSError):
        return f"it cannot be reached: {(error.strerror or str(error) or type(error).__name__).lower()}"
    return f"it does not speak HTTP as expected: {type(error).__name__}"
