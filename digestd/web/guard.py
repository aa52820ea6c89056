"""What holds for every answer: its headers, and that no failure shows more than a sentence.

It stands outside all else, so that also an unknown path, a wrong method and a defect in our own code pass it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus

import structlog
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_TWO_HOSTS = PlainTextResponse("The request has two Host headers.\n", HTTPStatus.BAD_REQUEST)

log = structlog.get_logger("digestd")


class Guard:
    """An ASGI application around another one. `failed` is the answer to what nobody foresaw."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str], root_path: str, failed: Response) -> None:
        self._app = app
        self._headers = [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]
        self._root_path = root_path
        self._failed = failed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                said = message["headers"]
                names = {name for name, _ in said}
                # A page that needs a script, or styles in it, says so itself.
                message["headers"] = [*said, *(header for header in self._headers if header[0] not in names)]
            await send(message)

        if self._root_path:
            scope["root_path"] = self._root_path
        try:
            hosts = sum(name == b"host" for name, _ in scope.get("headers", ()))
            if hosts > 1:  # RFC 9112 3.2: a proxy before us may have read the other one
                await _TWO_HOSTS(scope, receive, send_guarded)
                return
            await self._app(scope, receive, send_guarded)
        except ClientDisconnect:
            return  # in the middle of the body: nothing was asked for yet, and nobody is there to be told
        except asyncio.CancelledError:  # uvicorn's way to end what is still in hand when it stops
            if not started:
                await self._failed(scope, receive, send_guarded)
        except Exception:
            log.exception("web-failed", error="unexpected")  # without the path: the token is in it
            if started:
                raise
            await self._failed(scope, receive, send_guarded)
