"""Sources: fetched politely into the inbox from servers of every manner, and from no private network."""

from __future__ import annotations

import gzip
import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from support.http_script import Answer, HttpScript, forever, http_script, ok, silent
from support.world import World

from digestd.config.tables import Source
from digestd.errors import DigestdError
from digestd.ingest.sources.fetch import FetchFailed, Limits, Request, _redirected, fetch, is_public
from digestd.ingest.sources.plan import LONGEST_DELAY, address, next_delay
from digestd.ingest.sources.stage import PAUSE, Fetcher, SourceReport
from digestd.ingest.stage import ingest_inbox
from digestd.service import build

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
# A busy machine may keep a server from answering for seconds: only what is about a limit has a short one.
LIMITS = Limits(max_bytes=1_000_000, silence=30.0, total=60.0)
LITTLE_SILENCE = replace(LIMITS, silence=0.1)
LITTLE_TIME = replace(LIMITS, total=0.1)
BODY = b'{"title": "A Fetched Paper"}\n'


@dataclass
class Room:
    """A fetcher with a clock to be set, and what it waited."""

    fetcher: Fetcher
    server: HttpScript
    times: list[datetime]
    waited: list[float] = field(default_factory=list)

    @property
    def inbox(self) -> Path:
        return self.fetcher.inbox

    def go(self, *names: str) -> list[SourceReport]:
        return list(self.fetcher.round(names))

    def later(self, **span: float) -> None:
        self.times[0] += timedelta(**span)


@contextmanager
def room(world: World, *answers: Answer, sources: int = 1, **changes: Any) -> Iterator[Room]:
    with http_script(*answers) as server:
        made = [Source(name=f"s{n}", url=f"{server.url}&n={n}", allow_private=True) for n in range(sources)]
        times, waited = [NOW], []
        values: dict[str, Any] = {
            "sources": made,
            "states": world.store.sources,
            "inbox": world.settings.paths.inbox,
            "agent": "digestd/test (+mailto:papers@example.org)",
            "limits": LIMITS,
            "clock": lambda: times[0],
            "wait": waited.append,
        }
        yield Room(Fetcher(**{**values, **changes}), server, times, waited)


def ingested(world: World) -> int:
    (report,) = ingest_inbox(world.store.papers, build.folders(world.settings), lambda: NOW, wait=lambda _: None)
    return report.new


def test_answer_lands_in_the_inbox_whole_and_is_ingested(world: World) -> None:
    with room(world, ok(BODY, 'ETag: "one"', "Last-Modified: Mon, 23 Nov 2026 10:00:00 GMT")) as made:
        (report,) = made.go()
        assert (report.file, report.size, report.failed) == ("s0-20261123T120000Z.digest", len(BODY), False)
        assert [path.name for path in made.inbox.iterdir()] == ["s0-20261123T120000Z.digest"]
        assert (made.inbox / "s0-20261123T120000Z.digest").read_bytes() == BODY
        assert "User-Agent: digestd/test (+mailto:papers@example.org)" in made.server.asked[0]
        assert made.server.asked[0].startswith("GET /feed?x=1&n=0 HTTP/1.1\r\nHost: 127.0.0.1:")
    state = world.store.sources.state("s0")
    assert state is not None
    assert (state.etag, state.next_at, state.failures) == ('"one"', NOW + timedelta(hours=24), 0)
    assert ingested(world) == 1


def test_second_fetch_is_due_after_the_cadence_and_asks_for_what_is_new(world: World) -> None:
    first = ok(BODY, 'ETag: "one"', "Last-Modified: Mon, 23 Nov 2026 10:00:00 GMT")
    with room(world, first, b"HTTP/1.1 304 Not Modified\r\n\r\n") as made:
        made.go()
        made.later(hours=23)
        assert made.go() == []
        made.later(hours=1)
        (report,) = made.go()
        assert (report.file, report.said, report.failed) == (None, "nothing new", False)
        assert 'If-None-Match: "one"' in made.server.asked[1]
        assert "If-Modified-Since: Mon, 23 Nov 2026 10:00:00 GMT" in made.server.asked[1]
        assert len(list(made.inbox.iterdir())) == 1
        made.later(hours=24)
        made.go()
        assert 'If-None-Match: "one"' in made.server.asked[2]


def test_same_answer_again_and_an_empty_one_bring_no_file(world: World) -> None:
    with room(world, ok(BODY), ok(BODY), ok(b"")) as made:
        assert [made.go("s0")[0].file is not None for _ in range(3)] == [True, False, False]


def test_gzipped_answer_is_kept_as_it_came_and_ingested(world: World) -> None:
    with room(world, ok(gzip.compress(BODY), "Content-Encoding: gzip", "Content-Type: application/json")) as made:
        assert made.go()[0].file
        assert "Accept-Encoding: gzip" in made.server.asked[0]
    assert ingested(world) == 1


def test_chunked_answer_is_put_together(world: World) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
    with room(world, chunked) as made:
        assert made.go()[0].size == len(BODY)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (ok(b"no", status="404 Not Found"), "it answered 404 Not Found"),
        (ok(b"no", status="500 Oops"), "it answered 500 Oops"),
        (ok(b"x", "Content-Type: image/png"), "it answered with image/png, which is no digest file"),
        (ok(b"x", "Content-Encoding: br"), "it answered in the coding br, which was not asked for"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\nx", "too large: 2,000,000 bytes, at most 1,000,000"),
        (forever(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 60_000), "it is too large: more than 1,000,000 bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", "it broke off 96 bytes before its end"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf", "it broke off before its end"),
        (b"HTTP/1.1 301 Moved\r\nLocation: /again\r\n\r\n", "more than 5 redirections"),
        (b"HTTP/1.1 302 Found\r\n\r\n", "it redirects to nowhere"),
        (b"HTTP/1.1 302 Found\r\nLocation: ftp://example.org/\r\n\r\n", "neither http nor https"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://a@127.0.0.1/\r\n\r\n", "or names a user"),
        (b"220 smtp.example.org ESMTP\r\n", "it does not speak HTTP as expected: BadStatusLine"),
        (b"", "it cannot be reached"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200, "it does not speak HTTP as expected"),
    ],
)
def test_server_that_behaves_badly_is_said_and_leaves_no_file(world: World, answer: Answer, said: str) -> None:
    with room(world, answer) as made:
        failed(made, said)


@pytest.mark.parametrize(
    ("answer", "limits", "said"),
    [
        (silent, LITTLE_SILENCE, "it was silent for 0.1 seconds"),
        (forever(b"HTTP/1.1 200 OK\r\n\r\n", b"x", 0.05), LITTLE_TIME, "it took longer than 0.1 seconds"),
        (forever(b"HTTP/1.1 200 OK\r\nX: ", b"x", 0.05), LITTLE_TIME, "it took longer than 0.1 seconds"),
        (
            forever(b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n", b"x", 0.05),
            LITTLE_TIME,
            "it took longer than 0.1 seconds",
        ),
    ],
)
def test_server_that_takes_its_time_is_left(world: World, answer: Answer, limits: Limits, said: str) -> None:
    with room(world, answer, limits=limits) as made:
        failed(made, said)


def failed(made: Room, said: str) -> None:
    """Assert that a round fails for this reason, is tried again in a quarter of an hour and leaves nothing."""
    (report,) = made.go()
    assert said in report.said
    assert (report.failed, report.file) == (True, None)
    assert report.next_at == NOW + timedelta(minutes=15)
    assert list(made.inbox.iterdir()) == []


def test_server_that_asks_for_a_pause_gets_it(world: World) -> None:
    slow = ok(b"", "Retry-After: 7200", status="429 Too Many Requests")
    until = ok(b"", "Retry-After: Mon, 23 Nov 2026 17:00:00 GMT", status="503 Service Unavailable")
    with room(world, slow, until, ok(BODY)) as made:
        assert made.go()[0].next_at == NOW + timedelta(hours=2)
        made.later(hours=2)
        assert made.go()[0].next_at == NOW + timedelta(hours=5)
        made.later(hours=3)
        assert made.go()[0].failed is False
        state = world.store.sources.state("s0")
        assert state is not None
        assert state.failures == 0


def test_one_source_failing_stops_no_other_and_one_host_gets_a_pause(world: World) -> None:
    with room(world, ok(b"", status="500 No"), ok(BODY), ok(BODY), sources=3) as made:
        assert [report.failed for report in made.go()] == [True, False, False]
        assert made.waited == [PAUSE, PAUSE]
        assert len(made.server.asked) == 3


def test_changed_address_is_fetched_at_once_and_asks_anew(world: World) -> None:
    with room(world, ok(BODY, 'ETag: "one"')) as made:
        made.go()
        moved = replace(made.fetcher, sources=[Source(name="s0", url=made.server.url, allow_private=True)])
        assert len(list(moved.round())) == 1
        assert "If-None-Match" not in made.server.asked[1]


def test_clock_that_was_set_back_silences_no_source(world: World) -> None:
    with room(world, ok(BODY)) as made:
        made.go()
        made.later(days=-300)
        assert len(made.go()) == 1


def test_named_source_that_there_is_not_is_said_and_stop_stops(world: World) -> None:
    with room(world, ok(BODY)) as made:
        with pytest.raises(DigestdError, match="'x' is no source of the configuration; there are s0"):
            made.go("x")
        assert list(made.fetcher.round(stop=lambda: True)) == []


def test_stop_ends_a_slow_conversation_and_leaves_nothing(world: World) -> None:
    slow = forever(b"HTTP/1.1 200 OK\r\n\r\n", b"x", 0.05)
    with room(world, slow, limits=LIMITS) as made:
        assert list(made.fetcher.round(stop=lambda: len(made.server.asked) > 0)) == []
        assert list(made.inbox.iterdir()) == []
        assert world.store.sources.state("s0") is None


@pytest.mark.parametrize(
    ("one", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        *((one, False) for one in ("127.0.0.1", "10.1.2.3", "192.168.1.1", "172.16.0.1", "169.254.169.254")),
        *(
            (one, False)
            for one in ("0.0.0.0", "100.64.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0")
        ),
        *((one, False) for one in ("fc00::1", "::ffff:127.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "ff02::1", "x")),
    ],
)
def test_address_is_public_only_on_the_open_internet(one: str, public: bool) -> None:
    assert is_public(one) is public


@pytest.mark.parametrize("found", [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["::ffff:10.0.0.1"], []])
def test_name_that_leads_into_a_private_network_is_refused(found: list[str]) -> None:
    request = Request("http://example.org/feed", "digestd")
    with pytest.raises(FetchFailed, match="is no public address|has no address"):
        fetch(request, io.BytesIO(), LIMITS, NOW, lambda host, port: found)


def test_redirection_into_a_private_network_is_refused_and_each_name_is_looked_up_once() -> None:
    looked: list[str] = []

    def lookup(host: str, port: int) -> list[str]:
        looked.append(host)
        return ["127.0.0.1"]

    with http_script(b"HTTP/1.1 302 Found\r\nLocation: http://other.example/\r\n\r\n", ok(BODY)) as server:
        address = f"http://example.org:{server.port}/"
        with pytest.raises(FetchFailed, match=r"example\.org leads to 127\.0\.0\.1, which is no public address"):
            fetch(Request(address, "digestd"), io.BytesIO(), LIMITS, NOW, lookup)
        target = io.BytesIO()
        asked = Request(address.replace("example.org/", "example.org"), "digestd", allow_private=True)
        with pytest.raises(FetchFailed, match="cannot be reached"):  # on port 80 of this machine nobody answers
            fetch(asked, target, LIMITS, NOW, lookup)
    assert looked == ["example.org", "example.org", "other.example"]


def test_https_never_goes_on_without_tls() -> None:
    with pytest.raises(FetchFailed, match="from https to an address without it"):
        _redirected("https://example.org/a", "http://example.org/a")
    assert _redirected("https://example.org/a/b", "../c") == "https://example.org/c"


def test_server_without_a_certificate_that_is_accepted_is_refused() -> None:
    with http_script(b"no TLS here\r\n\r\n") as server:
        request = Request(f"https://127.0.0.1:{server.port}/", "digestd", allow_private=True)
        with pytest.raises(FetchFailed, match="TLS is not accepted|cannot be reached|silent"):
            fetch(request, io.BytesIO(), LITTLE_SILENCE, NOW)


def test_tls_that_comes_a_byte_at_a_time_is_left() -> None:
    record = b"\x16\x03\x03\x40\x00"  # the head of 16 KiB of handshake
    with http_script(forever(record, b"x", 0.05), ends=b"\x03") as server:
        request = Request(f"https://127.0.0.1:{server.port}/", "digestd", allow_private=True)
        with pytest.raises(FetchFailed, match=r"it took longer than 0\.1 seconds"):
            fetch(request, io.BytesIO(), LITTLE_TIME, NOW)


def test_name_that_was_looked_up_for_too_long_leaves_no_time_for_a_slow_server() -> None:
    def lookup(host: str, port: int) -> list[str]:
        until = time.monotonic() + LITTLE_TIME.total
        while time.monotonic() < until:
            pass
        return ["127.0.0.1"]

    with http_script(forever(b"HTTP/1.1 200 OK\r\nX: ", b"x", 0.05)) as server:
        request = Request(f"http://example.org:{server.port}/", "digestd", allow_private=True)
        with pytest.raises(FetchFailed, match=r"it took longer than 0\.1 seconds"):
            fetch(request, io.BytesIO(), LITTLE_TIME, NOW, lookup)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"preset": "arxiv", "topics": ("cs.CL", "cs.LG")}, "https://rss.arxiv.org/rss/cs.CL+cs.LG"),
        (
            {"preset": "arxiv", "query": "ti:nest AND cat:cs.CL"},
            "https://export.arxiv.org/api/query?search_query=ti%3Anest+AND+cat%3Acs.CL"
            "&sortBy=submittedDate&sortOrder=descending&max_results=200",
        ),
        ({"preset": "huggingface"}, "https://huggingface.co/api/daily_papers?limit=100"),
        ({"preset": "biorxiv"}, "https://connect.biorxiv.org/biorxiv_xml.php?subject=all"),
        (
            {"preset": "medrxiv", "topics": ("public health", "oncology")},
            "https://connect.medrxiv.org/medrxiv_xml.php?subject=public_health+oncology",
        ),
        (
            {"preset": "pubmed", "query": "1-abcDE_F"},
            "https://pubmed.ncbi.nlm.nih.gov/rss/search/1-abcDE_F/?limit=100",
        ),
        ({"url": "https://example.org/feed.xml"}, "https://example.org/feed.xml"),
    ],
)
def test_preset_is_the_sites_own_address(values: dict[str, Any], expected: str) -> None:
    assert address(Source(name="s", **values)) == expected


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"url": "https://example.org", "preset": "arxiv"},
        {"url": "ftp://example.org"},
        {"url": "https://me:secret@example.org/"},
        {"preset": "arxiv"},
        {"preset": "pubmed"},
        {"preset": "pubmed", "query": "../x"},
        {"url": "https://example.org", "every_hours": 0.1},
        {"url": "https://example.org", "name": "../x"},
    ],
)
def test_source_without_one_sound_address_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Source(**{"name": "s", **values})


@given(st.integers(1, 10_000), st.floats(0.25, 744), st.none() | st.integers(0, 10**9))
def test_delay_after_failures_grows_and_has_a_limit(failures: int, hours: float, asked: int | None) -> None:
    every, pause = timedelta(hours=hours), timedelta(seconds=asked) if asked is not None else None
    delay = next_delay(every, failures, pause)
    assert timedelta(minutes=15) <= delay <= max(LONGEST_DELAY, every)
    assert next_delay(every, failures + 1, pause) >= delay
    assert next_delay(every, 0, pause) == every
