"""A reader's own feed: what RFC 4287 asks for, whose papers it holds, and what opens it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from urllib.parse import urljoin

import pytest
from lxml import etree
from support.editions import snapshot
from support.hostile import HOSTILE
from support.store_room import MONDAY
from support.web_site import LATER, READER, Answer, Site

from digestd.model import Origin, Paper, SubscriberState
from digestd.publish.links import safe_url
from digestd.publish.stage import publish
from digestd.publish.tokens import feed_token
from digestd.web.feed import ATOM, MEDIA_TYPE, MOST, Item, atom, merged

ONE = {"id", "title", "updated"}  # RFC 4287 4.1.1, 4.1.2: exactly one of each
NAMES = {
    "feed": ONE | {"subtitle", "author", "generator", "link", "entry"},
    "entry": ONE | {"author", "link", "summary"},
    "author": {"name"},
}


def checked(octets: bytes) -> etree._Element:
    """Return a feed after it was held against the rules of RFC 4287."""
    root = etree.fromstring(octets, etree.XMLParser(resolve_entities=False, no_network=True))
    assert root.tag == f"{{{ATOM}}}feed"
    for element in root.iter():
        name = etree.QName(element).localname
        children = [etree.QName(child).localname for child in element]
        assert set(children) <= NAMES.get(name, set()), "nothing that nobody knows, and no markup in a text"
        if name in ("feed", "entry"):
            assert all(children.count(one) == 1 for one in ONE)
        if name == "updated":
            assert datetime.fromisoformat(str(element.text)).utcoffset() == timedelta(0)
        if name == "id":
            assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", str(element.text))
    assert root.find(f"{{{ATOM}}}author") is not None, "an entry without authors has those of the feed"
    ids = [str(one.text) for one in root.iter(f"{{{ATOM}}}id")]
    assert len(ids) == len(set(ids))
    [own] = root.findall(f"{{{ATOM}}}link")
    assert (own.get("rel"), own.get("type")) == ("self", MEDIA_TYPE)
    for link in root.iterfind(f"{{{ATOM}}}entry/{{{ATOM}}}link"):
        assert (link.get("rel"), safe_url(str(link.get("href")))) == ("alternate", link.get("href"))
    return root


def titles(answer: Answer) -> list[str]:
    return [str(one.text) for one in checked(answer.body).iterfind(f".//{{{ATOM}}}entry/{{{ATOM}}}title")]


def path_of(site: Site, email: str = READER) -> str:
    stored = site.room.store.subscribers.find(email)
    return f"/f/{feed_token(site.room.store.editions.key(), stored.pk, stored.subscriber.email)}"


async def test_feed_has_what_was_mailed_and_what_came_since(site: Site) -> None:
    site.room.ingest([Paper("arXiv:2401.00001", "An Agent", ("Ada",), "It acts."), Paper("x:1", "A Nest")], MONDAY)
    publish(site.room.store, snapshot(), MONDAY)
    site.room.ingest([Paper("arXiv:2401.00002", "A Later Agent")], LATER)
    answer = await site.get(path_of(site))
    assert titles(answer) == ["A Later Agent", "An Agent"]
    assert b"Matches: agent" in answer.body
    assert (answer.header("X-Robots-Tag"), answer.header("Content-Type")) == (
        "noindex", "application/atom+xml",
    )  # fmt: skip
    again = await site.get(path_of(site), If_None_Match=str(answer.header("ETag")))
    assert (again.status, again.body) == (304, b"")
    assert path_of(site).encode() in (await site.get(f"{site.path}/preferences")).body.replace(b"../../f/", b"/f/")


async def test_feed_of_who_rests_goes_on_and_of_who_left_does_not(site: Site) -> None:
    path = path_of(site)
    for state, seen in ((SubscriberState.PAUSED, ["An Agent"]), (SubscriberState.UNSUBSCRIBED, [])):
        site.room.store.subscribers.set_state(READER, state, Origin.READER, MONDAY)
        site.room.ingest([Paper("arXiv:2401.00001", "An Agent")], MONDAY)
        assert titles(await site.get(path)) == seen
    await site.fill(f"{site.path}/preferences", action="forget-all")
    assert (await site.get(path)).status == 404


async def test_feed_names_itself_wherever_a_proxy_has_put_it(site: Site) -> None:
    path = path_of(site)
    own = checked((await site.get(path)).body).find(f"{{{ATOM}}}link")
    assert own is not None
    for address in (f"https://papers.example.org{path}", f"https://example.org/papers{path}"):
        assert urljoin(address, own.get("href")) == address


async def test_feed_token_opens_the_feed_alone(site: Site) -> None:
    token = path_of(site).removeprefix("/f/")
    assert (await site.get(f"/u/{token}")).status == 404
    assert (await site.post(path=f"/u/{token}")).status == 404
    assert (await site.get(f"/f/{site.token}")).status == 404
    other = token[:-1] + ("A" if token[-1] != "A" else "B")
    assert (await site.get(f"/f/{other}")).status == 404
    assert (await site.post(path=f"/f/{token}")).status == 405


@pytest.mark.parametrize("name", HOSTILE)
def test_feed_of_hostile_texts_is_a_feed(name: str) -> None:
    text = HOSTILE[name]
    paper = Paper(f"x:{text}", text, (text, "Ada"), text, text, categories=(text,), source=text)
    octets = atom("1.x", [Item(paper, (text, "agent"), MONDAY)], MONDAY)
    checked(octets)
    assert len(octets) < 40_000


def test_feed_is_bounded_ordered_and_the_same_again() -> None:
    items = [Item(Paper(f"x:{number}", f"T{number}"), (), MONDAY + timedelta(hours=number)) for number in range(120)]
    both = merged(items, reversed(items))
    assert [item.paper.id for item in both] == [f"x:{number}" for number in range(119, 119 - MOST, -1)]
    assert atom("1.x", both, MONDAY) == atom("1.x", both, LATER), "nothing new is nothing changed"
    checked(atom("1.x", [], MONDAY))
