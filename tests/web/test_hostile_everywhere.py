"""What must be harmless, in every field of papers and people, shown everywhere: mail, page, feed, log, terminal.

All of it goes the real way once, from a digest file to the relay; each test looks at one place where it comes out.
"""

from __future__ import annotations

import asyncio
import contextlib
import email
import io
import json
import os
import re
from email.policy import default
from pathlib import Path
from urllib.parse import quote

import pytest
import structlog
from lxml import etree
from support.command_line import command
from support.hostile import HOSTILE
from support.pages import Page
from support.smtp_script import SmtpScript
from support.web_site import served, token_of
from support.world import World

from digestd.config import Operator
from digestd.ingest.inbox import shown as shown_name
from digestd.model import Origin, Profile, Subscriber, WeightedQuery
from digestd.publish.links import safe_url
from digestd.publish.tokens import feed_token
from digestd.service.build import operator_site
from digestd.service.logs import configure, log_file, log_outcome
from digestd.web.app import application

UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029\ud800-\udfff]"
)
HARMFUL = {"script", "img", "iframe", "object", "embed", "link", "base", "svg"}
HEADERS = {
    "message-id", "date", "from", "to", "subject", "list-id", "list-help", "list-owner", "list-archive", "reply-to",
    "list-unsubscribe", "list-unsubscribe-post", "auto-submitted", "precedence", "x-auto-response-suppress",
    "feedback-id", "mime-version", "content-language", "content-type", "in-reply-to", "references",
}  # fmt: skip

Places = dict[str, dict[str, str]]


class _Room:
    """A world as `token_of` knows it."""

    def __init__(self, world: World) -> None:
        self.store = world.store


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    """Everything that was shown, by place and by what showed it."""
    folder = tmp_path_factory.mktemp("hostile")
    log = io.StringIO()
    with contextlib.redirect_stderr(log):
        configure("debug")
        try:
            found = asyncio.run(shown(folder))
        finally:
            structlog.reset_defaults()
    return {**found, "log": {str(number): line for number, line in enumerate(log.getvalue().splitlines())}}


async def shown(folder: Path) -> Places:
    """Take papers and people made of hostile texts all the way, and return what came out."""
    found: Places = {"mail": {}, "envelope": {}, "page": {}, "operator": {}, "feed": {}, "terminal": {}}
    async with SmtpScript() as relay:
        world = World(folder, relay)
        try:
            people(world)
            records = [paper(number, text) for number, text in enumerate(HOSTILE.values())]
            (folder / "inbox" / "odd \x1b[31m\u202e.jsonl").write_text(
                "\n".join(map(json.dumps, [*records, {"title": 1}]))
            )
            (folder / "inbox" / "none <b>.txt").write_text("What is this?\n")
            for number, text in enumerate(HOSTILE.values()):
                (folder / "inbox" / named(number, text)).write_text("What is this?\n")
            for report in world.rounds.ingest(wait=lambda _: None):
                log_file(report)
            world.publish()
            await world.rounds.deliver(told=log_outcome)
            for number, message in enumerate(relay.messages):
                found["mail"][str(number)] = message.octets.decode("ascii")
                found["envelope"][str(number)] = "\n".join(message.recipients)
            await pages(world, found)
            terminal(world, found["terminal"])
        finally:
            world.close()
    return found


def paper(number: int, text: str) -> dict[str, object]:
    titled = {"id": f"x:{number} {text}", "title": f"agent {text}", "abstract": f"agent {text}", "authors": [text] * 9}
    return {**titled, "url": text, "pdf": text, "code": text, "categories": [text], "source": text}


def named(number: int, text: str) -> str:
    """Return a file name of a text, as far as a file can have it."""
    octets = text.replace("/", "\\").replace("\0", "").encode("utf-8", "surrogatepass")[:100]
    return os.fsdecode(b"%d " % number + octets + b".txt")


def address(number: int, text: str) -> str:
    """Return an address of a text, as no form would take it; who writes to the store by hand might."""
    return f"{number}{storable(text)[:100]}@example.org"


def storable(text: str) -> str:
    return text.replace("\ud800", "").replace("\0", "")


def people(world: World) -> None:
    world.settings.subscribers.write_text("")
    world.store.grammar.read_with("older")  # which read the words below: this version finds them by itself
    for number, text in enumerate(HOSTILE.values()):
        said = storable(text)
        profile = Profile(f"P {said}", (WeightedQuery("agent"), WeightedQuery(f"{said} (")), (f"{said} )",))
        for to in (f"x{number}@example.org", address(number, text)):
            world.store.subscribers.add(Subscriber(to, said, profiles=(profile,)), Origin.READER, world.now)


async def pages(world: World, found: Places) -> None:
    """Ask for every page of some readers, and of the operator."""
    key, store = world.store.editions.key(), world.store
    ways: dict[str, list[str]] = {
        "page": [],
        "feed": [],
        "operator": ["/", "/outbox", "/outbox?state=sent", "/outbox?state=failed", "/people", "/quarantine"],
    }
    for name in ("x0", "x9", "x20"):
        stored = store.subscribers.find(f"{name}@example.org")
        own = f"/u/{token_of(_Room(world), stored.subscriber.email)}"  # type: ignore[arg-type]
        online = [f"{own}/editions/{one.id}" for one in store.readers.history(stored.pk, 9)]
        ways["page"] += [own, f"{own}/preferences", f"{own}/export", f"{own}/learned", *online]
        ways["feed"].append(f"/f/{feed_token(key, stored.pk, stored.subscriber.email)}")
        ways["operator"] += [
            f"/people/{stored.pk}",
            f"/people/{stored.pk}?paper=x:0",
            f"/people/{stored.pk}?paper=agent",
        ]
    for number, text in enumerate(HOSTILE.values()):
        stored = store.subscribers.find(address(number, text))
        ways["page"].append(f"/u/{token_of(_Room(world), stored.subscriber.email)}")  # type: ignore[arg-type]
        ways["operator"].append(f"/people/{stored.pk}")
        ways["operator"].append(f"/quarantine/{quote(shown_name(named(number, text)))}")
    settings = world.settings.model_copy(update={"operator": Operator()})
    desk = operator_site(lambda: settings, store, lambda: world.now, dict, lambda: None)
    async with served(application(store, lambda: world.now)) as readers, served(desk) as operators:
        for place, paths in ways.items():
            for path in paths:
                found[place][path] = await asked(operators if place == "operator" else readers, path)


async def asked(port: int, path: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    octets = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    head, _, body = octets.partition(b"\r\n\r\n")
    assert b" 200 " in head.split(b"\r\n")[0], (path, head[:80])
    return body.decode("utf-8")


def terminal(world: World, found: dict[str, str]) -> None:
    folder = world.folder
    config = folder / "digestd.toml"
    config.write_text(
        '[paths]\ninbox = "inbox"\narchive = "archive"\nquarantine = "quarantine"\ndatabase = "digestd.db"\n'
        '[smtp]\nhost = "127.0.0.1"\nport = 1\ntls = "none"\n[mail]\nfrom_address = "papers@example.org"\n'
    )
    run = command(world.folder)
    for arguments in (
        ["outbox", "list", "--state", "sent"],
        ["outbox", "list", "--state", "failed"],
        ["subscribers", "list"],
        ["subscribers", "show", "x9@example.org"],
        ["why", "x9@example.org", "agent"],
        ["search", "agent"],
        ["quarantine", "list"],
        ["status"],
        ["parse", *(str(folder / f" {named(number, text)}") for number, text in enumerate(HOSTILE.values()))],
    ):
        result = run(*arguments)
        found[" ".join(arguments)] = result.stdout + result.stderr


def test_addresses_of_hostile_texts_get_no_mail_but_what_is_addressed_to_them_alone(places: Places) -> None:
    envelopes = places["envelope"]
    assert len(envelopes) == len(places["mail"])
    for number, recipients in envelopes.items():
        [one] = recipients.split("\n")
        assert one.endswith("@example.org"), (number, one)
        assert not UNSAFE.search(one), (number, one)


def test_mails_are_whole_with_every_header_our_own(places: Places) -> None:
    assert len(places["mail"]) >= 2 * len(HOSTILE) - 2, "a digest and a letter for nearly everybody"
    for octets in places["mail"].values():
        assert max(map(len, octets.split("\r\n"))) <= 998
        message = email.message_from_string(octets, policy=default)
        assert {name.lower() for name in message.keys()} <= HEADERS  # noqa: SIM118 - a message is no mapping
        assert len(message.get_all("To")) == 1
        for part in message.walk():
            if part.get_content_type() == "text/html":
                harmless(part.get_content())
            elif part.get_content_type() == "text/plain":
                assert not UNSAFE.search(part.get_content().replace("\r", ""))


@pytest.mark.parametrize("place", ["page", "operator"])
def test_pages_have_no_tag_and_no_link_but_their_own(places: Places, place: str) -> None:
    for path, html in places[place].items():
        if path.endswith("/export"):
            assert json.loads(html)
        else:
            harmless(html, scripts=int(path.endswith("/preferences")))


def test_feeds_are_well_formed_and_plain(places: Places) -> None:
    for octets in places["feed"].values():
        root = etree.fromstring(octets.encode(), etree.XMLParser(resolve_entities=False, no_network=True))
        assert len(root) > 20
        assert all(safe_url(str(link.get("href"))) for link in root.iterfind("{*}entry/{*}link"))


@pytest.mark.parametrize("place", ["log", "terminal"])
def test_lines_move_no_cursor_and_are_each_their_own(places: Places, place: str) -> None:
    assert sum(map(len, places[place].values())) > 2_000
    for name, text in places[place].items():
        assert not UNSAFE.search(text), name
    if place == "log":
        assert all(re.match(r"timestamp=\S+ level=\w+ event=\S+", line) for line in places[place].values())


def harmless(html: str, scripts: int = 0) -> None:
    """Hold a page against what no text of others may bring along."""
    page = Page(html)  # fails on a tag that is not closed
    assert page.tags.count("script") == scripts
    assert not (HARMFUL - {"script", "svg"}) & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    for link in page.links:
        assert re.match(r"(https?://|mailto:|[\w.?#/][\w.?=&%/+:@;,\-]*$)", link), link
        assert not re.match(r"\s*(javascript|data|vbscript):", link, re.IGNORECASE), link
    assert not UNSAFE.search(html.replace("\r", ""))
