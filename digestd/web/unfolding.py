"""A page whose middle is looked for when its beginning is on the way: nobody waits for it before an empty window.

Status and headers have left by then, so what fails after that is said in a sentence where the middle would stand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Final

import structlog
from starlette.responses import HTMLResponse
from starlette.types import Receive, Scope, Send

from digestd.errors import StoreError

# With the places that the page's script fills, and no template: it may be one that fails.
FAILED: Final = (
    '<p id="count" class="count" role="status">This cannot be shown at the moment. Please try again in a minute.</p>\n'
    '<div id="cards"></div>\n'
)

log = structlog.get_logger("digestd")


class Unfolding(HTMLResponse):
    """The answer 200 in two pieces: what stands before the middle, and the middle with what stands behind it."""

    def __init__(
        self, before: str, middle: Callable[[], Awaitable[str]], after: str, headers: Mapping[str, str]
    ) -> None:
        self.status_code = HTTPStatus.OK
        self.background = None
        self.init_headers(headers)  # without a body, so without its length
        self._before = before
        self._middle = middle
        self._after = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3): in one piece where a body's end cannot be told, and to who wants its length."""
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        if scope["method"] == "HEAD" or scope["http_version"] == "1.0":
            body = self._before.encode() + await self._rest()
            await send({**start, "headers": [*self.raw_headers, (b"content-length", b"%d" % len(body))]})
            await send({"type": "http.response.body", "body": body})
            return
        await send(start)
        await send({"type": "http.response.body", "body": self._before.encode(), "more_body": True})
        await asyncio.sleep(0)  # it leaves now, and before the middle also the beginnings that others wait for
        await send({"type": "http.response.body", "body": await self._rest()})

    async def _rest(self) -> bytes:
        middle = FAILED
        try:
            middle = await self._middle()
        except StoreError as error:
            log.warning("web-store-failed", error=error.key, reason=str(error))
        except Exception:
            log.exception("web-failed", error="unexpected")  # without the path: the token is in it
        return middle.encode() + self._after.encode()
