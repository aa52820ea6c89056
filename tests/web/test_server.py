"""The server inside a running loop: where it listens, how it ends, what it leaves alone."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.web_site import WAIT, Site, served, site_of

from digestd.errors import ConfigError, StoreBusy
from digestd.web import threads
from digestd.web.server import serve_web
from digestd.web.threads import StoreThreads

END = 2.0  # seconds from stop to the end, whatever the clients do


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


async def test_server_stopped_ends_and_frees_its_port() -> None:
    async with served(hello) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    socket.create_server(("127.0.0.1", port)).close()


async def test_server_stopped_before_it_began_ends() -> None:
    stop, told = asyncio.Event(), []
    stop.set()
    await asyncio.wait_for(serve_web(hello, "127.0.0.1", 0, stop, told.append), END)
    assert len(told) == 1


async def test_server_without_anybody_to_tell_serves(unused_tcp_port: int) -> None:
    stop = asyncio.Event()
    serving = asyncio.create_task(serve_web(hello, "127.0.0.1", unused_tcp_port, stop))
    await connected(unused_tcp_port)
    stop.set()
    await asyncio.wait_for(serving, END)


async def test_server_of_an_ipv6_address_serves() -> None:
    stop, port = asyncio.Event(), asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve_web(hello, "::1", 0, stop, port.set_result))
    try:
        done, _ = await asyncio.wait((serving, port), return_when=asyncio.FIRST_COMPLETED, timeout=WAIT)
        if serving in done:
            pytest.skip(f"no IPv6 on this machine: {serving.exception()}")
        _, writer = await asyncio.open_connection("::1", await port)
        writer.close()
    finally:
        stop.set()
        await asyncio.gather(serving, return_exceptions=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "203.0.113.1", "no-such-host.invalid"])
async def test_server_that_cannot_listen_says_where(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"^cannot serve web pages on {host}, port {port}: [A-Z]"):
            await asyncio.wait_for(serve_web(hello, host, port, asyncio.Event()), WAIT)


async def test_server_leaves_signals_to_the_daemon() -> None:
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    async with served(hello):
        assert [signal.getsignal(number) for number in numbers] == before
    assert [signal.getsignal(number) for number in numbers] == before


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET /u/1 HTTP/1.1\r\nHos", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"],
    ids=["nothing", "half a head", "kept alive"],
)
async def test_server_stopped_with_an_idle_connection_ends_in_time(tmp_path: Path, sent: bytes) -> None:
    async with site_of(tmp_path) as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(sent)
        await writer.drain()
        assert (await site.get()).status == 200  # the server has seen the other connection
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < END
    await asyncio.wait_for(reader.read(), WAIT)
    writer.close()


async def test_server_stopped_with_half_a_request_ends_in_time_and_answers_503(site: Site, tmp_path: Path) -> None:
    async with site_of(tmp_path / "other") as other:
        reader, writer = await asyncio.open_connection("127.0.0.1", other.port)
        writer.write(f"POST {other.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 26\r\n\r\nList".encode())
        await writer.drain()
        assert (await other.get()).status == 200
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < END
    said = await asyncio.wait_for(reader.read(), WAIT)
    assert said.startswith(b"HTTP/1.1 503 ")
    assert b"referrer-policy: no-referrer" in said.lower()
    writer.close()


async def test_server_cancelled_ends_and_frees_its_port() -> None:
    port = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve_web(hello, "127.0.0.1", 0, asyncio.Event(), port.set_result))
    number = await port
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(serving, END)
    socket.create_server(("127.0.0.1", number)).close()


def test_server_runs_under_uvloop(tmp_path: Path) -> None:
    uvloop = pytest.importorskip("uvloop")

    async def ask() -> int:
        async with site_of(tmp_path) as site:
            return (await site.post()).status

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(ask()) == 200


def test_server_under_uvloop_takes_many_connections_in_a_turn() -> None:
    """Else a page would wait for as many turns of the delivery as there are people who came before."""
    uvloop = pytest.importorskip("uvloop")
    many, turns = 96, 0

    def turn(loop: asyncio.AbstractEventLoop) -> None:
        nonlocal turns
        turns += 1
        loop.call_soon(turn, loop)

    async def taken() -> int:
        arrived: list[int] = []
        all_arrived = asyncio.Event()

        async def counted(scope: Any, receive: Any, send: Any) -> None:
            arrived.append(turns)
            if len(arrived) == many:
                all_arrived.set()
            await hello(scope, receive, send)

        async with served(counted) as port:
            clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(many)]
            for client in clients:
                client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            turn(asyncio.get_running_loop())
            await asyncio.wait_for(all_arrived.wait(), WAIT)
            for client in clients:
                client.close()
        return arrived[-1]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(taken()) < many / 2


async def test_store_threads_return_and_raise_what_the_call_does() -> None:
    run = StoreThreads(WAIT).run
    assert await run(lambda: 17) == 17
    with pytest.raises(ZeroDivisionError):
        await run(lambda: 1 // 0)
    assert await run(threading.current_thread) is not threading.current_thread()


async def test_store_threads_refuse_what_would_wait_too_long_or_in_too_long_a_queue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threads, "LONGEST_QUEUE", 6)
    free, store = threading.Event(), StoreThreads(0.2)
    begun = [asyncio.create_task(store.run(hold(free))) for _ in range(6)]
    await asyncio.sleep(0)
    with pytest.raises(StoreBusy, match=r"^6 requests wait for the store$"):
        await store.run(hold(free))
    for task in begun:
        with pytest.raises(StoreBusy, match=r"^the store has not answered for 0\.2 seconds$"):
            await task
    free.set()
    assert await store.run(lambda: "again") == "again"


async def test_store_threads_read_in_the_loop_unless_the_store_would_wait() -> None:
    asked: list[threading.Thread] = []

    def call() -> str:
        asked.append(threading.current_thread())
        if busy and asked[-1] is loop:
            raise StoreBusy("held")
        return "read"

    loop, busy, store = threading.current_thread(), False, StoreThreads(WAIT)
    assert (await store.read(call), asked) == ("read", [loop])
    busy = True
    assert await store.read(call) == "read", "a thread waits for what the loop does not"
    assert [one is loop for one in asked[1:]] == [True, False]


@pytest.mark.parametrize(
    ("seconds", "in_the_loop"),
    [
        ((0.03, 0.03, 0.0), [True, True, False]),
        ((0.03, 0.0, 0.03, 0.0), [True, True, True, True]),
        ((0.3, 0.0), [True, False]),
    ],
    ids=["slow again", "waited for a processor now and then", "far too slow once"],
)
async def test_store_threads_leave_a_slow_disk_to_the_threads_for_a_while(
    seconds: tuple[float, ...], in_the_loop: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    now, asked = 0.0, []

    def read(takes: float) -> None:
        nonlocal now
        now += takes
        asked.append(threading.current_thread() is loop)

    loop, store = threading.current_thread(), StoreThreads(WAIT)
    monkeypatch.setattr(threads, "time", SimpleNamespace(monotonic=lambda: now))
    for takes in seconds:
        await store.read(partial(read, takes))
    assert asked == in_the_loop
    now += threads.DISTRUST
    await store.read(partial(read, 0.0))
    assert asked[-1], "and are trusted again"


def hold(free: threading.Event) -> Callable[[], bool]:
    return lambda: free.wait(20)


async def connected(port: int) -> None:
    """Return once a server takes connections at the port."""
    async with asyncio.timeout(WAIT):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                return
