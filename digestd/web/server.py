"""The web server inside the daemon's event loop: uvicorn, without its signals, its log of requests, or its name.

It speaks plain HTTP and expects a proxy before it that ends TLS and bounds how slowly a client may talk.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

from digestd.errors import ConfigError

CONNECTIONS = 900  # at a time; the rest is told 503. A file descriptor each, of the usual 1,024
# Descriptors of the listening socket. In a turn uvloop takes one connection from each, and beside a delivery a turn
# takes most of a millisecond: the last of a hundred who come together would wait for a hundred of them.
AT_ONCE = 16
STOP_SECONDS = 1  # for answers in hand; a choice that was made is durable, whether its answer arrives or not


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals are the daemon's

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await self.on_tick(0)  # sets the date, which an answer before the first tick would lack
        await super().startup(sockets)


async def serve_web(
    app: ASGIApp,
    host: str,
    port: int,
    stop: asyncio.Event,
    ready: Callable[[int], None] | None = None,
    given: socket.socket | None = None,
) -> None:
    """Serve `app` until `stop` is set, then end within about a second and a half.

    `host` is an address or a name of this machine, `port` may be 0 for any free one; `ready` is told the port once
    connections are taken. A listening socket that was `given` takes the place of both. Raises ConfigError when it
    cannot listen there.
    """
    config = uvicorn.Config(
        app,
        http="httptools",  # a fifth of the time that h11 takes for a request
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,  # it would write every token down; the level keeps it away from handlers of others too
        server_header=False,
        proxy_headers=False,  # nobody asks who the client is
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    with contextlib.ExitStack() as open_:
        listener = open_.enter_context(contextlib.closing(given or _listener(host, port)))
        more = [open_.enter_context(contextlib.closing(listener.dup())) for _ in range(AT_ONCE - 1)]
        server = _Server(config)
        serving = asyncio.create_task(server.serve([listener, *more]))
        stopping = asyncio.create_task(stop.wait())
        try:
            if ready is not None:
                name = listener.getsockname()
                ready(name[1] if isinstance(name, tuple) else 0)  # a socket of systemd may be one of the file system
            await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            server.should_exit = True
            stopping.cancel()
            await serving


def _listener(host: str, port: int) -> socket.socket:
    """Return a bound socket that takes connections, which uvicorn begins to answer a moment later."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigError(f"cannot serve web pages on {host}, port {port}: {error.strerror}") from None
