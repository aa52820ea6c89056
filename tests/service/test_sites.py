"""The readers' site inside the daemon: papers are ready before anybody asks what they would bring."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing
from pathlib import Path

import pytest
from support.office_files import configured
from support.smtp_script import SmtpScript
from support.world import papers, reader

from digestd.config import load
from digestd.service import build
from digestd.service.daemon import Daemon
from digestd.service.rounds import Rounds
from digestd.web.sample import Sample


@pytest.mark.parametrize("is_open", [True, False])
async def test_new_papers_are_made_ready_for_the_pages_where_there_are_any(
    is_open: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready: list[int] = []
    look = Sample.look

    def looked(sample: Sample) -> None:
        look(sample)
        ready.append(store.papers.newest())

    monkeypatch.setattr(Sample, "look", looked)
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (tmp_path / "subscribers.toml").write_text(reader("ada", "robot", more='cadence = "immediate"'))
    async with SmtpScript() as relay:
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            port = free.getsockname()[1]
        more = f'public_url = "http://127.0.0.1:{port}"\n[web]\nport = {port}\n' if is_open else ""
        config = configured(tmp_path, relay.port, more=more)
        settings = load(config)
        with closing(build.store(settings)) as store:
            daemon = Daemon(config, Rounds(settings, store, build.utc_now, build.checked_snapshot(settings)))
            running = asyncio.create_task(daemon.run())
            try:
                async with asyncio.timeout(10):
                    while is_open and not ready:
                        await asyncio.sleep(0.02)
                    (tmp_path / "new.jsonl").write_text(papers("Robot"))
                    (tmp_path / "new.jsonl").rename(inbox / "new.jsonl")
                    await relay.until(lambda: len(relay.messages) == 1)
                    while is_open and len(ready) < 2:
                        await asyncio.sleep(0.02)
            finally:
                daemon.stop()
                await running
    assert ready == ([0, 1] if is_open else [])
