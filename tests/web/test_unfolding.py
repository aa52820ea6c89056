"""A page in two pieces: its beginning does not wait for its middle, and whatever that does, the page has an end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.web_site import WAIT, Answer, Site, read_answer, served, site_of

from digestd.errors import StoreBusy
from digestd.resources import web_templates
from digestd.web.check import page_samples
from digestd.web.render import Renderer
from digestd.web.unfolding import FAILED, Unfolding

PAGE = "preferences"


async def asked(middle: Callable[[], Awaitable[str]], request: str) -> Answer:
    """Return the answer to a request that wants a page with this middle."""
    page = Unfolding("<p>before ", middle, " after</p>", {"X-Some": "header"})
    async with served(page) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{request}\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        octets = await asyncio.wait_for(reader.read(), WAIT)
        writer.close()
    return read_answer(octets)


async def found() -> str:
    return "middle"


async def test_beginning_comes_while_the_middle_is_looked_for() -> None:
    looked = asyncio.Event()

    async def late() -> str:
        await looked.wait()
        return "middle"

    async with served(Unfolding("<p>before ", late, " after</p>", {})) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        begun = await asyncio.wait_for(reader.readuntil(b"before "), WAIT)
        assert begun.startswith(b"HTTP/1.1 200 OK\r\n")
        looked.set()
        rest = await asyncio.wait_for(reader.read(), WAIT)
        writer.close()
    assert read_answer(begun + rest).body == b"<p>before middle after</p>"


async def test_page_in_pieces_has_no_length_and_its_own_headers() -> None:
    answer = await asked(found, "GET / HTTP/1.1")
    assert answer.body == b"<p>before middle after</p>"
    assert answer.header("content-length") is None
    assert answer.header("transfer-encoding") == "chunked"
    assert (answer.header("content-type"), answer.header("x-some")) == ("text/html; charset=utf-8", "header")


async def test_page_for_who_reads_no_pieces_comes_whole() -> None:
    """RFC 9112 6.1: no chunks to a client of HTTP/1.0, as which some proxies ask."""
    answer = await asked(found, "GET / HTTP/1.0")
    assert answer.body == b"<p>before middle after</p>"
    assert answer.header("content-length") == str(len(answer.body))
    assert answer.header("transfer-encoding") is None


async def test_head_says_the_length_and_nothing_else() -> None:
    answer = await asked(found, "HEAD / HTTP/1.1")
    assert (answer.header("content-length"), answer.body) == (str(len(b"<p>before middle after</p>")), b"")


@pytest.mark.parametrize(
    ("failure", "event"), [(StoreBusy("held"), "web-store-failed"), (ZeroDivisionError("a defect"), "web-failed")]
)
@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_middle_that_fails_is_a_sentence_and_the_page_has_its_end(
    failure: Exception, event: str, version: str
) -> None:
    async def fails() -> str:
        raise failure

    with capture_logs() as logs:
        answer = await asked(fails, f"GET / HTTP/{version}")
    assert answer.body.decode() == f"<p>before {FAILED} after</p>"
    assert [line["event"] for line in logs] == [event]


async def test_preferences_without_papers_to_look_through_still_have_their_form(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held() -> int:
        raise StoreBusy("held")

    whole = await site.get(f"{site.path}/{PAGE}")
    monkeypatch.setattr(site.room.store.papers, "newest", held)
    answer = await site.get(f"{site.path}/{PAGE}")
    assert answer.status == 200
    assert "This cannot be shown at the moment." in answer.words
    assert answer.buttons == whole.buttons
    assert answer.page.tags.count("html") == whole.page.tags.count("html")
    for name in ("content-security-policy", "referrer-policy", "cache-control", "x-content-type-options"):
        assert answer.header(name) == whole.header(name)


async def test_preferences_by_head_carry_what_they_carry_by_get(site: Site) -> None:
    got, head = await site.get(f"{site.path}/{PAGE}"), await site.get(f"{site.path}/{PAGE}", method="HEAD")
    assert head.body == b""
    assert head.header("content-length") == str(len(got.body))
    assert head.header("content-security-policy") == got.header("content-security-policy")


async def test_preferences_of_a_template_without_a_preview_come_whole(tmp_path: Path) -> None:
    sources = dict(web_templates(None))
    sources["web/preferences.html.j2"] = sources["web/preferences.html.j2"].replace("{{ preview }}", "")
    page_samples(Renderer(sources))
    async with site_of(tmp_path, templates=sources) as site:
        answer = await site.get(f"{site.path}/{PAGE}")
    assert answer.header("content-length") == str(len(answer.body))
    assert "Take a break, or leave" in answer.words
