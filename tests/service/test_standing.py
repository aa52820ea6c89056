"""Looking inside: the probes, the metrics, and the names of what is logged."""

from __future__ import annotations

import ast
import asyncio
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import Request
from starlette.responses import Response
from support.store_room import StoreRoom, opened, profile, work

from digestd.errors import StoreError
from digestd.ingest.stage import FileReport
from digestd.model import Blame, Outcome, Phase, Verdict
from digestd.publish.stage import PublishReport
from digestd.service.events import EVENTS
from digestd.service.notify import Notifier
from digestd.service.stages import Stage
from digestd.service.standing import Standing

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "observing.md").read_text("utf-8")
LEVELS = {"debug", "info", "warning", "error", "exception"}


class Site:
    """A standing with its routes answered."""

    def __init__(self, room: StoreRoom) -> None:
        async def nothing() -> None: ...

        self.room = room
        self.stage = Stage("publish", nothing)
        self.standing = Standing(room.store, (self.stage,), Notifier())
        self._routes = {route.path: route.endpoint for route in self.standing.probes()}

    def get(self, path: str) -> Response:
        """Return the answer of a probe."""
        answer: Response = asyncio.run(self._routes[path](Request({"type": "http"})))
        return answer

    def metrics(self) -> dict[str, float]:
        """Return each sample by its name and labels."""
        found = {}
        for family in text_string_to_metric_families(self.get("/metrics").body.decode()):
            for sample in family.samples:
                found[sample.name + "".join(f"[{value}]" for value in sample.labels.values())] = sample.value
        return found


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path / "digestd.db") as room:
        yield Site(room)


def _fail(*_: Any) -> Any:
    raise StoreError("the disk is gone")


def test_probes_of_a_sound_service_say_so(site: Site) -> None:
    assert site.get("/healthz").body == b"ok\n"
    assert json.loads(site.get("/readyz").body) == {"ready": True, "troubles": []}


def test_probes_of_a_silent_store_are_503(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site.room.store.papers, "newest", _fail)
    monkeypatch.setattr(site.room.store.outbox, "counts", _fail)
    assert site.get("/healthz").status_code == 503
    answer = site.get("/readyz")
    assert (answer.status_code, json.loads(answer.body)["troubles"]) == (503, ["store"])
    assert site.metrics()["digestd_store_up"] == 0


def test_probes_of_a_degraded_service_name_it_and_no_restart_is_asked_for(site: Site) -> None:
    site.standing.reloaded("digestd.toml, line 3: smtp.hots is not a known key")
    site.standing.relay = "connection refused"
    assert site.get("/healthz").status_code == 200
    assert json.loads(site.get("/readyz").body) == {"ready": True, "troubles": ["configuration", "relay"]}
    assert "line 3" in site.standing._line()
    site.stage.trouble = "StoreBusy"
    assert site.get("/readyz").status_code == 503


def test_health_of_a_stage_that_stands_still_is_503(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.stage._moved_at = time.monotonic() - 901
    assert site.get("/healthz").status_code == 503
    site.stage.progress()
    assert site.get("/healthz").status_code == 200


def test_metrics_count_what_happens_and_show_how_things_stand(site: Site) -> None:
    site.room.ingest([work(1)])
    site.room.subscribe("ada@example.org", profile())
    site.room.publish()
    site.standing.file(FileReport("one.txt", papers=3, new=2, revised=1))
    site.standing.file(FileReport("two.txt", refused="hm"))
    site.standing.published(PublishReport(4, 9))
    site.standing.settled(Outcome(Verdict.SENT, Phase.BODY, Blame.RECIPIENT, "ok"))
    site.standing.reloaded("no")
    found = site.metrics()
    assert found["digestd_digest_files_total[ingested]"] == found["digestd_digest_files_total[refused]"] == 1
    assert found["digestd_papers_ingested_total[new]"] == 2
    assert found["digestd_editions_published_total"] == 4
    assert found["digestd_delivery_attempts_total[sent]"] == 1
    assert found["digestd_delivery_attempts_total[failed]"] == 0
    assert found["digestd_reloads_total[refused]"] == 1
    assert found["digestd_outbox_editions[ready]"] == found["digestd_papers"] == found["digestd_store_up"] == 1
    assert found["process_resident_memory_bytes"] > 1_000_000


def test_metrics_are_those_of_the_table_and_of_the_dashboard(site: Site) -> None:
    families = list(text_string_to_metric_families(site.get("/metrics").body.decode()))
    names = {
        f"{one.name}_total" if one.type == "counter" else one.name for one in families if "_created" not in one.name
    }
    table = DOCS.partition("## Metrics")[2].partition("\n## ")[0]
    assert names == set(re.findall(r"^\| `(\w+)", table, re.MULTILINE))
    board = (ROOT / "config" / "grafana" / "digestd.json").read_text("utf-8")
    assert set(re.findall(r"\b((?:digestd|process)_\w+)", board)) <= names | {"digestd_build_info"}


def test_events_that_are_logged_are_those_of_the_vocabulary_and_of_the_table() -> None:
    logged = set()
    for path in (ROOT / "digestd").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name)):
                continue
            called = ast.unparse(node.func)
            if called in {f"log.{level}" for level in LEVELS} | {"level"} and node.args:
                texts = (one.value for one in ast.walk(node.args[0]) if isinstance(one, ast.Constant))
                logged.update(text for text in texts if isinstance(text, str))
    assert "edition-" in logged, "it goes on with the verdict"
    assert (logged - {"edition-"}) | {f"edition-{verdict}" for verdict in Verdict} == EVENTS.keys()
    table = dict(re.findall(r"^\| `([a-z-]+)` \| (.+?) \|$", DOCS.partition("## Events")[2], re.MULTILINE))
    assert table == EVENTS
