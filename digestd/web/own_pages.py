"""A reader's pages below the one that their mails lead to: preferences, editions read online, all that is stored."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from http import HTTPStatus
from types import MappingProxyType

import structlog
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from digestd.errors import NotFound, QueryError
from digestd.model import Profile
from digestd.web import wording
from digestd.web.choices import Choice
from digestd.web.feed import MEDIA_TYPE
from digestd.web.forms import Checked, Typed, at_fields, check_form, read_form, typed_of
from digestd.web.own import Known, Own
from digestd.web.pace import body_of
from digestd.web.render import Renderer
from digestd.web.sample import DAYS, Sample, tasted
from digestd.web.subscription import Subscriptions
from digestd.web.threads import StoreThreads

REFUSAL_SECONDS = 0.02  # as app.REFUSAL_SECONDS: that a token names nobody is found sooner than that it is forged

_PREFERENCES = "web/preferences.html.j2"
_TASTE = "web/taste.html.j2"
# A mail's styles stand in its elements; it has no script, no form, and nothing is loaded.
_MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

log = structlog.get_logger("digestd")


class OwnPages:
    """The answers of a reader's own pages."""

    def __init__(
        self,
        own: Own,
        sample: Sample,
        subscriptions: Subscriptions,
        renderer: Renderer,
        threads: StoreThreads,
        not_found: Callable[[float], Awaitable[Response]],
        *,
        learning: bool,
    ) -> None:
        self._own = own
        self._sample = sample
        self._subscriptions = subscriptions
        self._renderer = renderer
        self._threads = threads
        self._not_found = not_found
        self._learning = learning

    def routes(self) -> list[BaseRoute]:
        """Return the routes of these pages."""
        return [
            Route("/u/{token}/preferences", self._found(self.preferences), methods=["GET", "POST"]),
            Route("/f/{token}", self._found(self.feed), methods=["GET"]),
            Route("/u/{token}/export", self._found(self.export), methods=["GET"]),
            Route("/u/{token}/editions/{id}", self._found(self.edition), methods=["GET"]),
        ]

    async def preferences(self, request: Request) -> Response:
        """Show what is followed, try a change, and make it."""
        token = request.path_params["token"]
        if request.method != "POST":
            name = request.query_params.get("profile", "") if request.scope["query_string"] else ""
            known = await self._threads.read(partial(self._own.known, token, name))
            values = self._values(known, typed_of(known.profile) if known.profile else Typed())
            return self._renderer.unfolding(_PREFERENCES, partial(self._preview, known.profile), **values)
        body = await body_of(request)
        wanted = read_form(body, Typed())
        known = await self._threads.read(partial(self._own.known, token, wanted.profile))
        match wanted.action:
            case "fragment" | "preview" | "save":
                return await self._tried(token, known, body, wanted.action)
            case Choice.PAUSE | Choice.RESUME:
                await self._threads.run(partial(self._subscriptions.choose, token, Choice(wanted.action)))
                return await self._shown(await self._threads.read(partial(self._own.known, token, wanted.profile)))
            case "forget":
                return self._words(wording.forgetting(known.stored))
            case "forget-all":
                await self._threads.run(partial(self._own.forget, token))
                log.info("reader-forgotten", subscriber=known.stored.pk)
                return self._words(wording.forgotten())
            case _:
                return await self._shown(known)

    async def export(self, request: Request) -> Response:
        """Answer with all that is stored about a reader, as a file."""
        content = await self._threads.run(partial(self._own.export, request.path_params["token"]))
        text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
        headers = {"Content-Disposition": 'attachment; filename="digestd-about-me.json"'}
        return Response(text.encode("utf-8", "replace"), media_type="application/json", headers=headers)

    async def feed(self, request: Request) -> Response:
        """Answer with a reader's papers as a feed; with nothing where the asker has that already (RFC 9110 13.1.2)."""
        content = await self._threads.run(partial(self._own.feed, request.path_params["token"]))
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
        if tag in request.headers.get("If-None-Match", ""):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(content, media_type=MEDIA_TYPE, headers=headers)

    async def edition(self, request: Request) -> Response:
        """Show an edition as it was sent."""
        html = await self._threads.run(
            partial(self._own.edition, request.path_params["token"], request.path_params["id"])
        )
        return HTMLResponse(html, headers={"Content-Security-Policy": _MAIL_POLICY})

    async def _tried(self, token: str, known: Known, body: bytes, action: str) -> Response:
        if known.profile is None:
            return await self._shown(known)
        typed = read_form(body, typed_of(known.profile))
        checked = check_form(typed, known.profile)
        if action == "save" and not known.may_change:
            return await self._shown(known, status=HTTPStatus.CONFLICT)
        if action == "save" and checked.profile is not None and not checked.mistakes:
            saved = await self._threads.run(partial(self._own.save, token, checked.profile))
            log.info("reader-changed", subscriber=saved.stored.pk)
            return await self._shown(saved, said="Saved. Your next mail follows it.")
        if action == "fragment":
            return HTMLResponse(await self._preview(checked.profile, checked.mistakes.get("keywords", ())))
        status = HTTPStatus.UNPROCESSABLE_ENTITY if action == "save" else HTTPStatus.OK
        return await self._form(known, typed, checked, status=status)

    async def _shown(self, known: Known, said: str = "", status: int = HTTPStatus.OK) -> Response:
        typed = typed_of(known.profile) if known.profile else Typed()
        return await self._form(known, typed, Checked(None, known.profile, {}), said, status)

    async def _form(
        self, known: Known, typed: Typed, checked: Checked, said: str = "", status: int = HTTPStatus.OK
    ) -> Response:
        preview = await self._preview(checked.profile, checked.mistakes.get("keywords", ()))
        values = self._values(known, typed, checked.mistakes, said)
        return self._renderer.live(_PREFERENCES, status, preview=preview, **values)

    async def _preview(self, profile: Profile | None, wrong: tuple[str, ...] = ()) -> Markup:
        """Return what a profile would have brought, drawn; without one, or for one that no longer parses, nothing."""
        taste = None
        with contextlib.suppress(QueryError):
            taste = await tasted(self._sample, self._threads, profile) if profile else None
        return self._renderer.filled(_TASTE, taste=taste, days=DAYS, wrong=wrong)

    def _values(
        self,
        known: Known,
        typed: Typed,
        mistakes: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
        said: str = "",
    ) -> dict[str, object]:
        return {
            "known": known,
            "page": wording.preferences(known.stored),
            "typed": typed,
            "mistakes": at_fields(mistakes),
            "said": said,
            "days": DAYS,
            "history": [wording.past(one) for one in known.history],
            "learning": self._learning,
        }

    def _found(self, answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def found(request: Request) -> Response:
            refuse_at = asyncio.get_running_loop().time() + REFUSAL_SECONDS
            try:
                return await answer(request)
            except NotFound:
                return await self._not_found(refuse_at)

        return found

    def _words(self, page: wording.Page) -> Response:
        return HTMLResponse(self._renderer.html(page))
