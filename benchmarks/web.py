"""Web: how long a hundred at once wait for the first octet of a page, while the same daemon delivers.

`python -m benchmarks.web` starts a real `digestd serve` on a store with editions to send and smtp-sink as its relay,
and asks from a process of its own. Each round opens its connections together, one request on each, every one for the
page of another reader; a wait counts from before the connection to the first octet of the answer. The reference is
the same daemon with nothing to send.
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
from itertools import cycle, islice
from pathlib import Path

from benchmarks import world
from benchmarks.deliver import sink
from digestd.ingest.stage import ingest_file
from digestd.model import Origin
from digestd.publish.tokens import unsubscribe_token
from digestd.service import build
from digestd.service.rounds import Rounds
from digestd.store.base import StoredSubscriber

READERS = 20_000
AT_ONCE = 100
ROUNDS = 20
PAUSE = 0.25  # seconds between rounds
LIMIT = 60.0

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
    print(f"{'page, ' + str(AT_ONCE) + ' at once':34} {'p50':>8} {'p95':>8} {'worst':>8}   processor, or beside it")
    with tempfile.TemporaryDirectory(prefix="digestd-bench-") as name, sink() as relay:
        for title, readers in (("at rest", AT_ONCE), ("while delivering", READERS)):
            with _serving(Path(name) / str(readers), relay, readers) as (port, own):
                pages = {"subscribe": ["/"], "own page": own, "preferences": [f"{one}/preferences" for one in own]}
                for page, paths in pages.items():
                    before, begun = _counted(port), time.perf_counter()
                    waits = _asked(port, paths)
                    sent, processor = (now - then for now, then in zip(_counted(port), before, strict=True))
                    _tell(f"{page}, {title}", waits, sent, time.perf_counter() - begun, processor)


def rounds(port: int, paths: list[str]) -> list[float]:
    """Return the waits, in seconds, of ROUNDS times AT_ONCE requests."""
    waits = []
    for _ in range(ROUNDS):
        waits += _at_once(port, paths)
        time.sleep(PAUSE)
    return waits


def _at_once(port: int, paths: list[str]) -> list[float]:
    """Return the waits of AT_ONCE requests over as many new connections, for one page after the other."""
    begun, waits, open_ = {}, [], []
    with selectors.DefaultSelector() as selector:
        for path in islice(cycle(paths), AT_ONCE):
            request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
            connection = socket.socket()
            connection.setblocking(False)
            begun[connection] = time.perf_counter()
            connection.connect_ex(("127.0.0.1", port))
            selector.register(connection, selectors.EVENT_WRITE, request)
            open_.append(connection)
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
                else:
                    waits.append(time.perf_counter() - begun[connection])
                    head = connection.recv(65536)
                    assert head.startswith(b"HTTP/1.1 200"), head[:60]
                    selector.unregister(connection)
    for connection in open_:
        connection.close()
    return waits


def _asked(port: int, paths: list[str]) -> list[float]:
    """Return the waits as another process measures them."""
    command = [sys.executable, "-m", "benchmarks.web", "ask", str(port)]
    asked = subprocess.run(command, check=True, capture_output=True, text=True, input=json.dumps(paths))
    found: list[float] = json.loads(asked.stdout)
    return found


def _tell(what: str, waits: list[float], sent: float, seconds: float, processor: float) -> None:
    cuts = statistics.quantiles(waits, n=20)
    p50, p95, worst = (1000 * one for one in (cuts[9], cuts[18], max(waits)))
    beside = f"sent {sent / seconds:,.0f} a second" if sent else f"{1000 * processor / len(waits):.2f} ms each"
    print(f"{what:34} {p50:5.1f} ms {p95:5.1f} ms {worst:5.1f} ms   {beside}", flush=True)


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
        asking = [store.subscribers.find(f"reader-{number}@example.org") for number in range(AT_ONCE)]
        key = store.editions.key()
        own = [f"/u/{unsubscribe_token(key, reader.pk, reader.subscriber.email)}" for reader in asking]
    command = [sys.executable, "-m", "digestd", "--config", str(config), "serve"]
    with (folder / "serve.log").open("w") as log:
        daemon = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ})
    try:
        begun = time.monotonic()
        while not _answers(web) or (readers > AT_ONCE and _counted(web)[0] < 200):  # the presses are at work
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
