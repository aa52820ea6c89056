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

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from watchfiles import awatch

from digestd.config import Settings, load
from digestd.errors import DigestdError
from digestd.ingest.stage import FileReport
from digestd.model import Blame, Outcome, Verdict
from digestd.deliver.policy import relay_pause
from digestd.publish.check import check_templates
from digestd.service import build
from digestd.service.rounds import Clock, Rounds
from digestd.store.base import Claim

STOP_LIMIT = 30.0  # seconds for the messages on their way; systemd's own limit is 90

log = structlog.get_logger("digestd")


def serve(config: Path, clock: Clock = build.utc_now) -> None:
    """Run until SIGTERM or SIGINT. Raises DigestdError when the configuration or the store cannot be used."""
    settings = load(config)
    with contextlib.closing(build.store(settings)) as store:
        daemon = Daemon(config, Rounds(settings, store, clock))
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(daemon.run())


class Daemon:
    """What `serve` runs. The rounds in use are the last good ones."""

    def __init__(self, config: Path, rounds: Rounds) -> None:
        self._config = config
        self._rounds = rounds
        self._stop = asyncio.Event()
        self._new_files = asyncio.Event()
        self._new_papers = asyncio.Event()
        self._new_editions = asyncio.Event()
        self._relay_failures = 0
        self._relay_rests_until = 0.0

    async def run(self) -> None:
        """Run every stage until asked to stop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        settings = self._rounds.settings
        check_templates(build.snapshot(settings))
        settings.paths.inbox.mkdir(parents=True, exist_ok=True)
        self._sync_people()
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
        log.info("serving", inbox=str(settings.paths.inbox), relay=f"{settings.smtp.host}:{settings.smtp.port_in_use}")
        stages = [
            asyncio.create_task(self._stage("ingest", self._ingest, self._new_files)),
            asyncio.create_task(self._stage("publish", self._publish, self._new_papers)),
            asyncio.create_task(self._stage("deliver", self._deliver, self._new_editions)),
            asyncio.create_task(self._watch(settings.paths.inbox)),
        ]
        try:
            await self._stop.wait()
            scheduler.shutdown(wait=False)
            log.info("stopping")
            _, late = await asyncio.wait(stages, timeout=STOP_LIMIT)
            for stage in late:
                stage.cancel()
            await asyncio.gather(*stages, return_exceptions=True)
        finally:
            log.info("stopped", **{str(state): count for state, count in self._rounds.store.outbox.counts().items()})

    def stop(self) -> None:
        """Ask the daemon to end: what is on its way is finished, nothing new is begun."""
        self._stop.set()
        for wake in (self._new_files, self._new_papers, self._new_editions):
            wake.set()

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
            except DigestdError as error:
                log.error("stage-failed", stage=name, error=error.key, reason=str(error))
            except Exception:
                log.exception("stage-failed", stage=name, error="unexpected")

    async def _ingest(self) -> None:
        reports = await asyncio.to_thread(lambda: list(self._rounds.ingest()))
        for report in reports:
            log_file(report)
        if any(report.new for report in reports):
            self._new_papers.set()

    async def _publish(self) -> None:
        report = await asyncio.to_thread(self._rounds.publish)
        if report.editions:
            log.info("published", editions=report.editions, papers=report.papers)
            self._new_editions.set()

    async def _deliver(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() < self._relay_rests_until:
            return
        report = await self._rounds.deliver(stop=self._stop, settled=log_outcome)
        if report.trouble is None:
            self._relay_failures = 0
            return
        self._relay_failures += 1
        pause = relay_pause(self._relay_failures, report.trouble)
        self._relay_rests_until = loop.time() + pause.total_seconds()
        loop.call_later(pause.total_seconds(), self._new_editions.set)
        log.warning(
            "relay-failed",
            phase=report.trouble.phase,
            reason=report.trouble.reply,
            code=report.trouble.code,
            again_in_seconds=pause.total_seconds(),
        )

    async def _watch(self, inbox: Path) -> None:
        """Wake the ingest stage when a file arrives; where watching fails, the tick finds it."""
        settle = self._rounds.settings.ingest.settle_seconds
        loop = asyncio.get_running_loop()
        try:
            async for _ in awatch(inbox, stop_event=self._stop, recursive=False, debounce=100, step=50):
                self._new_files.set()
                loop.call_later(settle + 0.05, self._new_files.set)
        except OSError as error:
            log.warning("watch-failed", inbox=str(inbox), reason=str(error))

    def _reload(self) -> None:
        try:
            settings = load(self._config)
            check_templates(build.snapshot(settings))
        except DigestdError as error:
            log.error("reload-refused", reason=str(error))
            return
        if settings.paths != self._rounds.settings.paths or settings.schedule != self._rounds.settings.schedule:
            log.warning("restart-needed", reason="a change under [paths] or [schedule] is taken over by a restart")
        self._rounds = Rounds(settings, self._rounds.store, self._rounds.clock)
        self._sync_people()
        log.info("reloaded", config=str(self._config))
        self._tick()

    def _sync_people(self) -> None:
        people = self._rounds.sync_people()
        for problem in people.problems:
            log.error("profile-refused", reason=problem)
        report = people.report
        log.info(
            "people-synchronised",
            added=report.added,
            changed=report.changed,
            removed=report.removed,
            unchanged=report.unchanged,
        )


def log_file(report: FileReport) -> None:
    """Write down what became of a digest file."""
    if report.refused:
        log.warning("file-refused", file=report.file, reason=report.refused)
    elif report.repeated:
        log.info("file-repeated", file=report.file)
    else:
        log.info(
            "file-ingested",
            file=report.file,
            papers=report.papers,
            new=report.new,
            revised=report.revised,
            duplicate=report.duplicate,
            bad=report.bad,
        )
    for bad in report.bad_records:
        log.warning("bad-record", file=report.file, line=bad.line, reason=bad.reason)


def log_outcome(claim: Claim, outcome: Outcome) -> None:
    """Write down what an attempt came to."""
    level = log.info if outcome.verdict is Verdict.SENT else log.warning
    if outcome.blame is Blame.RELAY and outcome.verdict is Verdict.DEFERRED:
        level = log.debug  # said once for the run, not once for each edition that waits
    level(
        f"edition-{outcome.verdict}",
        edition=claim.edition_id,
        to=claim.address,
        attempt=claim.attempts,
        phase=outcome.phase,
        code=outcome.code,
        reply=outcome.reply,
    )


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
