"""GET and HEAD of a reader's own page: what it shows, what it carries, and that it changes nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from support.hostile import HOSTILE
from support.pages import Page
from support.store_room import MONDAY
from support.web_site import READER, Site, site_of, token_of

from digestd.model import Origin, Subscriber, SubscriberState

HEADERS = {
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "x-robots-tag": "noindex",
}
HARMFUL = {"script", "img", "link", "iframe", "object", "embed", "base", "svg", "input"}


async def test_page_of_a_subscriber_offers_to_leave_and_to_pause(site: Site) -> None:
    answer = await site.get()
    assert answer.status == 200
    assert answer.header("content-type") == "text/html; charset=utf-8"
    assert answer.words.startswith("Papers by mail Unsubscribe from these mails?")
    assert answer.buttons == ["unsubscribe", "pause", "weekly", "fewer"]
    assert ("method", "post") in answer.page.attributes


async def test_page_form_without_javascript_is_one_and_goes_to_the_page_itself(site: Site) -> None:
    page = (await site.get()).page
    assert page.tags.count("form") == 1
    assert page.text("button") == "UnsubscribePause for two weeksWeekly insteadFewer papers"
    own = f"{site.token}/preferences"
    assert page.links == [own], "nothing is loaded from or sent to anywhere else"
    assert not HARMFUL & set(page.tags)


async def test_page_names_the_address_masked(site: Site) -> None:
    answer = await site.get()
    assert "For r…@example.org" in answer.words
    assert b"reader@" not in answer.body
    assert b"eader" not in answer.body


async def test_page_answers_carry_the_headers(site: Site) -> None:
    asked = [
        await site.get(),
        await site.get(method="HEAD"),
        await site.get("/u/1.nothing"),
        await site.get("/nothing"),
        await site.get("/healthz"),
        await site.get(method="DELETE"),
        await site.post(),
        await site.post(b"x" * 70_000),
    ]
    assert [answer.status for answer in asked] == [200, 200, 404, 404, 200, 405, 200, 413]
    for answer in asked:
        assert {name: answer.header(name) for name in HEADERS} == HEADERS
        for never in ("server", "set-cookie", "location", "x-powered-by"):
            assert answer.header(never) is None


async def test_page_policy_lets_its_own_style_through_and_nothing_else(site: Site) -> None:
    answer = await site.get()
    style = re.search(rb"<style>(.*?)</style>", answer.body, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1]).digest()).decode()
    assert answer.header("content-security-policy") == (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert b"style=" not in answer.body, "the policy would drop it"


async def test_page_seen_by_a_scanner_changes_nothing(site: Site) -> None:
    with site.room.store.subscribers._connections.read() as connection:
        before = "\n".join(connection.iterdump())
    for path in (site.path, f"{site.path}?action=pause", f"{site.path}?List-Unsubscribe=One-Click"):
        for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"):
            answer = await site.get(path, method)
            assert answer.status == (200 if method in {"GET", "HEAD"} else 405)
    with site.room.store.subscribers._connections.read() as connection:
        assert "\n".join(connection.iterdump()) == before
    assert site.state == (SubscriberState.ACTIVE, Origin.OPERATOR)


async def test_page_head_is_that_of_get_without_the_body(site: Site) -> None:
    got, head = await site.get(), await site.get(method="HEAD")
    assert head.body == b""
    assert head.header("content-length") == str(len(got.body))
    assert head.status == got.status


async def test_page_of_another_host_name_is_the_same(site: Site) -> None:
    plain = await site.get()
    for host in ("evil.example.net", "evil.example.net:8080", "[::1]", "<script>", ""):
        answer = await site.get(Host=host, X_Forwarded_Host="evil.example.net", X_Forwarded_Proto="gopher")
        assert (answer.status, answer.body) == (plain.status, plain.body)


async def test_page_of_each_state_says_it_and_offers_what_is_the_readers(site: Site) -> None:
    expected = [
        (SubscriberState.PAUSED, Origin.OPERATOR, "Your mail is paused.", ["resume", "unsubscribe"]),
        (SubscriberState.PAUSED, Origin.READER, "Your mail is paused.", ["resume", "unsubscribe"]),
        (SubscriberState.PENDING, Origin.OPERATOR, "Not confirmed yet.", ["unsubscribe"]),
        (SubscriberState.UNSUBSCRIBED, Origin.OPERATOR, "You are not subscribed.", []),
        (SubscriberState.UNSUBSCRIBED, Origin.FILE, "You are not subscribed.", []),
        (SubscriberState.UNSUBSCRIBED, Origin.READER, "You are unsubscribed.", ["resume"]),
        (SubscriberState.SUPPRESSED, Origin.OPERATOR, "Nothing is sent to you.", ["unsubscribe"]),
    ]
    for state, by, heading, buttons in expected:
        site.room.store.subscribers.set_state(READER, state, by, MONDAY)
        answer = await site.get()
        assert answer.status == 200
        assert answer.page.text("h1") == heading
        assert answer.buttons == buttons, heading
        assert ("form" in answer.page.tags) == bool(buttons), heading
        if state is not SubscriberState.SUPPRESSED:
            site.room.store.subscribers.set_state(READER, SubscriberState.ACTIVE, by, MONDAY)


async def test_page_of_a_hostile_subscriber_is_whole_and_harmless(site: Site) -> None:
    for name, text in HOSTILE.items():
        storable = text.replace("\ud800", "")
        email = f"x@{storable}"
        site.room.store.subscribers.add(Subscriber(email, name=storable), Origin.OPERATOR, MONDAY)
        answer = await site.get(f"/u/{token_of(site.room, email)}")
        assert answer.status == 200, name
        page = Page(answer.body.decode())  # fails on a tag that is not closed
        assert not HARMFUL & set(page.tags), name
        assert page.tags.count("style") == 1, name
        assert not [attribute for attribute, _ in page.attributes if attribute.startswith("on")], name
        assert not page.comments, name
        assert not set(answer.body.decode()) & set("\0\r\u202e\u2066"), name
        assert len(answer.body) < 9_000, name


async def test_page_under_a_root_path_is_found_with_and_without_it(tmp_path: Path) -> None:
    async with site_of(tmp_path, root_path="/papers/") as site:
        assert (await site.get()).status == 200
        assert (await site.get("/papers" + site.path)).status == 200
        assert (await site.get("/papers/papers" + site.path)).status == 404
        assert (await site.get("/other" + site.path)).status == 404


async def test_health_of_a_store_that_answers_is_ok(site: Site) -> None:
    answer = await site.get("/healthz")
    assert (answer.status, answer.body) == (200, b"ok")
    assert answer.header("content-type") == "text/plain; charset=utf-8"
    assert (await site.get("/healthz", "HEAD")).status == 200
