"""How the daemon stands, for whoever asks: systemd's status line and watchdog, the probes, and the metrics.

The watchdog is fed by progress: the event loop turns, the store answers, and no stage in hand has stood still for too
long. A relay that is down is no reason for a restart; it shows in the status line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from http import HTTPStatus

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from digestd.errors import StoreError
from digestd.ingest.stage import FileReport
from digestd.model import Outcome
from digestd.publish.stage import PublishReport
from digestd.service.findings import KEYS, Finding
from digestd.service.metrics import CONTENT_TYPE, Metrics
from digestd.service.notify import Notifier
from digestd.service.stages import Stage
from digestd.store.base import Store

LOOK = 5.0  # seconds between looks, where no watchdog asks for more
ANSWER = 10.0  # seconds that the store has to answer a look
LONGEST_STATUS = 300  # characters of the status line
GO_ON = frozenset({"configuration", "subscribers", "relay", "held"}) | KEYS  # the rest of the work goes on with these

log = structlog.get_logger("digestd")


class Standing:
    """What is known of the daemon at work. `refused` is why the last change of the configuration was not taken over."""

    def __init__(self, store: Store, stages: Sequence[Stage], notifier: Notifier) -> None:
        self._store = store
        self._stages = stages
        self._notifier = notifier
        self._metrics = Metrics(store, stages)
        self._status = ""
        self._is_stopping = False
        self.refused: str | None = None
        self.problems: tuple[str, ...] = ()
        self.relay: str | None = None
        self.held: str | None = None
        self.found: tuple[Finding, ...] = ()

    # What happens

    def ready(self) -> None:
        """Tell that the work goes on."""
        self._notifier.tell("READY=1", f"STATUS={self._line()}")

    def reloading(self) -> None:
        """Tell that a reload has begun; `ready` tells its end."""
        self._notifier.tell("RELOADING=1")

    def stopping(self) -> None:
        """Tell that the end has begun."""
        self._is_stopping = True
        self._notifier.tell("STOPPING=1", "STATUS=ending: what is on its way is finished")

    def file(self, report: FileReport) -> None:
        """Note what became of a digest file."""
        self._metrics.file(report)

    def published(self, report: PublishReport) -> None:
        """Note what was composed."""
        self._metrics.published(report)

    def settled(self, outcome: Outcome) -> None:
        """Note what an attempt came to."""
        self._metrics.settled(outcome)

    def reloaded(self, refused: str | None) -> None:
        """Note how a reload ended: taken over, or why not."""
        self.refused = refused
        self._metrics.reloaded(taken=refused is None)

    # What is told

    def troubles(self) -> dict[str, str]:
        """Return what is degraded, by a short name: a sentence each."""
        found = {}
        if self.held:
            found["held"] = f"nothing is sent: {self.held}"
        found |= self.own_troubles()
        if self.relay:
            found["relay"] = f"the relay does not take mail: {self.relay}"
        return found | {one.key: one.sentence for one in self.found if one.key in KEYS}

    def own_troubles(self) -> dict[str, str]:
        """Return what of the service itself is degraded, and can be told by mail."""
        found = {}
        if self.refused:
            found["configuration"] = f"the last good configuration is in force: {self.refused.splitlines()[0]}"
        if self.problems:
            more = f" and {len(self.problems) - 1} more" if len(self.problems) > 1 else ""
            found["subscribers"] = f"{self.problems[0]}{more}"
        for stage in self._stages:
            if stage.trouble:
                found[stage.name] = f"{stage.name} fails: {stage.trouble}"
            if stage.is_stuck():
                found[stage.name] = f"{stage.name} makes no progress"
        return found

    def probes(self) -> list[Route]:
        """Return the routes for machines: is it alive, can it work, and how much has it done."""
        return [
            Route("/healthz", self._healthz, methods=["GET"]),
            Route("/readyz", self._readyz, methods=["GET"]),
            Route("/metrics", self._show_metrics, methods=["GET"]),
        ]

    async def keep(self, stop: asyncio.Event) -> None:
        """Feed the watchdog and keep the status line true, until `stop` is set and for as long as the end takes."""
        pause = min(LOOK, (self._notifier.watchdog or 2 * LOOK) / 2)
        was_well = True
        while not stop.is_set():
            try:
                async with asyncio.timeout(ANSWER):
                    self.held = await asyncio.to_thread(self._store.outbox.held)
                is_well = not any(stage.is_stuck() for stage in self._stages)
            except (StoreError, TimeoutError):
                is_well = False
            if self._is_stopping:  # meanwhile: the status line says so, and is not taken back
                return
            if is_well:
                self._notifier.tell("WATCHDOG=1")
            elif was_well:
                log.error("stage-stuck", stages=[stage.name for stage in self._stages if stage.is_stuck()])
            was_well = is_well
            line = self._line()
            if line != self._status:
                self._status = line
                self._notifier.status(line)
            try:
                async with asyncio.timeout(pause):
                    await stop.wait()
            except TimeoutError:
                continue

    def _line(self) -> str:
        """Return the status line: what is wrong, or that nothing is."""
        troubles = self.troubles()
        return "; ".join(troubles.values())[:LONGEST_STATUS] or "at work"

    async def _healthz(self, request: Request) -> Response:
        """Answer whether a restart would help: the store does not answer, or a stage stands still."""
        stuck = [stage.name for stage in self._stages if stage.is_stuck()]
        if stuck or not await self._answers():
            said = f"{', '.join(stuck)} makes no progress" if stuck else "the store does not answer"
            return PlainTextResponse(f"{said}\n", HTTPStatus.SERVICE_UNAVAILABLE)
        return PlainTextResponse("ok\n")

    async def _readyz(self, request: Request) -> Response:
        """Answer whether the work goes on, and name all that is degraded; the log says why."""
        troubles = self.troubles()
        if not await self._answers():
            troubles["store"] = "the store does not answer"
        works = not self._is_stopping and troubles.keys() <= GO_ON
        status = HTTPStatus.OK if works else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse({"ready": works, "troubles": sorted(troubles)}, status)

    async def _show_metrics(self, request: Request) -> Response:
        return Response(await asyncio.to_thread(self._metrics.text), media_type=CONTENT_TYPE)

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(ANSWER):
                await asyncio.to_thread(self._store.papers.newest)
        except (StoreError, TimeoutError):
            return False
        return True
