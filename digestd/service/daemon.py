"""The daemon: stages that run side by side, each woken by a tick, by the stage before it, or by a new file.

APScheduler only ticks; what is due lives in the store. One stage failing does not stop the others. SIGTERM ends the
round in hand and then the program. SIGHUP, or a change of the files, reads configuration, people and templates again:
all of it is taken over as one, or nothing, and that is said.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from datetime import UTC
from pathlib import Path

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from watchfiles import awatch

from digestd.config import Settings, load
from digestd.deliver.policy import relay_pause
from digestd.errors import DeliveredElsewhere, DigestdError
from digestd.model import Outcome
from digestd.service import build
from digestd.service.logs import log_file, log_notice, log_outcome, log_people, log_source, log_trouble
from digestd.service.notify import Notifier
from digestd.service.reload import Watcher, prepare
from digestd.service.rounds import Clock, People, Rounds
from digestd.service.sites import Sites
from digestd.service.stages import Stage
from digestd.service.standing import Standing
from digestd.store.base import Claim, Store

STOP_LIMIT = 30.0  # seconds for the messages on their way; systemd's own limit is 90
LOOK_AGAIN = 300.0  # seconds; what needs a person is no matter of seconds, and things come together into one mail
SHORTLY = 0.02  # seconds; so much later what is due at a moment is surely due
WATCHING = 0.5  # seconds until a folder is surely watched
STEP = 60.0  # seconds that a clock is set by before anything is done about it

log = structlog.get_logger("digestd")


def serve(config: Path, clock: Clock = build.utc_now, stop_limit: float = STOP_LIMIT) -> None:
    """Run until SIGTERM or SIGINT, and then at most about `stop_limit` seconds longer.

    Raises DigestdError when the configuration, a template or the store cannot be used, or another `serve` uses it.
    """
    settings = load(config)
    snapshot = build.checked_snapshot(settings)
    with build.only_service(settings), contextlib.closing(build.store(settings)) as store:
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
        self._fetches = Stage("fetch", self._fetch)
        self._ingests = Stage("ingest", self._ingest)
        self._publishes = Stage("publish", self._publish)
        self._delivers = Stage("deliver", self._deliver)
        self._reloads = Stage("reload", self._reload)
        self._watches = Stage("watch", self._watch)
        self._stages = (
            self._fetches, self._ingests, self._publishes, self._delivers, self._reloads, self._watches,
        )  # fmt: skip
        self._standing = Standing(rounds.store, self._stages, Notifier.of(os.environ))
        self._sites = Sites(lambda: self._rounds, self._standing, self._signed_up, self._wake)
        self._watcher = Watcher(config, rounds.settings)
        self._rewatch = asyncio.Event()
        self._may_begin = asyncio.Event()  # not while a reload switches: no stage begins with half of it
        self._may_begin.set()
        self._publishing = asyncio.Lock()
        self._new_relay = asyncio.Event()
        self._parts: list[asyncio.Task[None]] = []
        self._relay_failures = 0
        self._relay_rests_until = 0.0
        self._looks_at = time.monotonic() + LOOK_AGAIN  # what waits in the inbox is taken before
        self._drift = 0.0
        self._has_stepped_back = False

    async def run(self) -> None:
        """Run every stage until asked to stop. Raises DigestdError when inbox, people or web port cannot be used."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_end)
        loop.add_signal_handler(signal.SIGHUP, self._reloads.wake.set)
        settings = self._rounds.settings
        _make_folder(settings.paths.inbox)
        self._take_people(await asyncio.to_thread(self._rounds.sync_people))
        self._drift = self._rounds.clock().timestamp() - time.monotonic()
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
        self._wake()
        for part in (
            *(stage.run(self._stop) for stage in self._stages),
            self._watch_inbox(settings.paths.inbox),
            self._watch_sources(),
            self._sites.serve_readers(self._stop),
            self._sites.serve_operator(self._stop),
            self._standing.keep(self._stop),
        ):
            self._parts.append(asyncio.create_task(part))
            self._parts[-1].add_done_callback(self._ended)
        log.info("serving", inbox=str(settings.paths.inbox), relay=_relay(settings))
        self._standing.ready()
        await self._stop.wait()
        scheduler.shutdown(wait=False)
        log.info("stopping")
        self._standing.stopping()
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
        for event in (self._reloads.wake, self._rewatch, self._new_relay, self._may_begin):
            event.set()
        self._wake()

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

    def _wake(self) -> None:
        for stage in (self._fetches, self._ingests, self._publishes, self._delivers, self._watches):
            stage.wake.set()

    def _tick(self) -> None:
        drift = self._rounds.clock().timestamp() - time.monotonic()
        step, self._drift = drift - self._drift, drift
        if abs(step) > STEP:
            log.warning("clock-stepped", seconds=round(step))
        self._has_stepped_back |= step < -STEP
        if self._watcher.looks_changed():  # seen at the latest now, where a folder cannot be watched
            self._rewatch.set()
        self._wake()

    async def _fetch(self) -> None:
        """Fetch the sources that are due; the watch on the inbox, or the next tick, finds what they brought."""
        await asyncio.to_thread(self._fetch_sources)

    def _fetch_sources(self) -> None:
        for report in self._rounds.fetch(stop=self._stop.is_set):
            log_source(report)
            self._fetches.progress()

    async def _ingest(self) -> None:
        await self._may_begin.wait()
        unrest: list[float] = []
        if await asyncio.to_thread(self._ingest_files, unrest):
            self._publishes.wake.set()
            self._sites.papers_came()
        if unrest:
            self._ingests.wake_in(min(unrest) + SHORTLY)

    def _ingest_files(self, unrest: list[float]) -> bool:
        """Take the files of the inbox one by one, until asked to stop. Returns whether there is anything new.

        `unrest` is given the seconds until each file that was left may be taken.
        """
        news = False
        with contextlib.closing(self._rounds.ingest(left=unrest.append)) as reports:
            for report in reports:
                log_file(report)
                self._standing.file(report)
                self._ingests.progress()
                news |= report.new > 0
                if self._stop.is_set():
                    break
        return news

    async def _publish(self) -> None:
        async with self._publishing:
            await self._may_begin.wait()
            rounds = self._rounds
            if self._has_stepped_back:
                await asyncio.to_thread(rounds.realign, stepped_back=True)
                self._has_stepped_back = False
            begun = rounds.clock()
            report = await asyncio.to_thread(rounds.publish, lambda _: self._publishes.progress(), self._yields)
        if report.editions:
            log.info("published", editions=report.editions, papers=report.papers)
            self._standing.published(report)
            self._delivers.wake.set()
        # What came due since the round began counts as coming, or it would wait for the tick.
        coming = await asyncio.to_thread(rounds.next_due, begun)
        if coming is not None and coming.total_seconds() < rounds.settings.schedule.tick_seconds:
            self._publishes.wake_in(coming.total_seconds() + SHORTLY)

    def _yields(self) -> bool:
        """Return whether publishing is to leave the rest for later: the end is near, or a reload waits."""
        return self._stop.is_set() or not self._may_begin.is_set()

    async def _deliver(self) -> None:
        loop = asyncio.get_running_loop()
        await self._may_begin.wait()
        rounds = self._rounds
        if loop.time() < self._relay_rests_until or not await asyncio.to_thread(rounds.has_mail):
            return
        self._new_relay = asyncio.Event()
        if self._stop.is_set():
            return
        try:
            report = await rounds.deliver(stop=self._new_relay, told=self._settled)
        except DeliveredElsewhere:
            log.info("delivered-elsewhere")
            return
        if report.trouble is None:
            self._relay_failures = 0
            self._standing.relay = None
            return
        self._relay_failures += 1
        pause = relay_pause(self._relay_failures, report.trouble).total_seconds()
        self._relay_rests_until = loop.time() + pause
        self._delivers.wake_in(pause)
        self._standing.relay = report.trouble.reply
        log_trouble(report, pause)

    def _settled(self, claim: Claim, outcome: Outcome) -> None:
        log_outcome(claim, outcome)
        self._standing.settled(outcome)
        self._delivers.progress()

    async def _watch(self) -> None:
        """Look now and then whether anything needs an operator, and have them told."""
        now = time.monotonic()
        if now < self._looks_at:
            return
        self._looks_at = now + LOOK_AGAIN
        self._standing.found, told = await asyncio.to_thread(self._rounds.look, self._standing.own_troubles())
        if told is not None:
            log_notice(told)
            self._delivers.wake.set()

    async def _reload(self) -> None:
        """Take over a changed configuration, templates and people; all of it, or nothing when it cannot be used.

        Rounds in hand end with what they began with. A publishing that would go on for long leaves the rest to the
        new configuration, and so does a delivery when the relay is another one.
        """
        old = self._rounds
        self._standing.reloading()
        await asyncio.to_thread(self._watcher.taken, old.settings)
        try:
            try:
                rounds, pages, is_more = await asyncio.to_thread(prepare, self._config, old)
            except DigestdError as error:
                self._standing.reloaded(str(error))
                for line in str(error).splitlines():
                    log.error("reload-refused", reason=line)
                return
            self._may_begin.clear()
            try:
                async with self._publishing:
                    people = await asyncio.to_thread(rounds.sync_people)
                    self._rounds = rounds
                    self._sites.show(pages)
            finally:
                self._may_begin.set()
            await asyncio.to_thread(self._watcher.follow, rounds.settings)
            self._standing.reloaded(None)
            self._take_people(people)
            if is_more:
                log.warning(
                    "restart-needed",
                    reason="another folder, database, tick, web address or password is taken over by a restart",
                )
            if rounds.settings.smtp != old.settings.smtp:
                self._relay_failures, self._relay_rests_until = 0, 0.0
                self._new_relay.set()
            log.info("reloaded", config=str(self._config), relay=_relay(rounds.settings))
            self._rewatch.set()
            self._wake()
        finally:
            self._standing.ready()

    def _take_people(self, people: People) -> None:
        log_people(people)
        self._standing.problems = people.problems

    async def _watch_inbox(self, inbox: Path) -> None:
        """Wake the ingest stage when a file arrives; where watching fails, the tick finds it."""
        # What came between the first look and the watching.
        asyncio.get_running_loop().call_later(WATCHING, self._ingests.wake.set)
        try:
            async for _ in awatch(inbox, stop_event=self._stop, recursive=False, debounce=100, step=50):
                self._ingests.wake.set()
        except (OSError, RuntimeError) as error:  # no such folder any more, or no watches left in the kernel
            log.warning("watch-failed", folder=str(inbox), reason=str(error))

    async def _watch_sources(self) -> None:
        """Wake the reload stage when the configuration's files have changed and rest."""
        while not self._stop.is_set():
            self._rewatch.clear()  # first: whatever sets it from here on ends the watching below at once
            if await self._watcher.changed():
                self._reloads.wake.set()
            if self._stop.is_set():
                return
            try:
                folders = self._watcher.sources.folders()
                async for _ in awatch(
                    *folders,
                    watch_filter=lambda _, path: path.endswith((".toml", ".j2", ".css", ".js")),
                    stop_event=self._rewatch,
                    recursive=False,
                ):
                    break
            except (OSError, RuntimeError) as error:
                log.warning("watch-failed", folder=str(self._config.parent), reason=str(error))
                await self._rewatch.wait()

    def _signed_up(self) -> None:
        """Wake what has something to do for somebody who signed up: a letter to send, a first issue to compose."""
        self._delivers.wake.set()
        self._publishes.wake.set()


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
