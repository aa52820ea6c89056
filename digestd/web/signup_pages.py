"""The subscribe page with its preview, and the page that confirms."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from http import HTTPStatus
from types import MappingProxyType

import structlog
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from digestd.errors import NotFound
from digestd.store.base import Signup
from digestd.web import wording
from digestd.web.forms import Checked, Typed, at_fields, check_form, read_form
from digestd.web.networks import client_of, network_of
from digestd.web.pace import body_of, until
from digestd.web.render import Renderer
from digestd.web.sample import DAYS, Sample, Taste, tasted
from digestd.web.signup import Opening, Signing
from digestd.web.threads import StoreThreads

# A sign-up is answered after this long, whether somebody was asked, or is known, or was asked enough: each of these
# takes less, so the time tells nothing.
ANSWER_SECONDS = 0.05

_SUBSCRIBE = "web/subscribe.html.j2"
_TASTE = "web/taste.html.j2"

log = structlog.get_logger("digestd")


class SignupPages:
    """The answers of the subscribe and the confirm page."""

    def __init__(
        self,
        signing: Signing,
        sample: Sample,
        opening: Opening,
        renderer: Renderer,
        threads: StoreThreads,
        not_found: Callable[[float], Awaitable[Response]],
    ) -> None:
        self._signing = signing
        self._sample = sample
        self._opening = opening
        self._renderer = renderer
        self._threads = threads
        self._not_found = not_found
        self._empty = Typed(zone=opening.zone, at=opening.at)
        # The same for everybody who comes: made once, so that a link in a busy place costs the delivery nothing.
        self._first = self._form(self._empty, touched=False)

    def routes(self) -> list[BaseRoute]:
        """Return the routes of these pages."""
        return [
            Route("/", self.subscribe, methods=["GET", "POST"]),
            Route("/c/{token:path}", self.confirm, methods=["GET", "POST"]),
        ]

    async def subscribe(self, request: Request) -> Response:
        """Show the form, what it would have brought, or that a mail is on its way."""
        if request.method != "POST":
            return self._first
        typed = read_form(await body_of(request), self._empty)
        answer_at = asyncio.get_running_loop().time() + ANSWER_SECONDS
        checked = check_form(typed)
        if typed.action in ("fragment", "preview"):
            taste = await tasted(self._sample, self._threads, checked.profile) if checked.profile else None
            if typed.action == "fragment":
                wrong = checked.mistakes.get("keywords", ()) if typed.keywords.strip() else ()
                return HTMLResponse(self._renderer.filled(_TASTE, taste=taste, days=DAYS, wrong=wrong))
            shown = {field: said for field, said in checked.mistakes.items() if field != "email"}
            return self._form(typed, taste, shown)
        return await self._asked(request, typed, checked, answer_at)

    async def _asked(self, request: Request, typed: Typed, checked: Checked, answer_at: float) -> Response:
        if checked.mistakes or checked.profile is None or checked.email is None:
            return self._form(typed, None, checked.mistakes, HTTPStatus.UNPROCESSABLE_ENTITY)
        if not typed.trap:
            client = client_of(
                request.client.host if request.client else None,
                request.headers.get("X-Forwarded-For", ""),
                self._opening.trusted,
            )
            ask = partial(self._signing.ask, checked.email, checked.profile, network_of(client))
            if not await self._threads.run(ask):
                log.warning("signups-limited", network=network_of(client))
                status = HTTPStatus.TOO_MANY_REQUESTS
                return self._words(wording.notice(status), status)
            self._opening.woken()
        await until(answer_at)
        return self._words(wording.asked(checked.email))

    async def confirm(self, request: Request) -> Response:
        """Show what would be followed, and make it so when the button is pressed."""
        token = request.path_params["token"]
        body = await body_of(request) if request.method == "POST" else b""
        refuse_at = asyncio.get_running_loop().time() + ANSWER_SECONDS
        try:
            if request.method != "POST":
                return self._question(await self._threads.run(partial(self._signing.opened, token)))
            if read_form(body, Typed()).action == "refuse":
                refused = await self._threads.run(partial(self._signing.refuse, token))
                return self._words(wording.refused(refused))
            signup, own = await self._threads.run(partial(self._signing.confirm, token))
        except NotFound:
            return await self._not_found(refuse_at)
        if not own:
            return self._question(signup, HTTPStatus.CONFLICT if signup.is_open else HTTPStatus.GONE)
        log.info("reader-confirmed", subscriber=signup.subscriber)
        self._opening.woken()
        return self._words(wording.confirmed(signup.email, f"../u/{own}/preferences"))

    def _question(self, signup: Signup, status: int = HTTPStatus.OK) -> Response:
        return self._words(wording.question(signup, barred=status == HTTPStatus.CONFLICT), status)

    def _form(
        self,
        typed: Typed,
        taste: Taste | None = None,
        mistakes: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
        status: int = HTTPStatus.OK,
        *,
        touched: bool = True,
    ) -> Response:
        values = {"typed": typed, "taste": taste, "mistakes": at_fields(mistakes), "touched": touched, "days": DAYS}
        return self._renderer.live(_SUBSCRIBE, status, **values)

    def _words(self, page: wording.Page, status: int = HTTPStatus.OK) -> Response:
        return HTMLResponse(self._renderer.html(page), status)
