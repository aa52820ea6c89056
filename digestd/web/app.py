"""The web application: the subscribe page, each reader's own pages, and the health check.

GET changes nothing, because scanners open every link in a mail. POST follows RFC 8058: no cookie, no CSRF token, no
redirect. The token in the address is the only key, so it is neither logged nor handed on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from http import HTTPStatus

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from digestd.errors import NotFound, StoreError
from digestd.resources import web_templates
from digestd.store.base import Store
from digestd.web import wording
from digestd.web.choices import choice_of
from digestd.web.guard import Guard
from digestd.web.own import Own
from digestd.web.own_pages import OwnPages
from digestd.web.pace import body_of, until
from digestd.web.render import Renderer
from digestd.web.sample import Sample
from digestd.web.signup import Opening, Signing
from digestd.web.signup_pages import SignupPages
from digestd.web.subscription import Subscriptions
from digestd.web.threads import StoreThreads
from digestd.web.tune import Tuning
from digestd.web.tune_pages import TunePages

STORE_SECONDS = 10.0  # mail programs do not wait much longer for a one-click POST
HEALTH_SECONDS = 2.0
RETRY_SECONDS = 60

# Every refusal of a token takes this long: to find that a number names nobody is 0.2 ms faster than to find that a
# proof is wrong.
REFUSAL_SECONDS = 0.02

log = structlog.get_logger("digestd")


class Site:
    """The pages over a store, as an ASGI application. What it shows can be switched while it answers."""

    def __init__(self, store: Store, clock: Callable[[], datetime], probes: Sequence[Route] = ()) -> None:
        """`probes` are asked before the site's own routes."""
        self._rooms = _Rooms(store, clock)
        self._probes = probes
        self._app: ASGIApp

    def show(
        self, renderer: Renderer, opening: Opening | None = None, root_path: str = "", *, learning: bool = True
    ) -> None:
        """Answer with these templates from now on; what is being answered goes on as it began.

        `root_path` is the path of `mail.public_url` (`/papers`), for a proxy that hands it on; one that takes it
        away needs nothing. Without an `opening` nobody can sign up, without `learning` nobody say "more like this".
        """
        pages = _Pages(self._rooms, renderer)
        app = Starlette(
            routes=[
                *self._probes,
                Route("/u/{token}", pages.reader, methods=["GET", "POST"]),  # first what is asked most
                *(pages.signups(opening).routes() if opening else ()),
                *pages.own(learning=learning).routes(),
                *(pages.tuning().routes() if learning else ()),
                Route("/u/{token:path}", pages.reader, methods=["GET", "POST"]),  # a link of which too much was copied
                Route("/healthz", pages.health, methods=["GET"]),
            ],
            exception_handlers={HTTPException: pages.refused, StoreError: pages.failed},
            middleware=[
                Middleware(Guard, headers=pages.headers, root_path=root_path.rstrip("/"), failed=pages.unavailable()),
            ],
        )
        app.router.redirect_slashes = False  # a redirect would repeat the token in a header
        self._app = app

    def papers_came(self) -> None:
        """Have new papers made ready by a thread, so that no reader waits for it at the first preview."""
        self._rooms.threads.begin(self._rooms.sample.look)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        await self._app(scope, receive, send)


def application(
    store: Store, clock: Callable[[], datetime], root_path: str = "", *, opening: Opening | None = None,
    templates: Mapping[str, str] | None = None, probes: Sequence[Route] = (), learning: bool = True,
) -> Site:  # fmt: skip
    """Return the site over a store with templates, digestd's own unless given. Raises TemplateError."""
    site = Site(store, clock, probes)
    site.show(Renderer(web_templates(None) if templates is None else templates), opening, root_path, learning=learning)
    return site


class _Rooms:
    """What stays when other templates are shown: threads with their connections, and the papers analysed."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self.store = store
        self.clock = clock
        self.sample = Sample(store, clock)
        self.subscriptions = Subscriptions(store, clock)
        self.threads = StoreThreads(STORE_SECONDS, store.at_once)
        self.health_threads = StoreThreads(HEALTH_SECONDS)


class _Pages:
    """The answers to each kind of request."""

    def __init__(self, rooms: _Rooms, renderer: Renderer) -> None:
        self._store, self._clock, self._sample = rooms.store, rooms.clock, rooms.sample
        self._subscriptions, self._threads = rooms.subscriptions, rooms.threads
        self._health_threads = rooms.health_threads
        self._renderer = renderer
        self.headers = {
            "Content-Security-Policy": self._renderer.policy,
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
            "X-Robots-Tag": "noindex",
        }

    def signups(self, opening: Opening) -> SignupPages:
        """Return the pages on which people sign up."""
        signing = Signing(self._store, self._clock, opening, self._sample)
        return SignupPages(signing, self._sample, opening, self._renderer, self._threads, self._not_found)

    def tuning(self) -> TunePages:
        """Return the pages on which readers say what they want more and less of."""
        tuning = Tuning(self._store, self._clock, self._subscriptions)
        return TunePages(tuning, self._renderer, self._threads, self._not_found)

    def own(self, *, learning: bool) -> OwnPages:
        """Return the pages of each reader below the one that their mails lead to."""
        own = Own(self._store, self._clock, self._subscriptions, self._sample)
        return OwnPages(
            own, self._sample, self._subscriptions, self._renderer, self._threads, self._not_found, learning=learning
        )

    async def reader(self, request: Request) -> Response:
        """Answer for a reader's own page. One route for all its methods, so that a 405 can name them."""
        return await (self._choose(request) if request.method == "POST" else self._show(request))

    async def _show(self, request: Request) -> Response:
        token = request.path_params["token"]
        refuse_at = asyncio.get_running_loop().time() + REFUSAL_SECONDS
        try:
            stored = await self._threads.read(partial(self._subscriptions.opened, token))
        except NotFound:
            return await self._not_found(refuse_at)
        return self._page(wording.subscription(stored, page=token))

    async def _choose(self, request: Request) -> Response:
        token = request.path_params["token"]
        choice = choice_of(request.headers.get("Content-Type", ""), await body_of(request))
        refuse_at = asyncio.get_running_loop().time() + REFUSAL_SECONDS
        try:
            made = await self._threads.run(partial(self._subscriptions.choose, token, choice))
        except NotFound:
            return await self._not_found(refuse_at)
        if not made.allowed:
            return self._page(wording.subscription(made.subscriber, page=token), HTTPStatus.CONFLICT)
        log.info("reader-chose", subscriber=made.subscriber.pk, choice=choice.value)
        return self._page(wording.subscription(made.subscriber, choice, token))

    async def health(self, request: Request) -> Response:
        """Answer whether the store can be read."""
        try:
            await self._health_threads.run(self._store.papers.newest)
        except StoreError as error:
            log.warning("health-failed", error=error.key, reason=str(error))
            return PlainTextResponse("the store does not answer\n", HTTPStatus.SERVICE_UNAVAILABLE)
        return PlainTextResponse("ok")

    async def refused(self, request: Request, error: Exception) -> Response:
        """Answer what HTTP itself refuses: no such page, another method, too large a body, one that does not end."""
        assert isinstance(error, HTTPException)
        return self._page(wording.notice(error.status_code), error.status_code, error.headers)

    async def failed(self, request: Request, error: Exception) -> Response:
        """Answer when the store is busy or failing."""
        assert isinstance(error, StoreError)
        log.warning("web-store-failed", error=error.key, reason=str(error))
        return self.unavailable()

    def unavailable(self) -> Response:
        """Return the answer that asks to come back in a minute."""
        status = HTTPStatus.SERVICE_UNAVAILABLE
        return self._page(wording.notice(status), status, {"Retry-After": str(RETRY_SECONDS)})

    async def _not_found(self, at: float) -> Response:
        await until(at)
        return self._page(wording.notice(HTTPStatus.NOT_FOUND), HTTPStatus.NOT_FOUND)

    def _page(
        self, page: wording.Page, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None
    ) -> Response:
        return HTMLResponse(self._renderer.html(page), status, headers)
