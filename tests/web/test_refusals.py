"""What is not carried out: links that open nothing, wrong requests, a store that is busy or fails."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from support.hostile import HOSTILE
from support.web_site import FORM, READER, Answer, Site, quoted, site_of

from digestd.errors import NotFound, StoreBusy, StoreError
from digestd.model import Origin, SubscriberState
from digestd.publish.tokens import sign, unsubscribe_token
from digestd.store.open import SqliteStore
from digestd.web import app as app_module
from digestd.web import pace
from digestd.web.app import REFUSAL_SECONDS
from digestd.web.pace import MAX_DISCARDED

UNTOUCHED = (SubscriberState.ACTIVE, Origin.OPERATOR)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a store of which one method is another."""

    whole: Any
    name: str
    instead: Any

    def __getattr__(self, name: str) -> Any:
        return self.instead if name == self.name else getattr(self.whole, name)


@dataclass(frozen=True, slots=True)
class Faulty:
    """A store of which one method of one part is another."""

    whole: SqliteStore
    part: str
    name: str
    instead: Any

    def __getattr__(self, name: str) -> Any:
        part = getattr(self.whole, name)
        return Part(part, self.name, self.instead) if name == self.part else part


def failing(error: Exception) -> Any:
    def fail(*_: object) -> None:
        raise error

    return fail


def flipped(token: str) -> Iterator[str]:
    """Yield the token with each bit of each of its characters flipped."""
    for place, character in enumerate(token):
        for bit in range(7):
            yield token[:place] + chr(ord(character) ^ 1 << bit) + token[place + 1 :]


async def both(site: Site, path: str) -> tuple[Answer, Answer]:
    return await site.get(path), await site.post(path=path)


async def both_of_all(site: Site, tokens: Iterable[str]) -> list[tuple[str, Answer]]:
    """Return the answers to GET and POST of each token's page; a few dozen are asked for at once."""
    answers = []
    for some in batched(tokens, 40):
        asked = await asyncio.gather(*(both(site, quoted(token)) for token in some))
        answers += [(token, answer) for token, pair in zip(some, asked, strict=True) for answer in pair]
    return answers


def batched(tokens: Iterable[str], size: int) -> Iterator[list[str]]:
    rest = list(tokens)
    while rest:
        yield rest[:size]
        rest = rest[size:]


async def test_token_with_any_bit_flipped_is_refused_the_same_way(site: Site) -> None:
    for number in range(8):
        site.room.subscribe(f"other-{number}@example.org")  # a flipped number then names a real person
    unknown = await site.get("/u/999.AAAAAAAAAAAAAAAAAAAAAA")
    assert unknown.status == 404
    assert unknown.words.startswith("Papers by mail This link is not complete")
    for token, answer in await both_of_all(site, flipped(site.token)):
        assert (answer.status, answer.body) == (404, unknown.body), token
    assert {stored.subscriber.state for stored in site.room.store.subscribers.all()} == {SubscriberState.ACTIVE}


async def test_token_made_otherwise_is_refused(site: Site) -> None:
    key, number = site.room.store.editions.key(), site.room.store.subscribers.find(READER).pk
    wrong = [
        unsubscribe_token(b"another key", number, READER),
        unsubscribe_token(key, number, "other@example.org"),
        unsubscribe_token(key, number + 1, READER),
        f"{number}.{sign(key, 'confirm', f'{number}:{READER}')}",
        f"0{site.token}",
        f"{site.token}=",
        f"{site.token}/",
        f"{site.token}/../{site.token}",
        site.token.upper(),
        site.token[:-1],
        "",
    ]
    for token in wrong:
        for path in {quoted(token), f"/u/{token}"}:
            assert {answer.status for answer in await both(site, path)} == {404}, path
    assert site.state == UNTOUCHED


async def test_token_of_a_number_no_store_holds_is_refused(site: Site) -> None:
    for number in (2**63 - 1, 2**63, 10**19 - 1):
        token = unsubscribe_token(site.room.store.editions.key(), number, READER)
        assert {answer.status for answer in await both(site, f"/u/{token}")} == {404}


async def test_token_of_hostile_text_is_refused_and_not_repeated(site: Site) -> None:
    plain = await site.get("/u/1.x")
    for text, answer in await both_of_all(site, HOSTILE.values()):
        assert (answer.status, answer.body) == (404, plain.body), text[:80]
    for path in ("/u", "/u/", "/u//", "/favicon.ico", "/healthz/", "/%2e%2e/etc/passwd", "/u/%ff%fe", "//evil"):
        answer = await site.get(path)
        assert (answer.status, answer.body) == (404, plain.body), path
        assert answer.header("location") is None


async def test_token_refused_takes_its_time_whoever_it_names(site: Site) -> None:
    loop = asyncio.get_running_loop()
    number = site.room.store.subscribers.find(READER).pk
    for token in ("", "x", f"{number}.{'A' * 22}", f"999.{'A' * 22}"):
        for method in ("GET", "HEAD", "POST"):
            began = loop.time()
            assert (await site.get(f"/u/{token}", method)).status == 404
            assert loop.time() - began >= REFUSAL_SECONDS


async def test_method_that_is_none_of_ours_is_405_and_says_which_are(site: Site) -> None:
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        answer = await site.get(method=method)
        assert answer.status == 405
        assert "This page cannot do that Please open the link from your mail in a browser." in answer.words
        assert set((answer.header("allow") or "").split(", ")) == {"GET", "HEAD", "POST"}
    assert (await site.post(path="/healthz")).status == 405
    assert site.state == UNTOUCHED


async def test_body_of_64_kb_is_taken_and_a_larger_one_is_413(site: Site) -> None:
    for size in (65_537, MAX_DISCARDED // 2, MAX_DISCARDED + 1):
        answer = await site.post(b"x" * size)
        assert answer.status == 413
        assert answer.header("connection") == "close"
        assert site.state == UNTOUCHED
    assert (await site.post(b"x" * 65_536)).status == 200
    assert site.state == (SubscriberState.UNSUBSCRIBED, Origin.READER)


async def test_body_without_end_is_413_before_all_of_it_came(site: Site) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(f"POST {site.path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    with contextlib.suppress(ConnectionError):  # the server does not listen to the rest
        for _ in range(MAX_DISCARDED // 32_768 + 1):
            writer.write(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")
            await writer.drain()
    assert (await asyncio.wait_for(reader.readline(), 10)).startswith(b"HTTP/1.1 413 ")
    writer.close()
    assert site.state == UNTOUCHED


async def test_body_that_does_not_come_is_408(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "BODY_SECONDS", 0.05)
    async with site_of(tmp_path) as site:
        answer = await site.ask("POST", site.path, b"List-Unsub", Content_Type=FORM, Content_Length="26")
        assert answer.status == 408
        assert "That took too long Nothing was changed." in answer.words
        assert site.state == UNTOUCHED


async def test_body_cut_off_by_the_sender_changes_nothing_and_is_no_failure(site: Site) -> None:
    with capture_logs() as logged:
        _, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(f"POST {site.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 26\r\n\r\nList-Unsub".encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        assert (await site.get()).status == 200  # by now the server has seen the end of the line
    assert site.state == UNTOUCHED
    assert logged == []


async def test_octets_that_are_no_http_are_400(site: Site) -> None:
    for octets in (b"\x16\x03\x01\x02\0\r\n\r\n", b"GET\r\n\r\n"):
        answer = await site.exchange(octets)
        assert (answer.status, answer.body) == (400, b"Invalid HTTP request received.")
    twice = await site.exchange(b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\nConnection: close\r\n\r\n")
    assert (twice.status, twice.body) == (400, b"The request has two Host headers.\n")


async def test_store_locked_by_another_process_is_503_for_a_change_and_still_shows(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "digestd.db", busy_timeout=0.05)
    async with site_of(tmp_path, store) as site:
        other = sqlite3.connect(site.room.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with capture_logs() as logged:
            answer = await site.post()
        assert (await site.get()).status == 200
        assert (await site.get("/healthz")).status == 200
        other.execute("ROLLBACK")
        other.close()
        assert_unavailable(answer)
        assert site.state == UNTOUCHED
        assert [(line["event"], line["error"]) for line in logged] == [("web-store-failed", "store-busy")]
        assert (await site.post()).status == 200
    store.close()


@pytest.mark.parametrize(
    ("part", "name", "error"),
    [
        ("subscribers", "numbered", StoreBusy("/var/secret.db: held")),
        ("subscribers", "set_state", StoreError("/var/secret.db: disk I/O error")),
        ("editions", "key", RuntimeError("/var/secret.db: a defect")),
        ("subscribers", "set_state", ZeroDivisionError("/var/secret.db")),
    ],
)
async def test_store_that_fails_is_503_with_a_sentence_and_never_a_traceback(
    tmp_path: Path, part: str, name: str, error: Exception
) -> None:
    store = SqliteStore(tmp_path / "digestd.db")
    async with site_of(tmp_path, Faulty(store, part, name, failing(error))) as site:  # type: ignore[arg-type]
        with capture_logs() as logged:
            assert_unavailable(await site.post())
        assert site.token.partition(".")[2] not in repr(logged)
        assert logged[0]["log_level"] == ("warning" if isinstance(error, StoreError) else "error")
        assert site.state == UNTOUCHED
    store.close()


async def test_store_that_hangs_is_503_in_time_and_delays_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_module, "STORE_SECONDS", 0.05)
    monkeypatch.setattr(app_module, "HEALTH_SECONDS", 0.05)
    store, free = SqliteStore(tmp_path / "digestd.db"), threading.Event()
    hanging = Faulty(store, "subscribers", "numbered", lambda _: free.wait(20))
    try:
        async with site_of(tmp_path, hanging) as site:  # type: ignore[arg-type]
            for answer in await asyncio.gather(*(site.post() for _ in range(10))):
                assert_unavailable(answer)
            assert (await site.get("/healthz")).status == 200
            free.set()
    finally:
        free.set()
    store.close()


async def test_health_of_a_store_that_fails_or_hangs_is_503(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_module, "HEALTH_SECONDS", 0.05)
    free = threading.Event()
    for number, newest in enumerate((failing(StoreError("/var/secret.db: gone")), lambda: free.wait(20))):
        folder = tmp_path / str(number)
        store = SqliteStore(folder / "digestd.db")
        async with site_of(folder, Faulty(store, "papers", "newest", newest)) as site:  # type: ignore[arg-type]
            answer = await site.get("/healthz")
            assert (answer.status, answer.body) == (503, b"the store does not answer\n")
            assert answer.header("cache-control") == "no-store"
        store.close()
    free.set()


async def test_subscriber_that_vanishes_between_look_and_change_is_refused(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "digestd.db")
    gone = Faulty(store, "subscribers", "set_state", failing(NotFound("no subscriber")))
    async with site_of(tmp_path, gone) as site:  # type: ignore[arg-type]
        assert (await site.post()).status == 404
    store.close()


async def test_log_of_any_request_has_no_token(site: Site, capfd: pytest.CaptureFixture[str], caplog: Any) -> None:
    caplog.set_level("DEBUG")
    with capture_logs() as events:
        for answer in await both(site, site.path):
            assert answer.status == 200
        await both(site, quoted(site.token[:-1] + "!"))
        await site.exchange(f"GET {site.path} HTTP/1.1\r\n\r\n".encode())
    written = "".join(capfd.readouterr()) + caplog.text + str(events)
    assert "reader-chose" in written
    assert site.token.partition(".")[2][:20] not in written
    assert READER not in written


def assert_unavailable(answer: Answer) -> None:
    assert answer.status == 503
    assert answer.header("retry-after") == "60"
    assert answer.header("cache-control") == "no-store"
    assert answer.words == (
        "Papers by mail Not possible at the moment"
        " Your choice could not be confirmed. Please open the same link again in a minute."
    )
    assert b"secret" not in answer.body
