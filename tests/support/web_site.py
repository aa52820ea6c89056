"""The web application over a real store, served on a free port of loopback, and a client that shows every octet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from support.editions import snapshot
from support.pages import Page
from support.store_room import MONDAY, StoreRoom, profile

from digestd.model import Origin, SubscriberState
from digestd.publish.tokens import unsubscribe_token
from digestd.store.base import Limits, Store
from digestd.web.app import application
from digestd.web.server import serve_web
from digestd.web.signup import Opening

READER = "reader@example.org"
FORM = "application/x-www-form-urlencoded"
LATER = MONDAY + timedelta(hours=3)
LIMITS = Limits(network=1_000, domain=1_000, everybody=1_000)
WAIT = 10.0  # seconds; nothing here takes one


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer. `headers` in order, names in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return a header's only value, None without one."""
        values = [value for key, value in self.headers if key == name.lower()]
        assert len(values) <= 1, f"{name} stands there {len(values)} times"
        return values[0] if values else None

    @property
    def page(self) -> Page:
        """The body as a browser takes it apart."""
        return Page(self.body.decode())

    @property
    def words(self) -> str:
        """What a person reads on the page."""
        return self.page.text("main")

    @property
    def buttons(self) -> list[str]:
        """The values of the page's buttons, in order."""
        return [value or "" for name, value in self.page.attributes if name == "value"]


class Site:
    """A served application, and one subscriber whose page it is."""

    def __init__(self, room: StoreRoom, port: int, token: str) -> None:
        self.now = LATER
        self.woken = 0
        self.room = room
        self.port = port
        self.token = token

    @property
    def path(self) -> str:
        """The path of the reader's own page."""
        return f"/u/{self.token}"

    @property
    def state(self) -> tuple[SubscriberState, Origin]:
        """The reader's state, and who put them there."""
        stored = self.room.store.subscribers.find(READER)
        return stored.subscriber.state, stored.state_by

    async def get(self, path: str | None = None, method: str = "GET", **headers: str) -> Answer:
        """Ask for a page; the reader's own unless told otherwise."""
        return await self.ask(method, path or self.path, b"", **headers)

    async def post(self, body: bytes = b"", kind: str = FORM, path: str | None = None, **headers: str) -> Answer:
        """Post to a page."""
        named = {"Content-Type": kind} if kind else {}
        return await self.ask("POST", path or self.path, body, **named, Content_Length=str(len(body)), **headers)

    async def fill(self, path: str = "/", **fields: str) -> Answer:
        """Send a form; the subscribe page's unless told otherwise."""
        return await self.post(urlencode(fields, errors="replace").encode(), path=path)

    async def press(self, action: str) -> Answer:
        """Press a button of the page."""
        return await self.post(f"action={action}".encode())

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """Send one request over a connection of its own. An underscore in a header's name is a hyphen."""
        named = {"Host": "papers.example.org", "Connection": "close"}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items()), "", ""]
        return await self.exchange("\r\n".join(lines).encode("latin-1") + body)

    async def exchange(self, octets: bytes) -> Answer:
        """Send octets as they are, and read the answer until the server closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(octets)
            await writer.drain()
            return read_answer(await asyncio.wait_for(reader.read(), WAIT))
        finally:
            writer.close()


def read_answer(octets: bytes) -> Answer:
    """Take an answer apart. Its body is what stands after the empty line, put together where it came in chunks."""
    head, _, body = octets.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    headers = tuple((name.lower(), value) for name, _, value in pairs)
    return Answer(int(status.split()[1]), headers, whole(body) if ("transfer-encoding", "chunked") in headers else body)


def whole(chunks: bytes) -> bytes:
    """Return what chunks are of (RFC 9112 7.1); the last one must be there."""
    body = b""
    while True:
        size, _, chunks = chunks.partition(b"\r\n")
        length = int(size, 16)
        body, end, chunks = body + chunks[:length], chunks[length : length + 2], chunks[length + 2 :]
        assert end == b"\r\n"
        if not length:
            assert chunks == b""
            return body


def token_of(room: StoreRoom, email: str) -> str:
    """Return the token that mails to this person carry."""
    stored = room.store.subscribers.find(email)
    return unsubscribe_token(room.store.editions.key(), stored.pk, stored.subscriber.email)


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[int]:
    """Serve an application as the daemon does; yields the port."""
    stop, port = asyncio.Event(), asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve_web(app, "127.0.0.1", 0, stop, port.set_result))
    try:
        yield await asyncio.wait_for(port, WAIT)
    finally:
        stop.set()
        await asyncio.wait_for(serving, WAIT)


@asynccontextmanager
async def site_of(
    folder: Path,
    instead: Store | None = None,
    root_path: str = "",
    templates: Mapping[str, str] | None = None,
    **opening: Any,
) -> AsyncIterator[Site]:
    """Serve the pages of a new store, or those of another store `instead`, with one reader in it.

    `opening` is changed in what sign-ups are taken with.
    """
    room = StoreRoom(folder / "digestd.db")
    try:
        room.subscribe(READER, profile())
        site = Site(room, 0, token_of(room, READER))

        def woken() -> None:
            site.woken += 1

        mails = snapshot()
        values = {"snapshot": lambda: mails, "limits": LIMITS, "woken": woken} | opening
        app = application(
            instead or room.store, lambda: site.now, root_path, opening=Opening(**values), templates=templates
        )
        async with served(app) as site.port:
            yield site
    finally:
        room.store.close()


def quoted(token: str) -> str:
    """Return the path of a token's page, whatever characters the token is made of."""
    return "/u/" + quote(token, safe="", errors="surrogatepass")
