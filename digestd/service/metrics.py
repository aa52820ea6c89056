"""What Prometheus is shown: counters of what this process did, and gauges of how the store stands.

docs/observing.md has the table. Nothing in it names a person: labels are states, stages and results.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from digestd import __version__
from digestd.errors import StoreError
from digestd.ingest.stage import FileReport
from digestd.model import Outcome, Verdict
from digestd.publish.stage import PublishReport
from digestd.service.stages import Stage
from digestd.store.base import Store

FRESH = 15.0  # seconds that a count of the outbox is shown again: it reads every row
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The metrics of one daemon."""

    def __init__(self, store: Store, stages: Sequence[Stage]) -> None:
        self._registry = CollectorRegistry()
        self._files = Counter(
            "digestd_digest_files", "Digest files taken from the inbox", ["result"], registry=self._registry
        )
        self._papers = Counter(
            "digestd_papers_ingested", "Papers read from digest files", ["kind"], registry=self._registry
        )
        self._editions = Counter("digestd_editions_published", "Editions composed", registry=self._registry)
        self._attempts = Counter(
            "digestd_delivery_attempts",
            "Attempts to hand over an edition",
            ["outcome"],
            registry=self._registry,
        )
        self._reloads = Counter("digestd_reloads", "Reloads of the configuration", ["result"], registry=self._registry)
        for verdict in Verdict:
            self._attempts.labels(verdict.value)
        for result in ("ingested", "refused", "repeated"):
            self._files.labels(result)
        for result in ("taken", "refused"):
            self._reloads.labels(result)
        for kind in ("new", "revised", "duplicate", "bad"):
            self._papers.labels(kind)
        info = Gauge("digestd_build_info", "The program, always 1", ["version"], registry=self._registry)
        info.labels(__version__).set(1)
        begun = Gauge("digestd_start_time_seconds", "When the daemon began, in Unix seconds", registry=self._registry)
        begun.set(time.time())
        self._registry.register(_Standing(store, stages))

    def file(self, report: FileReport) -> None:
        """Count a digest file."""
        self._files.labels("refused" if report.refused else "repeated" if report.repeated else "ingested").inc()
        for kind in ("new", "revised", "duplicate", "bad"):
            self._papers.labels(kind).inc(getattr(report, kind))

    def published(self, report: PublishReport) -> None:
        """Count the editions of a publishing."""
        self._editions.inc(report.editions)

    def settled(self, outcome: Outcome) -> None:
        """Count an attempt."""
        self._attempts.labels(outcome.verdict.value).inc()

    def reloaded(self, *, taken: bool) -> None:
        """Count a reload."""
        self._reloads.labels("taken" if taken else "refused").inc()

    def text(self) -> bytes:
        """Return all of it in the text format of Prometheus."""
        return generate_latest(self._registry)


class _Standing(Collector):
    """What is counted when it is asked for."""

    def __init__(self, store: Store, stages: Sequence[Stage]) -> None:
        self._store = store
        self._stages = stages
        self._counted_at = -FRESH
        self._counts: dict[str, int] = {}

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("digestd_store_up", "Whether the store answers")
        with suppress(StoreError):
            now = time.monotonic()
            if now - self._counted_at >= FRESH:
                self._counts = {state.value: count for state, count in self._store.outbox.counts().items()}
                self._counted_at = now
            outbox = GaugeMetricFamily("digestd_outbox_editions", "Editions in the outbox", labels=["state"])
            for state, count in self._counts.items():
                outbox.add_metric([state], count)
            yield outbox
            yield GaugeMetricFamily("digestd_papers", "Papers in the store", value=self._store.papers.newest())
            up.add_metric([], 1)
        if not up.samples:
            up.add_metric([], 0)
        yield up
        failures = CounterMetricFamily("digestd_stage_failures", "Rounds of a stage that failed", labels=["stage"])
        failing = GaugeMetricFamily("digestd_stage_failing", "Whether a stage's last round failed", labels=["stage"])
        seen = GaugeMetricFamily(
            "digestd_stage_last_success_timestamp_seconds", "When a stage last ended well", labels=["stage"]
        )
        for stage in self._stages:
            failures.add_metric([stage.name], stage.failures)
            failing.add_metric([stage.name], stage.trouble is not None)
            if stage.succeeded_at is not None:
                seen.add_metric([stage.name], stage.succeeded_at)
        yield from (failures, failing, seen)
        memory = GaugeMetricFamily("process_resident_memory_bytes", "Resident memory", value=_resident())
        processor = CounterMetricFamily("process_cpu_seconds", "User and system time", value=sum(os.times()[:2]))
        yield from (memory, processor)


def _resident() -> int:
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0
