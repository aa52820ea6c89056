"""The operator's pages: who comes in, what they show, and what they do."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest
from support.editions import snapshot
from support.store_room import MONDAY, StoreRoom, profile
from support.web_site import FORM, LATER, READER, Answer, Site, served

from digestd.config import Mail, Operator, Paths, Settings, Smtp
from digestd.model import Origin, OutboxState, Paper, Subscriber, SubscriberState
from digestd.publish.stage import publish
from digestd.resources import web_templates
from digestd.service.build import operator_site
from digestd.web.operator.check import operator_samples
from digestd.web.operator.door import ATTEMPT_SECONDS, PROXIED
from digestd.web.render import Renderer

PASSWORD = "correct horse battery"


class Desk(Site):
    """The served pages, and the browser of an operator."""

    def __init__(self, room: StoreRoom, port: int) -> None:
        super().__init__(room, port, "")
        self.cookie, self.woken = "", 0
        self.edition = str(room.store.outbox.row(room.editions(READER)[0].id)[0].edition)

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        named = {"Host": f"localhost:{self.port}"} | ({"Cookie": self.cookie} if self.cookie else {})
        answer = await super().ask(method, path, body, **(named | headers))
        if given := answer.header("Set-Cookie"):
            assert "httponly; " in given.lower()
            assert "samesite=strict" in given.lower()
            self.cookie = given.partition(";")[0]
        return answer

    async def proof(self, path: str = "/people/1") -> str:
        found = re.search(rb'name="proof" value="([^"]+)"', (await self.get(path)).body)
        assert found is not None
        return found[1].decode()

    async def do(self, path: str, **fields: str) -> Answer:
        """Press a button of a page, as its form does."""
        return await self.post(urlencode({**fields, "proof": await self.proof(path)}).encode(), FORM, path)


@asynccontextmanager
async def desk_of(folder: Path, password: str = "") -> AsyncIterator[Desk]:
    room = StoreRoom(folder / "digestd.db")
    paths = Paths(inbox=folder / "inbox", quarantine=folder / "quarantine", database=folder / "digestd.db")
    settings = Settings(
        paths=paths,
        smtp=Smtp(host="127.0.0.1"),
        mail=Mail(from_address="papers@example.org"),
        operator=Operator(password=password),  # type: ignore[arg-type]
    )
    try:
        ada = Subscriber(READER, "Ada <Reader>", profiles=(profile(),))
        room.store.subscribers.add(ada, Origin.OPERATOR, MONDAY)
        room.ingest([Paper("arXiv:2401.00001", "An Agent"), Paper("arXiv:2401.00002", "A Nest")], MONDAY)
        publish(room.store, snapshot(), LATER)
        desk = Desk(room, 0)

        def woken() -> None:
            desk.woken += 1

        made = operator_site(
            lambda: settings, room.store, lambda: desk.now, lambda: {"quiet": "No <new> papers."},
            woken,
        )  # fmt: skip
        async with served(made) as desk.port:
            yield desk
    finally:
        room.store.close()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_of(tmp_path) as made:
        yield made


def settle(desk: Desk, state: OutboxState) -> None:
    outbox = desk.room.store.outbox
    assert outbox.settle(int(desk.edition), tuple(OutboxState), state, "550 <b>no such mailbox</b>", LATER)


async def test_desk_shows_how_things_stand_with_everything_escaped(desk: Desk) -> None:
    overview = await desk.get("/")
    assert overview.status == 200
    assert "digestd needs you" in overview.words
    assert b"No &lt;new&gt; papers." in overview.body
    assert "1due or waiting" in overview.words
    settle(desk, OutboxState.FAILED)
    for path in ("/outbox", f"/outbox/{desk.edition}"):
        assert b"550 &lt;b&gt;no such mailbox&lt;/b&gt;" in (await desk.get(path)).body
    assert b"Ada &lt;Reader&gt;" in (await desk.get("/people")).body


async def test_desk_settles_an_edition_as_the_command_line_does(desk: Desk) -> None:
    page = f"/outbox/{desk.edition}"
    for before, action, after in (
        (OutboxState.FAILED, "retry", OutboxState.READY),
        (OutboxState.UNCERTAIN, "retry", OutboxState.READY),
        (OutboxState.UNCERTAIN, "sent", OutboxState.SENT),
        (OutboxState.READY, "release", OutboxState.READY),
        (OutboxState.READY, "cancelled", OutboxState.CANCELLED),
    ):
        settle(desk, before)
        answer = await desk.do(page, action=action, edition=desk.edition)
        assert f"to {READER} is {after}" in answer.words
        row, ledger = desk.room.store.outbox.row(desk.edition)
        assert (row.state, ledger[-1].state) == (after, after)
        assert "an operator" in row.reason
    assert desk.woken == 5
    settle(desk, OutboxState.READY)
    refused = await desk.do(page, action="retry")
    assert "this takes one that is failed or uncertain" in refused.words
    assert "'x' is nothing that can be done" in (await desk.do(page, action="x")).words


async def test_desk_lists_editions_and_people_in_pages(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digestd.web.operator.desk.ROWS", 2)
    for number in range(5):
        desk.room.subscribe(f"p{number}@example.net", profile())
    publish(desk.room.store, snapshot(), LATER)
    for start, column in (("/outbox", "outbox/"), ("/people", "people/")):
        seen: list[str] = []
        path: str | None = start
        while path is not None:
            page = (await desk.get(path)).page
            seen += [link for link in page.links if link.startswith(column)]
            path = next((start + link for link in page.links if "before=" in link or "after=" in link), None)
        assert len(seen) == len(set(seen)) == 6
    assert "p3@example.net" in (await desk.get("/people?q=P3%40")).words
    assert "Nobody has that" in (await desk.get("/people?q=%25")).words
    assert "There are none" in (await desk.get("/outbox?state=uncertain")).words


async def test_desk_moves_a_person_and_tells_why_a_paper_came(desk: Desk) -> None:
    answer = await desk.do("/people/1", action="pause")
    assert f"{READER} is paused" in answer.words
    assert desk.room.store.subscribers.find(READER).subscriber.state is SubscriberState.PAUSED
    assert f"{READER} is active" in (await desk.do("/people/1", action="resume")).words
    assert "It is in the edition daily:" in (await desk.get("/people/1?paper=2401.00001")).words
    assert "no profile matches it" in (await desk.get("/people/1?paper=A+Nest")).words
    assert "no paper 'x'" in (await desk.get("/people/1?paper=x")).words
    assert (await desk.get("/people/99")).status == 404


async def test_desk_takes_a_refused_file_back_and_never_leaves_the_folder(desk: Desk, tmp_path: Path) -> None:
    for folder in ("inbox", "quarantine"):
        (tmp_path / folder).mkdir()
    (tmp_path / "quarantine" / "odd <b>.txt").write_text("{{ 7*7 }} <script>")
    (tmp_path / "secret").write_text("nobody's business")
    assert b"odd &lt;b&gt;.txt" in (await desk.get("/quarantine")).body
    assert b"{{ 7*7 }} &lt;script&gt;" in (await desk.get("/quarantine/odd%20%3Cb%3E.txt")).body
    for name in ("../secret", "..%2Fsecret", "%2E%2E/secret"):
        assert (await desk.get(f"/quarantine/{name}")).status == 404
    answer = await desk.do("/quarantine", action="retry", file="odd <b>.txt")
    assert "is in the inbox again" in answer.words
    assert [path.name for path in (tmp_path / "inbox").iterdir()] == ["odd <b>.txt"]


async def test_desk_without_a_password_answers_its_own_machine_alone(desk: Desk) -> None:
    assert (await desk.get("/")).status == 200
    for name in PROXIED:
        assert (await desk.get("/", **{name: "203.0.113.9"})).status == 403
    for host in ("papers.example.org", "evil.example", "127.0.0.1.evil.example", "", "[::1", "192.0.2.1:80"):
        assert (await desk.get("/", Host=host)).status == 403, host
    for host in ("127.0.0.1", "localhost:8026", "[::1]:8026"):
        assert (await desk.get("/", Host=host)).status == 200, host
    old = await desk.exchange(b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
    assert old.status == 403, "as a proxy speaks that says nothing of itself"


async def test_desk_takes_no_form_but_its_own(desk: Desk) -> None:
    page, proof = f"/outbox/{desk.edition}", await desk.proof()
    settle(desk, OutboxState.FAILED)
    good = f"action=retry&proof={proof}".encode()
    cookie, forms = desk.cookie, {"no proof": b"action=retry", "another": b"action=retry&proof=" + b"A" * 22}
    for name, body in forms.items():
        assert (await desk.post(body, path=page)).status == 403, name
    for header in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        assert (await desk.post(good, path=page, **header)).status == 403
    for other in ("", cookie[:-1] + ("A" if cookie[-1] != "A" else "B")):
        desk.cookie = other
        assert (await desk.post(good, path=page)).status == 403
    assert desk.room.store.outbox.row(desk.edition)[0].state is OutboxState.FAILED
    desk.cookie = cookie
    same = await desk.post(good, path=page, Origin=f"http://localhost:{desk.port}", Sec_Fetch_Site="same-origin")
    assert (same.status, desk.room.store.outbox.row(desk.edition)[0].state) == (200, OutboxState.READY)


async def test_desk_with_a_password_asks_for_it_and_forgets(tmp_path: Path) -> None:
    async with desk_of(tmp_path, PASSWORD) as desk:
        away = {"Host": "desk.example.org", "X_Forwarded_For": "203.0.113.9", "X_Forwarded_Proto": "https"}
        first = await desk.get(f"/outbox/{desk.edition}", **away)
        assert (first.status, first.header("Location")) == (303, "../login")
        begun = time.monotonic()
        wrong = await desk.post(urlencode({"password": "guess"}).encode(), path="/login", **away)
        assert (wrong.status, desk.cookie, time.monotonic() - begun >= ATTEMPT_SECONDS) == (403, "", True)
        foreign = await desk.post(
            urlencode({"password": PASSWORD}).encode(), path="/login", Origin="http://evil.example"
        )
        assert (foreign.status, desk.cookie) == (403, "")
        right = await desk.post(urlencode({"password": PASSWORD}).encode(), path="/login", **away)
        assert (right.status, right.header("Location")) == (303, ".")
        assert "secure" in str(right.header("Set-Cookie")).lower()
        assert (await desk.get("/", **away)).status == 200
        cookie = desk.cookie
        proof = await desk.proof()
        out = await desk.post(f"proof={proof}".encode(), path="/logout")
        assert (out.status, desk.cookie) == (303, 'digestd-operator=""')
        desk.cookie = cookie
        desk.now = LATER.replace(year=LATER.year + 1)
        assert (await desk.get("/")).status == 303, "a session ends"


async def test_desk_answers_with_the_right_status_and_headers(desk: Desk) -> None:
    answer = await desk.get("/")
    assert "script" not in str(answer.header("Content-Security-Policy"))
    assert answer.header("Cache-Control") == "no-store"
    for path, status in (("/nothing", 404), ("/outbox/x", 404), ("/u/1.x", 404), ("/healthz", 404)):
        assert (await desk.get(path)).status == status
    assert (await desk.get("/", "DELETE")).status == 405


def test_operator_samples_fill_every_template() -> None:
    samples = operator_samples(Renderer(web_templates(None)))
    assert len(samples) == 14
    assert all("<h1>" in html for html in samples.values())


async def test_desk_pages_of_many_rows_are_small(desk: Desk) -> None:
    store = desk.room.store
    for number in range(70):
        name = f"{number}-{'x' * 40}@example.org"
        store.subscribers.add(Subscriber(name, "A Name", profiles=(profile(),)), Origin.OPERATOR, MONDAY)
    publish(store, snapshot(), LATER)
    for row in store.outbox.rows(None, 100, None):
        store.outbox.settle(row.edition, tuple(OutboxState), OutboxState.FAILED, "550 no such mailbox " * 50, LATER)
    for path in ("/outbox", "/outbox?state=failed", "/people", f"/outbox/{desk.edition}"):
        assert len((await desk.get(path)).body) < 50_000, path
