"""The pages on which a reader says "more like this" and "less like this", and sees, stops or resets what that taught.

GET changes nothing, as everywhere: scanners open every link of a mail. Each button is a form of its own, and works
without a script; pressing it twice is pressing it once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from types import MappingProxyType

import structlog
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from digestd.errors import NotFound
from digestd.match.learn import Wish
from digestd.publish.wording import long_date
from digestd.web import wording
from digestd.web.pace import body_of
from digestd.web.render import Renderer
from digestd.web.threads import StoreThreads
from digestd.web.tune import Learned, Tuning, pressed

REFUSAL_SECONDS = 0.02  # as app.REFUSAL_SECONDS

TUNE = "web/tune.html.j2"
LEARNED = "web/learned.html.j2"
_WISHES = MappingProxyType({"more": Wish.MORE, "less": Wish.LESS, "undo": None})
_SAID = MappingProxyType(
    {
        "reset": "Forgotten. Your papers stand in the order that your search words alone give them.",
        "off": "Turned off. What was learned is kept, but moves nothing.",
        "on": "Turned on again.",
    }
)

log = structlog.get_logger("digestd")


class TunePages:
    """The answers of these pages."""

    def __init__(
        self,
        tuning: Tuning,
        renderer: Renderer,
        threads: StoreThreads,
        not_found: Callable[[float], Awaitable[Response]],
    ) -> None:
        self._tuning = tuning
        self._renderer = renderer
        self._threads = threads
        self._not_found = not_found

    def routes(self) -> list[BaseRoute]:
        """Return the routes of these pages."""
        return [
            Route("/u/{token}/editions/{id}/tune", self._found(self.tune), methods=["GET", "POST"]),
            Route("/u/{token}/learned", self._found(self.learned), methods=["GET", "POST"]),
        ]

    async def tune(self, request: Request) -> Response:
        """Show the papers of an edition, each with its buttons, and take what is pressed."""
        token, id = request.path_params["token"], request.path_params["id"]
        if request.method == "POST":
            what = pressed(await body_of(request))
            if what.action in _WISHES:
                wish = _WISHES[what.action]
                if await self._threads.run(partial(self._tuning.say, token, id, what.place, wish)):
                    log.info("reader-tuned", wish=what.action)
        tuned = await self._threads.run(partial(self._tuning.tuned, token, id))
        return self._page(TUNE, tuned.learned, tuned=tuned, day=long_date(tuned.edition))

    async def learned(self, request: Request) -> Response:
        """Show what was learned of a reader; forget it, or stop it, when that is pressed."""
        token, said = request.path_params["token"], ""
        if request.method == "POST":
            what = pressed(await body_of(request))
            said = _SAID.get(what.action, "")
            if what.action == "reset":
                await self._threads.run(partial(self._tuning.reset, token))
            elif said:
                await self._threads.run(partial(self._tuning.switch, token, active=what.action == "on"))
            if said:
                log.info("reader-tuned", wish=what.action)
        return self._page(LEARNED, await self._threads.run(partial(self._tuning.learned, token)), said=said)

    def _page(self, template: str, learned: Learned, **values: object) -> Response:
        address = wording.masked(learned.stored.subscriber.email)
        return HTMLResponse(self._renderer.filled(template, learned=learned, address=address, **values))

    def _found(self, answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def found(request: Request) -> Response:
            refuse_at = asyncio.get_running_loop().time() + REFUSAL_SECONDS
            try:
                return await answer(request)
            except NotFound:
                return await self._not_found(refuse_at)

        return found
