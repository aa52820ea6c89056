"""`digestd serve` as a process: files, signals, reload, and a relay that comes and goes."""

from __future__ import annotations

import asyncio
import signal
import sys
import urllib.request
from pathlib import Path

import pytest
from support.command_line import command
from support.http_script import http_script, ok
from support.serving import LIMIT, serving
from support.smtp_script import Hang, SmtpScript
from support.world import papers, reader

ROOT = Path(__file__).parents[2]


def drop(folder: Path, name: str, text: str) -> None:
    """Rename a file into the inbox."""
    (folder / name).write_text(text)
    (folder / name).rename(folder / "inbox" / name)


def configure(folder: Path, port: int, *people: str, more: str = "") -> Path:
    (folder / "subscribers.toml").write_text("".join(people))
    path = folder / "digestd.toml"
    path.write_text(
        '[paths]\ninbox = "inbox"\n[ingest]\nsettle_seconds = 0\n[schedule]\ntick_seconds = 0.5\n[smtp]\nhost = "127.0.0.1"\n'  # noqa: E501
        f'port = {port}\ntls = "none"\n[mail]\nfrom_address = "papers@example.org"\n{more}'
    )
    return path


async def a_second_one_is_refused(config: Path) -> None:
    command = (sys.executable, "-m", "digestd", "--config", str(config), "serve")
    second = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE, cwd=ROOT)
    _, said = await asyncio.wait_for(second.communicate(), LIMIT)
    assert (second.returncode, b"another `digestd serve` works on this store" in said) == (1, True)


async def test_serve_beside_a_refused_second_one_mails_what_is_dropped_and_stops_cleanly(
    tmp_path: Path,
) -> None:
    async with SmtpScript() as relay:
        config = configure(tmp_path, relay.port, reader("ada", "robot"), reader("ben", "graph"))
        async with serving(config) as served:
            await a_second_one_is_refused(config)
            drop(tmp_path, "one.jsonl", papers("A Robot", "A Graph"))
            await served.until(lambda: len(relay.messages) == 2)
            drop(tmp_path, "bad.txt", "hm")
            await served.says("event=file-refused")
            await served.says("event=edition-sent", 2)
            assert await served.stopped() == 0
            assert "event=stopped" in served.log
            assert "level=error" not in served.log


async def test_serve_fetches_its_sources_and_mails_what_they_bring(tmp_path: Path) -> None:
    async with SmtpScript() as relay:
        with http_script(ok(papers("A Robot").encode())) as server:
            source = f'[[source]]\nname = "nests"\nurl = "{server.url}"\nallow_private = true\n'
            source += '[[source]]\nname = "nobody"\nurl = "http://127.0.0.1:1/"\n'
            config = configure(tmp_path, relay.port, reader("ada", "robot"), more=source)
            async with serving(config) as served:
                await served.until(lambda: len(relay.messages) == 1)
                await served.says("event=source-failed")
                assert await served.stopped() == 0
        assert (served.log.count("event=source-fetched"), served.log.count("event=source-failed")) == (1, 1)
        assert "which is no public address" in served.log


async def test_serve_takes_over_a_reload_and_keeps_the_last_good_one(tmp_path: Path) -> None:
    async with SmtpScript() as relay:
        config = configure(tmp_path, relay.port, reader("ada", "robot"))
        good = config.read_text()
        async with serving(config) as served:
            config.write_text("[smtp]\nhots = 1\n")
            served.send(signal.SIGHUP)
            await served.says("event=reload-refused")
            assert "did you mean smtp.host?" in served.log
            (tmp_path / "mine" / "mail").mkdir(parents=True)
            (tmp_path / "mine" / "mail" / "header.html.j2").write_text("{% if %}")
            config.write_text(good.replace('inbox = "inbox"', 'inbox = "inbox"\ntemplates = "mine"'))
            served.send(signal.SIGHUP)
            await served.says("event=reload-refused", 2)
            config.write_text(good)
            (tmp_path / "subscribers.toml").write_text(reader("ada", "robot AND") + reader("ben", "robot"))
            served.send(signal.SIGHUP)
            await served.says("event=reloaded")
            await served.says("event=profile-refused")
            drop(tmp_path, "one.jsonl", papers("A Robot"))
            await served.until(lambda: len(relay.messages) == 2)
            assert await served.stopped() == 0


@pytest.mark.slow  # the relay is left alone for its full five seconds, and more
async def test_serve_waits_for_a_relay_that_is_down_and_sends_once(tmp_path: Path) -> None:
    async with SmtpScript({"CONNECT": ["421 4.3.2 not now"] * 8}) as relay:
        config = configure(tmp_path, relay.port, *(reader(f"r{number}", "robot") for number in range(5)))
        async with serving(config) as served:
            drop(tmp_path, "one.jsonl", papers("A Robot"))
            await served.says("event=relay-failed")
            await served.until(lambda: len(relay.messages) == 5)
            await served.says("event=edition-sent", 5)
            assert await served.stopped() == 0
        assert len({message.recipients[0] for message in relay.messages}) == 5


async def test_serve_stops_in_time_while_the_relay_hangs(tmp_path: Path) -> None:
    async with SmtpScript({"MAIL": Hang()}) as relay:
        config = configure(tmp_path, relay.port, reader("ada", "robot"))
        async with serving(config) as served:
            drop(tmp_path, "one.jsonl", papers("A Robot"))
            await served.until(lambda: any("MAIL" in line for session in relay.sessions for line in session.commands))
            served.send(signal.SIGTERM)
            await served.says("event=stopping")
            served.send(signal.SIGTERM)  # a second one does not wait
            assert await served.ended() == 0


async def test_serve_answers_an_unsubscribe_link(tmp_path: Path) -> None:
    async with SmtpScript() as relay:
        more = 'public_url = "http://127.0.0.1:1"\n[web]\nport = 0\n'
        config = configure(
            tmp_path, relay.port, reader("ada", "robot"), more=more.replace("port = 0", f"port = {free_port()}")
        )
        async with serving(config) as served:
            drop(tmp_path, "one.jsonl", papers("A Robot"))
            await served.says("event=web-serving")
            await served.until(lambda: len(relay.messages) == 1)
            link = relay.messages[0].header("List-Unsubscribe").partition(">")[0].removeprefix("<http://127.0.0.1:1")
            port = served.log.partition("event=web-serving")[2].partition("port=")[2].split()[0]
            request = urllib.request.Request(f"http://127.0.0.1:{port}{link}", b"List-Unsubscribe=One-Click")
            answer = await asyncio.to_thread(urllib.request.urlopen, request)
            assert answer.status == 200
            await served.says("event=reader-chose")
            drop(tmp_path, "two.jsonl", papers("Another Robot"))
            await served.says("event=file-ingested", 2)
            assert await served.stopped() == 0
            assert len(relay.messages) == 1
            assert link.rpartition("/")[2] not in served.log


def free_port() -> int:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_serve_bad_configuration_ends_with_78(tmp_path: Path) -> None:
    (tmp_path / "digestd.toml").write_text("x")
    assert command(tmp_path)("serve").exit_code == 78


async def test_serve_sends_an_alert_when_its_wait_is_over_and_not_at_the_next_tick(tmp_path: Path) -> None:
    async with SmtpScript() as relay:
        config = configure(tmp_path, relay.port, reader("ada", "robot", more='cadence = "immediate"'))
        text = config.read_text().replace("tick_seconds = 0.5", "tick_seconds = 3600\nalert_wait_seconds = 0.3")
        config.write_text(text.replace("settle_seconds = 0", "settle_seconds = 0.3"))
        async with serving(config) as served:
            for number in (1, 2):
                drop(tmp_path, f"{number}.jsonl", papers(f"Robot {number}"))
                await served.until(lambda count=number: len(relay.messages) == count)  # type: ignore[misc]
            assert relay.messages[0].header("References") == relay.messages[1].header("References") != ""
            assert await served.stopped() == 0


@pytest.mark.slow
async def test_serve_goes_on_with_the_other_stages_while_one_fails(tmp_path: Path) -> None:
    async with SmtpScript() as relay:
        config = configure(tmp_path, relay.port, reader("ada", "robot", more='cadence = "immediate"'))
        async with serving(config) as served:
            drop(tmp_path, "1.jsonl", papers("Robot 1"))
            await served.until(lambda: len(relay.messages) == 1)
            archive = tmp_path / "var" / "archive"
            archive.rename(tmp_path / "old")
            archive.write_text("no folder any more")
            drop(tmp_path, "2.jsonl", papers("Robot 2"))
            await served.says("event=stage-failed stage=ingest", times=2)
            await served.until(lambda: len(relay.messages) == 2)
            archive.unlink()
            await served.says("event=file-repeated")
            assert await served.stopped() == 0
