"""Web: how long a hundred at once wait for the first octet of a page, while the same daemon delivers.

`python -m benchmarks.web` starts a real `digestd serve` on a store with editions to send and smtp-sink as its relay,
and asks from a process of its own. Each round opens its connections together, one request on each, every one for the
page of another reader, who has not looked before. A wait counts from before the connection to the first octet of the
answer, and to its last one: preferences come in two pieces. The reference is the same daemon with nothing left to send.
Beside the waits stands what was sent meanwhile, for each page from a store of its own, so that there is always enough.
"""

from __future__ import annotations

import json
import os
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks import world
from benchmarks.deliver import sink
from digestd.ingest.stage import ingest_file
from digestd.model import Origin
from digestd.publish.tokens import unsubscribe_token
from digestd.service import build
from digestd.service.rounds import Rounds
from digestd.store.base import StoredSubscriber

AT_ONCE = 100
ROUNDS = 20
ASKING = AT_ONCE * ROUNDS  # readers who look, each once
READERS = 30_000
PAUSE = 0.25  # seconds between rounds
LIMIT = 60.0
_PAGES = {"subscribe": "/", "own page": "{}", "preferences": "{}/preferences"}  # by the path of a reader's own

Wait = tuple[float, float]  # seconds to the first octet and to the last

_CONFIG = """subscribers = "subscribers.toml"
[paths]
inbox = "inbox"
archive = "archive"
quarantine = "quarantine"
database = "digestd.db"
[smtp]
host = "127.0.0.1"
port = {relay}
tls = "none"
connections = 8
[mail]
from_address = "papers@example.org"
public_url = "http://127.0.0.1:{web}"
[web]
port = {web}
"""


def main() -> None:
    """Measure the subscribe page and a reader's own page, at rest and while mail is sent; print the waits."""
    if sys.argv[1:2] == ["ask"]:
        print(json.dumps(rounds(int(sys.argv[2]), json.load(sys.stdin))))
        return
    if not shutil.which("smtp-sink"):
        sys.exit("benchmarks.web needs smtp-sink (Debian: apt install postfix)")
    print(f"{'first octet, ' + str(AT_ONCE) + ' at once':30}{'p50':>9}{'p95':>9}{'worst':>9}{'last, p95':>11}")
    with tempfile.TemporaryDirectory(prefix="digestd-bench-") as name, sink() as relay:
        with _serving(Path(name) / "rest", relay, ASKING) as (port, own):
            for page, path in _PAGES.items():
                _measure(f"{page}, at rest", port, [path.format(one) for one in own])
        for page, path in _PAGES.items():
            with _serving(Path(name) / page, relay, READERS) as (port, own):
                _measure(f"{page}, while delivering", port, [path.format(one) for one in own])


def rounds(port: int, paths: list[str]) -> list[Wait]:
    """Return the waits for the pages, AT_ONCE at a time."""
    waits = []
    for begin in range(0, len(paths), AT_ONCE):
        waits += _at_once(port, paths[begin : begin + AT_ONCE])
        time.sleep(PAUSE)
    return waits


def _measure(what: str, port: int, paths: list[str]) -> None:
    before, begun = _counted(port), time.perf_counter()
    waits = _asked(port, paths)
    sent, processor = (now - then for now, then in zip(_counted(port), before, strict=True))
    _tell(what, waits, sent, time.perf_counter() - begun, processor)


def _at_once(port: int, paths: list[str]) -> list[Wait]:
    """Return the waits for the pages, each over a new connection."""
    begun: dict[socket.socket, float] = {}
    first: dict[socket.socket, float] = {}
    waits: list[Wait] = []
    with selectors.DefaultSelector() as selector:
        for path in paths:
            request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
            connection = socket.socket()
            connection.setblocking(False)
            begun[connection] = time.perf_counter()
            connection.connect_ex(("127.0.0.1", port))
            selector.register(connection, selectors.EVENT_WRITE, request)
        while selector.get_map():
            ready = selector.select(LIMIT)
            if not ready:
                raise TimeoutError("no answer")
            for key, event in ready:
                connection = key.fileobj
                assert isinstance(connection, socket.socket)
                if event & selectors.EVENT_WRITE:
                    connection.send(key.data)
                    selector.modify(connection, selectors.EVENT_READ)
                    continue
                wait = time.perf_counter() - begun[connection]
                octets = connection.recv(65536)
                if connection not in first:
                    first[connection] = wait
                    assert octets.startswith(b"HTTP/1.1 200"), octets[:60]
                if not octets:
                    waits.append((first[connection], wait))
                    selector.unregister(connection)
                    connection.close()
    return waits


def _asked(port: int, paths: list[str]) -> list[Wait]:
    """Return the waits as another process measures them."""
    command = [sys.executable, "-m", "benchmarks.web", "ask", str(port)]
    asked = subprocess.run(command, check=True, capture_output=True, text=True, input=json.dumps(paths))
    found: list[Wait] = json.loads(asked.stdout)
    return found


def _tell(what: str, waits: list[Wait], sent: float, seconds: float, processor: float) -> None:
    first, last = (statistics.quantiles(each, n=20) for each in zip(*waits, strict=True))
    shown = "".join(f"{1000 * wait:6.1f} ms" for wait in (first[9], first[18], max(waits)[0], last[18]))
    beside = f"sent {sent / seconds:,.0f} a second" if sent else f"{1000 * processor / len(waits):.2f} ms of processor"
    print(f"{what:30}{shown}   {beside}", flush=True)


@contextmanager
def _serving(folder: Path, relay: int, readers: int) -> Iterator[tuple[int, list[str]]]:
    """Run `digestd serve` on a store with an edition for each of its readers; yields its port and readers' pages."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        web = probe.getsockname()[1]
    (folder / "inbox").mkdir(parents=True)
    (folder / "subscribers.toml").write_text("")
    config = folder / "digestd.toml"
    config.write_text(_CONFIG.format(relay=relay, web=web))
    settings = world.settings(folder, folder / "digestd.db", relay)
    with closing(build.store(settings)) as store:
        ingest_file(store.papers, world.seeds(), 10**9, build.utc_now())
        people = (StoredSubscriber(0, one, Origin.READER, Origin.READER) for one in world.people(readers))
        store.subscribers.restore(people, build.utc_now())
        Rounds(settings, store).publish()
        asking = [store.subscribers.find(f"reader-{number}@example.org") for number in range(ASKING)]
        key = store.editions.key()
        own = [f"/u/{unsubscribe_token(key, reader.pk, reader.subscriber.email)}" for reader in asking]
    command = [sys.executable, "-m", "digestd", "--config", str(config), "serve"]
    with (folder / "serve.log").open("w") as log:
        daemon = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ})
    try:
        begun = time.monotonic()
        # At rest all is sent, else the presses are at work.
        while not _answers(web) or _counted(web)[0] < (readers if readers == ASKING else 200):
            if time.monotonic() - begun > LIMIT or daemon.poll() is not None:
                raise TimeoutError((folder / "serve.log").read_text()[-2000:])
            time.sleep(0.1)
        yield web, own
    finally:
        daemon.terminate()
        daemon.wait()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _counted(port: int) -> tuple[float, float]:
    """Return how many editions the daemon says it has sent, and the processor time it has used, in seconds."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=LIMIT) as answer:
        lines = dict(line.rpartition(" ")[::2] for line in answer.read().decode().splitlines() if line[:1] != "#")
    return float(lines['digestd_delivery_attempts_total{outcome="sent"}']), float(lines["process_cpu_seconds_total"])


if __name__ == "__main__":
    main()
