"""What stands around the application, and what it needs before it can begin."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from support.web_site import WAIT, served

from digestd.errors import TemplateError
from digestd.resources import web_templates
from digestd.store.open import SqliteStore
from digestd.web.app import application
from digestd.web.check import check_pages
from digestd.web.guard import Guard
from digestd.web.render import Renderer


async def failed(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 503, "headers": []})
    await send({"type": "http.response.body", "body": b"sorry"})


def guarded(app: Any) -> Guard:
    return Guard(app, {"X-Rule": "kept"}, "", failed)  # type: ignore[arg-type]


async def asked(app: Any) -> bytes:
    """Return what an application answers to a request, as far as it comes."""
    async with served(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        octets = await asyncio.wait_for(reader.read(), WAIT)
        writer.close()
        return octets


async def test_guard_before_a_failure_answers_with_its_headers_and_logs() -> None:
    async def fails(*_: object) -> None:
        raise ZeroDivisionError

    with capture_logs() as logged:
        octets = await asked(guarded(fails))
    assert octets.startswith(b"HTTP/1.1 503 ")
    assert b"x-rule: kept" in octets
    assert octets.endswith(b"sorry\r\n0\r\n\r\n")
    assert [line["event"] for line in logged] == ["web-failed"]


async def test_guard_in_the_middle_of_an_answer_breaks_it_off() -> None:
    async def fails_late(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"he", "more_body": True})
        raise ZeroDivisionError

    with capture_logs() as logged:
        octets = await asked(guarded(fails_late))
    assert octets.endswith(b"\r\n\r\nhe")
    assert [line["event"] for line in logged] == ["web-failed"]


async def test_guard_of_an_answer_cut_off_by_the_end_says_no_more() -> None:
    begun = asyncio.Event()

    async def never_ends(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        begun.set()
        await asyncio.Event().wait()

    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    task = asyncio.create_task(guarded(never_ends)({"type": "http"}, None, send))  # type: ignore[arg-type]
    await begun.wait()
    task.cancel()
    await asyncio.wait_for(task, WAIT)
    assert [message["type"] for message in sent] == ["http.response.start"]


async def test_application_under_a_server_with_a_lifespan_begins_and_ends(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "digestd.db")
    told = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    sent: list[str] = []

    async def receive() -> Any:
        return next(told)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await application(store, lambda: None)({"type": "lifespan"}, receive, send)  # type: ignore[arg-type,return-value]
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    store.close()


def test_renderer_names_the_template_that_is_missing_or_wrong() -> None:
    with pytest.raises(TemplateError, match=r"style\.css"):
        Renderer({})
    broken = {**web_templates(None), "web/page.html.j2": "{{ page.heading }}\n{% if %}"}
    with pytest.raises(TemplateError, match=r"^web/page\.html\.j2, line 2: "):
        Renderer(broken)


def test_check_pages_names_a_template_that_fails_when_it_is_filled() -> None:
    wrong = {**web_templates(None), "web/taste.html.j2": "{{ taste.nothing }}"}
    with pytest.raises(TemplateError, match=r"^web/subscribe\.html\.j2: UndefinedError"):
        check_pages(wrong)
