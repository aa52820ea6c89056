"""Reload: one switch from the last good configuration to the next, on SIGHUP and when the files change."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path

import pytest
from support.serving import Served, serving
from support.smtp_script import SmtpScript
from support.world import papers, reader

from digestd.config import load
from digestd.service.reload import Watcher
from digestd.service.sources import Sources

CONFIG = """
[paths]
inbox = "inbox"
templates = "mine"
[ingest]
settle_seconds = 0
[schedule]
tick_seconds = {tick}
[smtp]
host = "127.0.0.1"
port = {port}
tls = "none"
[mail]
from_address = "papers@example.org"
from_name = "{name}"
"""


def configure(folder: Path, port: int = 25, tick: float = 0.1, name: str = "Before") -> Path:
    for kind in ("mail", "web"):
        (folder / "mine" / kind).mkdir(parents=True, exist_ok=True)
    path = folder / "digestd.toml"
    path.write_text(CONFIG.format(port=port, tick=tick, name=name))
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def page(port: int) -> str:
    """Return a page of the daemon that nobody's token opens."""

    def asked() -> str:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/nothing", timeout=10)
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.read().decode()
        raise AssertionError("nothing is found there")

    return await asyncio.to_thread(asked)


def drop(served: Served, folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    (folder / name).rename(folder / "inbox" / name)
    assert served.process.is_alive()


def slow_switch(folder: Path) -> None:
    """Make every reload wait between taking the people over and what follows, until a file says go."""
    import time

    from digestd.service.daemon import Daemon
    from digestd.service.rounds import People, Rounds

    sync, tick = Rounds.sync_people, Daemon._tick

    def slow(self: Rounds) -> People:
        people = sync(self)
        if (folder / "slow").exists():
            (folder / "switching").touch()
            while not (folder / "go").exists():
                time.sleep(0.01)
        return people

    def counted(self: Daemon) -> None:
        with (folder / "ticks").open("a") as file:
            file.write(".")
        tick(self)

    Rounds.sync_people, Daemon._tick = slow, counted  # type: ignore[method-assign]


async def test_reload_while_people_are_taken_over_publishes_nothing_with_the_old_templates(tmp_path: Path) -> None:
    async with SmtpScript() as relay:
        config = configure(tmp_path, relay.port)
        people = tmp_path / "subscribers.toml"
        people.write_text(reader("ada", "robot"))
        async with serving(config, fault=partial(slow_switch, tmp_path)) as served:
            drop(served, tmp_path, "one.jsonl", papers("A Robot"))
            await served.until(lambda: len(relay.messages) == 1)
            (tmp_path / "slow").touch()
            configure(tmp_path, relay.port, name="After")
            people.write_text(reader("ada", "robot") + reader("ben", "robot"))
            served.send(signal.SIGHUP)
            await served.until((tmp_path / "switching").exists)
            ticks = (tmp_path / "ticks").stat().st_size
            await served.until(lambda: (tmp_path / "ticks").stat().st_size >= ticks + 5)
            assert served.log.count("event=published") == 1
            (tmp_path / "go").touch()
            await served.until(lambda: len(relay.messages) == 2)
            assert relay.messages[1].recipients == ("ben@example.org",)
            assert "After" in relay.messages[1].header("From")
            assert await served.stopped() == 0


async def test_reload_of_changed_files_comes_by_itself_and_a_broken_one_keeps_the_last_good(tmp_path: Path) -> None:
    async with SmtpScript() as relay:
        config, web = configure(tmp_path, relay.port, tick=3600), free_port()
        config.write_text(f"{config.read_text()}[web]\nport = {web}\n")
        good, people = config.read_text(), tmp_path / "subscribers.toml"
        people.write_text(reader("ada", "robot"))
        async with serving(config) as served:
            config.write_text(good.replace("port", "prot", 1))
            await served.says("event=reload-refused")
            assert "did you mean smtp.port?" in served.log
            (tmp_path / "mine" / "mail" / "header.html.j2").write_text("{% if %}")
            config.write_text(good)
            await served.says("event=reload-refused", 2)
            (tmp_path / "mine" / "mail" / "header.html.j2").unlink()
            (tmp_path / "mine" / "web" / "page.html.j2").write_text("{{ nothing }}")
            served.send(signal.SIGHUP)
            await served.says("event=reload-refused", 3)
            assert "web/page.html.j2" in served.log
            assert "Papers by mail" in await page(web)
            (tmp_path / "mine" / "web" / "page.html.j2").write_text("<main>Mine: {{ page.heading }}</main>")
            people.write_text(reader("ada", "robot") + reader("ben", "graph"))
            await served.says("event=reloaded")
            assert (await page(web)).startswith("<main>Mine: ")
            drop(served, tmp_path, "one.jsonl", papers("A Robot", "A Graph"))
            await served.until(lambda: len(relay.messages) == 2)
            assert await served.stopped() == 0


async def test_watcher_sees_content_and_not_touches(tmp_path: Path) -> None:
    config, people = configure(tmp_path), tmp_path / "subscribers.toml"
    people.write_text(reader("ada", "robot"))
    watcher = Watcher(config, load(config))
    assert not await watcher.changed(0)
    os.utime(people, (1, 1))
    assert watcher.looks_changed()
    assert not await watcher.changed(0), "touched, and the same"
    for change in (
        lambda: people.write_text(reader("ada", "graph")),
        lambda: (tmp_path / "mine" / "mail" / "footer.html.j2").write_text("x"),
        lambda: (tmp_path / "mine" / "web" / "style.css").write_text("x"),
        lambda: config.write_text(config.read_text() + "\n"),
        people.unlink,
    ):
        change()
        assert await watcher.changed(0)
        watcher.taken(load(config))
        assert not await watcher.changed(0)


async def test_watcher_waits_while_a_file_is_being_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, people = configure(tmp_path), tmp_path / "subscribers.toml"
    people.write_text(reader("ada", "robot"))
    watcher = Watcher(config, load(config))
    rest = [(reader("ada", "robot") + reader("ben", "robot"))[: 40 * pieces] for pieces in range(1, 12)]
    signature = Sources.signature

    def look(self: Sources) -> object:
        if rest:
            people.write_text(rest.pop(0))
        return signature(self)

    monkeypatch.setattr(Sources, "signature", look)
    assert await watcher.changed(0)
    assert not rest
