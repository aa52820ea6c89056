"""The daemon: stages that run side by side, each woken by a tick, by the stage before it, or by a new file.

APScheduler only ticks; what is due lives in the store. One stage failing does not stop the others. SIGTERM ends
the round in hand and then the program, SIGHUP reads configuration, people and templates again; a reload that
fails changes nothing and is said.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable
from datetime import UTC
from pathlib import Path
from urllib.parse import urlsplit

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from watchfiles import awatch

from digestd.config import Settings, load
from digestd.deliver.policy import relay_pause
from digestd.errors import DeliveredElsewhere, DigestdError, StoreFailed, StoreUnusable
from digestd.model import Snapshot
from digestd.service import build
from digestd.service.logs import log_file, log_outcome, log_people, log_trouble
from digestd.service.rounds import Clock, Rounds
from digestd.store.base import Store
from digestd.web.app import application
from digestd.web.server import serve_web

STOP_LIMIT = 30.0  # seconds for the messages on their way; systemd's own limit is 90

log = structlog.get_logger("digestd")


def serve(config: Path, clock: Clock = build.utc_now, stop_limit: float = STOP_LIMIT) -> None:
    """Run until SIGTERM or SIGINT, and then at most about `stop_limit` seconds longer.

    Raises DigestdError when the configuration, a template or the store cannot be used.
    """
    settings = load(config)
    snapshot = build.checked_snapshot(settings)
    with contextlib.closing(build.store(settings)) as store:
        daemon = Daemon(config, Rounds(settings, store, clock, snapshot), stop_limit)
        with asyncio.Runner(loop_factory=build.loop_factory()) as runner:
            runner.run(daemon.run())


class Daemon:
    """What `serve` runs. The rounds in use are the last good ones."""

    def __init__(self, config: Path, rounds: Rounds, stop_limit: float = STOP_LIMIT) -> None:
        self._config = config
        self._rounds = rounds
        self._stop_limit = stop_limit
        self._stop = asyncio.Event()
        self._new_files = asyncio.Event()
        self._new_papers = asyncio.Event()
        self._new_editions = asyncio.Event()
        self._new_settings = asyncio.Event()
        self._parts: list[asyncio.Task[None]] = []
        self._relay_failures = 0
        self._relay_rests_until = 0.0

    async def run(self) -> None:
        """Run every stage until asked to stop. Raises DigestdError when inbox, people or web port cannot be used."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_end)
        loop.add_signal_handler(signal.SIGHUP, self._new_settings.set)
        settings = self._rounds.settings
        _make_folder(settings.paths.inbox)
        log_people(await asyncio.to_thread(self._rounds.sync_people))
        scheduler = AsyncIOScheduler(timezone=UTC)
        scheduler.add_job(
            self._tick,
            "interval",
            seconds=settings.schedule.tick_seconds,
            misfire_grace_time=None,  # a late tick is better than none
            coalesce=True,
            max_instances=1,
        )
        scheduler.start()
        self._tick()
        log.info("serving", inbox=str(settings.paths.inbox), relay=_relay(settings))
        for part in (
            self._stage("ingest", self._ingest, self._new_files),
            self._stage("publish", self._publish, self._new_papers),
            self._stage("deliver", self._deliver, self._new_editions),
            self._stage("reload", self._reload, self._new_settings),
            self._watch(settings.paths.inbox),
            self._serve_web(),
        ):
            self._parts.append(asyncio.create_task(part))
            self._parts[-1].add_done_callback(self._ended)
        await self._stop.wait()
        scheduler.shutdown(wait=False)
        log.info("stopping")
        _, late = await asyncio.wait(self._parts, timeout=self._stop_limit)
        for task in late:
            task.cancel()
        ends = await asyncio.gather(*self._parts, return_exceptions=True)
        log.info("stopped", late=len(late), **_tally(self._rounds.store))
        for end in ends:
            if isinstance(end, Exception):
                raise end

    def stop(self) -> None:
        """Ask the daemon to end: what is on its way is finished, nothing new is begun."""
        self._stop.set()
        self._new_settings.set()
        self._tick()

    def _told_to_end(self) -> None:
        """Stop; who asks a second time does not want to wait."""
        if self._stop.is_set():
            for part in self._parts:
                part.cancel()
        self.stop()

    def _ended(self, part: asyncio.Task[None]) -> None:
        """Do not go on with a part missing: each of them ends by `stop` alone, unless it cannot work at all."""
        if not part.cancelled() and part.exception():
            self.stop()

    def _tick(self) -> None:
        for wake in (self._new_files, self._new_papers, self._new_editions):
            wake.set()

    async def _stage(self, name: str, work: Callable[[], Awaitable[None]], wake: asyncio.Event) -> None:
        while True:
            await wake.wait()
            wake.clear()
            if self._stop.is_set():
                return
            try:
                await work()
            except (StoreFailed, StoreUnusable):
                raise  # nothing done with this store can be trusted: end, and let the next start look at it
            except DigestdError as error:
                log.error("stage-failed", stage=name, error=error.key, reason=str(error))
            except Exception:
                log.exception("stage-failed", stage=name, error="unexpected")

    async def _ingest(self) -> None:
        if await asyncio.to_thread(self._ingest_files):
            self._new_papers.set()

    def _ingest_files(self) -> bool:
        """Take the files of the inbox one by one, until asked to stop. Returns whether there is anything new."""
        news = False
        with contextlib.closing(self._rounds.ingest()) as reports:
            for report in reports:
                log_file(report)
                news |= report.new > 0
                if self._stop.is_set():
                    break
        return news

    async def _publish(self) -> None:
        report = await asyncio.to_thread(self._rounds.publish, stop=self._stop.is_set)
        if report.editions:
            log.info("published", editions=report.editions, papers=report.papers)
            self._new_editions.set()

    async def _deliver(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() < self._relay_rests_until:
            return
        try:
            report = await self._rounds.deliver(stop=self._stop, settled=log_outcome)
        except DeliveredElsewhere:
            log.info("delivered-elsewhere")
            return
        if report.trouble is None:
            self._relay_failures = 0
            return
        self._relay_failures += 1
        pause = relay_pause(self._relay_failures, report.trouble).total_seconds()
        self._relay_rests_until = loop.time() + pause
        loop.call_later(pause, self._new_editions.set)
        log_trouble(report, pause)

    async def _reload(self) -> None:
        """Take over a changed configuration, templates and people; all of it, or nothing when it cannot be used."""
        old = self._rounds
        try:
            settings = await asyncio.to_thread(load, self._config)
            snapshot = await asyncio.to_thread(build.checked_snapshot, settings)
        except DigestdError as error:
            for line in str(error).splitlines():
                log.error("reload-refused", reason=line)
            return
        if _fixed(settings) != _fixed(old.settings):
            log.warning(
                "restart-needed", reason="another folder, database, tick or web port is taken over by a restart"
            )
        rounds = Rounds(_within(old.settings, settings), old.store, old.clock, snapshot, old.warm)
        log_people(await asyncio.to_thread(rounds.sync_people))
        self._rounds = rounds
        self._relay_failures, self._relay_rests_until = 0, 0.0  # it may be another relay
        log.info("reloaded", config=str(self._config), relay=_relay(settings))
        self._tick()

    async def _watch(self, inbox: Path) -> None:
        """Wake the ingest stage when a file arrives; where watching fails, the tick finds it."""
        settle = self._rounds.settings.ingest.settle_seconds
        loop = asyncio.get_running_loop()
        try:
            async for _ in awatch(inbox, stop_event=self._stop, recursive=False, debounce=100, step=50):
                self._new_files.set()
                loop.call_later(settle + 0.05, self._new_files.set)
        except (OSError, RuntimeError) as error:  # no such folder any more, or no watches left in the kernel
            log.warning("watch-failed", inbox=str(inbox), reason=str(error))

    def _snapshot(self) -> Snapshot:
        """Return the templates and the sender in use, also after a reload."""
        return self._rounds.snapshot or build.snapshot(self._rounds.settings)

    def _signed_up(self) -> None:
        """Wake what has something to do for somebody who signed up: a letter to send, a first issue to compose."""
        self._new_editions.set()
        self._new_papers.set()

    async def _serve_web(self) -> None:
        """Answer the links of the mails, where a port is set for it. Raises ConfigError when that is taken."""
        settings, store = self._rounds.settings, self._rounds.store
        host, port = settings.web.host, settings.web.port
        if port is None:
            return
        app = application(
            store,
            self._rounds.clock,
            urlsplit(settings.mail.public_url).path,
            opening=build.opening(settings, self._snapshot, self._signed_up),
            templates=await asyncio.to_thread(build.pages, settings),
        )
        await serve_web(app, host, port, self._stop, lambda bound: log.info("web-serving", host=host, port=bound))


def _fixed(settings: Settings) -> object:
    """Return what stays as it is until a restart: it is in use by what was opened with it."""
    return settings.paths.model_copy(update={"templates": None}), settings.schedule.tick_seconds, settings.web


def _within(old: Settings, new: Settings) -> Settings:
    """Return the new settings with the folders and the database that are open."""
    paths = old.paths.model_copy(update={"templates": new.paths.templates})
    return new.model_copy(update={"paths": paths})


def _make_folder(inbox: Path) -> None:
    try:
        inbox.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DigestdError(f"{inbox}: {(error.strerror or str(error)).lower()}") from None


def _relay(settings: Settings) -> str:
    return f"{settings.smtp.host}:{settings.smtp.port_in_use}"


def _tally(store: Store) -> dict[str, int]:
    """Return how many editions are in each state; nothing where the store cannot say, as this is a farewell."""
    try:
        return {str(state): count for state, count in store.outbox.counts().items()}
    except Exception as error:
        log.warning("store-silent", reason=str(error))
        return {}
