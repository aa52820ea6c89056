"""Who comes in to the operator's pages, and whose forms are taken.

With a password: whoever knows it, for half a day. Without one: a browser on this machine that speaks to us directly.
A loopback address says little, because a reverse proxy has one too, and so has a page of another site whose name was
made to lead here (DNS rebinding): what a proxy adds is refused, and HTTP/1.0, which some of them speak and no browser
does, and so is every name that is not this machine's own. A form counts only with the proof that its page held.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from digestd.config.tables import is_loopback
from digestd.publish.tokens import sign, verify
from digestd.web.pace import body_of

COOKIE = "digestd-operator"
LASTS = timedelta(hours=12)
ATTEMPT_SECONDS = 1.0  # a wrong password takes so long, and one is looked at at a time: 86,400 guesses a day
PROXIED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")
OWN_MACHINE = (
    "Without a password this page answers only to a browser on its own machine that asks by localhost or 127.0.0.1."
    " To reach it through a proxy or from elsewhere, set operator.password_file."
)
_SESSION = re.compile(r"(\d{10,12})\.([A-Za-z0-9_-]{16,32})\.([A-Za-z0-9_-]{22})")
_MAX_FIELDS = 20


class Door:
    """Decides by the request alone; the key is the store's, so that a restart logs nobody out."""

    def __init__(self, key: Callable[[], bytes], password: str, clock: Callable[[], datetime]) -> None:
        self._key = key
        self._clock = clock
        self._password = password
        self._turn = asyncio.Lock()

    @property
    def has_password(self) -> bool:
        """Whether one logs in and out."""
        return bool(self._password)

    def session(self, request: Request) -> str | None:
        """Return the session of a request, None where there is none yet.

        Raises HTTPException for one that must not come in at all.
        """
        if not self._password and not _is_direct(request):
            raise HTTPException(HTTPStatus.FORBIDDEN, OWN_MACHINE)
        given = request.cookies.get(COOKIE, "")
        parts = _SESSION.fullmatch(given)
        if parts is None or not verify(self._key(), "operator session", self._subject(parts[1], parts[2]), parts[3]):
            return None
        return given if int(parts[1]) > self._clock().timestamp() else None

    def begin(self, request: Request, response: Response) -> str:
        """Give a new session to whoever asked; returns it."""
        until, nonce = str(int((self._clock() + LASTS).timestamp())), secrets.token_urlsafe(16)
        session = f"{until}.{nonce}.{sign(self._key(), 'operator session', self._subject(until, nonce))}"
        response.set_cookie(
            COOKIE,
            session,
            max_age=int(LASTS.total_seconds()),
            httponly=True,
            samesite="strict",
            secure=request.headers.get("X-Forwarded-Proto") == "https" or request.url.scheme == "https",
        )
        return session

    async def is_known(self, password: str) -> bool:
        """Return whether this is the password; slowly where it is not."""
        async with self._turn:
            fine = hmac.compare_digest(_digest(password), _digest(self._password))
            if not fine:
                await asyncio.sleep(ATTEMPT_SECONDS)
            return fine

    def proof(self, session: str) -> str:
        """Return what stands in the forms of a session's pages."""
        return sign(self._key(), "operator form", session)

    async def form(self, request: Request, session: str | None) -> dict[str, str]:
        """Return the fields of a posted form. Raises HTTPException for one that comes from another site's page.

        The login form has no session yet; what tells its origin is the browser alone.
        """
        origin, host = request.headers.get("Origin"), request.headers.get("Host", "")
        site = request.headers.get("Sec-Fetch-Site", "same-origin")
        if (origin is not None and urlsplit(origin).netloc != host) or site not in ("same-origin", "none"):
            raise HTTPException(HTTPStatus.FORBIDDEN, "The form came from another site.")
        try:
            sent = parse_qs((await body_of(request)).decode("utf-8", "replace"), max_num_fields=_MAX_FIELDS)
        except ValueError:
            sent = {}
        fields = {name: values[0] for name, values in sent.items()}
        if session is not None and not hmac.compare_digest(
            self.proof(session).encode(), fields.get("proof", "").encode("utf-8", "replace")
        ):
            raise HTTPException(HTTPStatus.FORBIDDEN, "The page was too old. Open it again; nothing was changed.")
        return fields

    def _subject(self, until: str, nonce: str) -> str:
        return f"{until}.{nonce}.{_digest(self._password).hex()}"  # another password ends the sessions of the old one


def _is_direct(request: Request) -> bool:
    peer, host = request.client.host if request.client else "", request.headers.get("Host", "")
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if request.scope.get("http_version") == "1.0":
        return False
    return is_loopback(peer) and is_loopback(name) and not any(header in request.headers for header in PROXIED)


def _digest(password: str) -> bytes:
    return hashlib.sha256(b"digestd operator: " + password.encode("utf-8", "surrogatepass")).digest()
