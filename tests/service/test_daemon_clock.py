"""The daemon and a clock that is set while it runs."""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from support.office_files import configured
from support.smtp_script import SmtpScript
from support.world import papers, reader

from digestd.config import load
from digestd.service import build
from digestd.service.daemon import Daemon
from digestd.service.rounds import Rounds


async def test_clock_set_back_while_serve_runs_frees_alerts_that_it_held(tmp_path: Path) -> None:
    """They were held until an hour that is a day away now."""
    ahead = timedelta()
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (tmp_path / "subscribers.toml").write_text(reader("ada", "robot", more='cadence = "immediate"'))
    async with SmtpScript() as relay:
        config = configured(tmp_path, relay.port)
        config.write_text(config.read_text().replace("[schedule]", "[schedule]\nalert_interval_seconds = 3600"))
        settings = load(config)
        with closing(build.store(settings)) as store:
            snapshot = build.checked_snapshot(settings)
            daemon = Daemon(config, Rounds(settings, store, lambda: datetime.now(UTC) + ahead, snapshot))
            running = asyncio.create_task(daemon.run())
            try:
                for number in (1, 2):
                    (tmp_path / "new.jsonl").write_text(papers(f"Robot {number}"))
                    (tmp_path / "new.jsonl").rename(inbox / f"{number}.jsonl")
                    await relay.until(lambda: len(relay.messages) == 1)
                async with asyncio.timeout(10):
                    while store.papers.newest() < 2 or store.editions.next_due(datetime.now(UTC)) is None:
                        await asyncio.sleep(0.02)
                assert len(relay.messages) == 1, "the second one waits for the interval's end"
                ahead = -timedelta(days=1)
                await relay.until(lambda: len(relay.messages) == 2)
            finally:
                daemon.stop()
                await running
