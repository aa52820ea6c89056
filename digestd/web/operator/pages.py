"""The operator's pages as answers to requests: every one of them goes through the door."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import TypeVar

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from digestd.errors import DigestdError, NotFound, StoreError
from digestd.model import OutboxState
from digestd.service.status import HOURS
from digestd.web.guard import Guard
from digestd.web.operator.desk import Desk
from digestd.web.operator.door import COOKIE, Door
from digestd.web.render import Renderer
from digestd.web.threads import StoreThreads

SECONDS = 30.0  # an operator waits longer than a mail program; a search through a million people takes one
FOLDER = "web/operator"
# What would reorder a line or is no text, of a name or of a refused file: an operator sees that it is there.
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LONGEST = 500  # characters of what is asked for

log = structlog.get_logger("digestd")
_T = TypeVar("_T")
Fields = Mapping[str, str]


class OperatorSite:
    """The operator's pages, as an ASGI application. Templates can be switched while it answers."""

    def __init__(self, desk: Desk, door: Door, renderer: Renderer) -> None:
        self._desk = desk
        self._door = door
        self._threads = StoreThreads(SECONDS)
        self.show(renderer)

    def show(self, renderer: Renderer) -> None:
        """Answer with these templates from now on."""
        self._renderer = renderer
        pages: Mapping[str, Callable[[Request, Fields], Awaitable[dict[str, object]]]] = {
            "/": self._overview,
            "/outbox": self._outbox,
            "/outbox/{edition}": self._edition,
            "/people": self._people,
            "/people/{number:int}": self._person,
            "/quarantine": self._quarantine,
            "/quarantine/{name:path}": self._refused,
        }
        headers = {
            "Content-Security-Policy": renderer.operator_policy,
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
            "X-Robots-Tag": "noindex",
        }
        app = Starlette(
            routes=[
                Route("/login", self._login, methods=["GET", "POST"]),
                Route("/logout", self._logout, methods=["POST"]),
                *(Route(path, self._entered(page), methods=["GET", "POST"]) for path, page in pages.items()),
            ],
            exception_handlers={
                HTTPException: self._refused_request, NotFound: self._not_found, DigestdError: self._failed,
            },
            middleware=[Middleware(Guard, headers=headers, root_path="", failed=_said("This did not work.", 503))],
        )  # fmt: skip
        app.router.redirect_slashes = False
        self._app: ASGIApp = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        await self._app(scope, receive, send)

    def _entered(
        self, page: Callable[[Request, Fields], Awaitable[dict[str, object]]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return a route's answer: the door first, then the form's proof, then the page."""

        async def answer(request: Request) -> Response:
            session = self._door.session(request)
            if request.method == "POST":
                if session is None:
                    raise HTTPException(HTTPStatus.FORBIDDEN, "Open the page first; nothing was changed.")
                return self._page(request, session, await page(request, await self._door.form(request, session)))
            if session is None and self._door.has_password:
                return RedirectResponse(f"{_up(request)}login", HTTPStatus.SEE_OTHER)
            begun = Response() if session is None else None
            session = session or self._door.begin(request, begun or Response())
            shown = self._page(request, session, await page(request, {}))
            if begun is not None:
                shown.raw_headers.extend(one for one in begun.raw_headers if one[0] == b"set-cookie")
            return shown

        return answer

    async def _login(self, request: Request) -> Response:
        session = self._door.session(request)
        if session is not None or not self._door.has_password:
            return RedirectResponse(".", HTTPStatus.SEE_OTHER)
        if request.method != "POST":
            return HTMLResponse(self._renderer.filled(f"{FOLDER}/login.html.j2", wrong=""))
        fields = await self._door.form(request, None)
        if not await self._door.is_known(fields.get("password", "")):
            log.warning("operator-refused", peer=request.client.host if request.client else "")
            wrong = "This is not the password."
            return HTMLResponse(self._renderer.filled(f"{FOLDER}/login.html.j2", wrong=wrong), HTTPStatus.FORBIDDEN)
        log.info("operator-came", peer=request.client.host if request.client else "")
        response = RedirectResponse(".", HTTPStatus.SEE_OTHER)
        self._door.begin(request, response)
        return response

    async def _logout(self, request: Request) -> Response:
        session = self._door.session(request)
        if session is not None:
            await self._door.form(request, session)
        response = RedirectResponse("login", HTTPStatus.SEE_OTHER)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return response

    # Each page: the values of its template, after what was posted to it was done

    async def _overview(self, request: Request, fields: Fields) -> dict[str, object]:
        said = await self._do(self._desk.release_store) if fields.get("action") == "release-store" else ""
        return {"template": "overview", "status": await self._run(self._desk.status), "said": said, "hours": HOURS}

    async def _outbox(self, request: Request, fields: Fields) -> dict[str, object]:
        said = await self._settled(fields.get("edition", ""), fields)
        asked = request.query_params.get("state", "")
        state = OutboxState(asked) if asked in set(OutboxState) else None
        before = request.query_params.get("before", "")
        rows, more = await self._run(partial(self._desk.editions, state, _number(before)))
        return {"template": "outbox", "rows": rows, "more": more, "state": state or "", "said": said}

    async def _edition(self, request: Request, fields: Fields) -> dict[str, object]:
        name = request.path_params["edition"]
        said = await self._settled(name, fields)
        row, ledger = await self._run(partial(self._desk.edition, name))
        return {"template": "edition", "row": row, "ledger": ledger, "said": said}

    async def _people(self, request: Request, fields: Fields) -> dict[str, object]:
        asked = {name: request.query_params.get(name, "").strip()[:_LONGEST] for name in ("q", "after")}
        people, more = await self._run(partial(self._desk.people, asked["q"], asked["after"]))
        return {"template": "people", "people": people, "more": more, **asked}

    async def _person(self, request: Request, fields: Fields) -> dict[str, object]:
        number = request.path_params["number"]
        said = await self._do(partial(self._desk.move, number, fields["action"])) if fields.get("action") else ""
        person = await self._run(partial(self._desk.person, number))
        paper = request.query_params.get("paper", "").strip()[:_LONGEST]
        told, wrong = None, ""
        try:
            told = await self._run(partial(self._desk.why, number, paper)) if paper else None
        except NotFound as error:
            wrong = str(error)
        return {"template": "person", "person": person, "paper": paper, "told": told, "wrong": wrong, "said": said}

    async def _quarantine(self, request: Request, fields: Fields) -> dict[str, object]:
        name = fields.get("file", "")
        said = await self._do(partial(self._desk.take_again, name)) if fields.get("action") == "retry" else ""
        return {"template": "quarantine", "files": await self._run(self._desk.refused), "said": said}

    async def _refused(self, request: Request, fields: Fields) -> dict[str, object]:
        name = request.path_params["name"]
        reason, beginning = await self._run(partial(self._desk.refused_file, name))
        return {"template": "refused", "name": name, "reason": reason, "beginning": beginning}

    async def _settled(self, edition: str, fields: Fields) -> str:
        action = fields.get("action", "")
        return await self._do(partial(self._desk.settle, edition, action)) if action else ""

    async def _do(self, action: Callable[[], str]) -> str:
        """Do something, and return what became of it, also where that is a refusal; the log keeps it."""
        try:
            said = await self._run(action)
        except StoreError:
            raise
        except DigestdError as error:
            return str(error)
        log.info("operator-did", said=said)
        return said

    async def _run(self, call: Callable[[], _T]) -> _T:
        return await self._threads.run(call)

    def _page(self, request: Request, session: str, values: dict[str, object]) -> HTMLResponse:
        shared = {"up": _up(request), "proof": self._door.proof(session), "leaves": self._door.has_password}
        template = f"{FOLDER}/{values.pop('template')}.html.j2"
        html = self._renderer.filled(template, moment=self._moment, **shared, **values)
        return HTMLResponse(_UNSEEN.sub("\ufffd", html))

    def _moment(self, at: datetime) -> str:
        return f"{at.astimezone(self._desk.zone):%Y-%m-%d %H:%M}"

    async def _refused_request(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _said(error.detail, error.status_code, error.headers)

    async def _not_found(self, request: Request, error: Exception) -> Response:
        return _said(str(error), HTTPStatus.NOT_FOUND)

    async def _failed(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, DigestdError)
        log.warning("web-store-failed", error=error.key, reason=str(error))
        return _said(str(error), HTTPStatus.SERVICE_UNAVAILABLE)


def _said(sentence: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    return PlainTextResponse(f"{sentence}\n", status, headers)


def _up(request: Request) -> str:
    """Return the way from a page to the first one, wherever a proxy has put them."""
    return "../" * (request.url.path.count("/") - 1)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
