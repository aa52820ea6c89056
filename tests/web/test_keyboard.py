"""Every page by the keyboard alone, in a real browser: what it is for can be reached, seen to be reached, and done.

The operator's pages are those of a running `digestd serve`.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from support.browser import chromium
from support.editions import SENDER, seed_papers, snapshot
from support.pages import Page
from support.serving import serving
from support.store_room import MONDAY
from support.web_site import Site, token_of
from support.world import reader

from digestd.letters import LetterKind
from digestd.model import OutboxState, SubscriberState
from digestd.publish.render import render
from digestd.publish.stage import publish

pytestmark = [pytest.mark.slow, pytest.mark.peer]

NEW = "keys@example.net"
STEPS = 80  # of Tab; no page has as many places
# What has the focus, and whether one sees it: by the page's own outline, or by the browser's.
FOCUS = """() => {
  const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect();
  const label = one.labels && one.labels.length && one.tagName !== "BUTTON" ? one.labels[0].innerText : "";
  return {
    name: (one.getAttribute("aria-label") || label || one.innerText || "").trim(),
    seen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1
      && box.width > 0 && box.height > 0 && box.right > 0,
    end: one === document.body,
  };
}"""


class Keys:
    """A page that nobody touches with a mouse."""

    def __init__(self, page: Any) -> None:
        self.page = page

    async def to(self, name: str) -> None:
        """Go on to what is called so, and see every place on the way."""
        passed = []
        for _ in range(STEPS):
            await self.page.keyboard.press("Tab")
            focus = await self.page.evaluate(FOCUS)
            if focus["end"]:
                continue  # past the last place the browser itself has the focus
            passed.append(focus["name"])
            assert focus["seen"], f"nobody sees that the focus is on {focus['name']!r}"
            if focus["name"].startswith(name):
                return
        raise AssertionError(f"no way to {name!r}, only to {passed}")

    async def press(self, name: str, key: str = "Enter") -> None:
        """Go there and press it; the page that follows is there afterwards."""
        await self.to(name)
        async with self.page.expect_navigation():
            await self.page.keyboard.press(key)

    async def write(self, name: str, text: str) -> None:
        """Go there and write, instead of what stands there."""
        await self.to(name)
        await self.page.keyboard.press("Control+A")
        await self.page.keyboard.type(text)

    async def heading(self) -> str:
        return str(await self.page.get_by_role("heading", level=1).inner_text())


async def test_every_page_of_a_reader_works_by_the_keyboard_alone(site: Site) -> None:
    site.room.ingest(seed_papers(), MONDAY)
    address = f"http://127.0.0.1:{site.port}"

    def person() -> tuple[SubscriberState, tuple[str, ...]]:
        found = site.room.store.subscribers.find(NEW).subscriber
        return found.state, tuple(str(one.cadence) for one in found.profiles)

    async with chromium() as browser:
        keys = Keys(await (await browser.new_context()).new_page())
        await keys.page.goto(address)
        await keys.write("What do you follow?", "agent")
        await keys.to("Tue")
        await keys.page.keyboard.press("Space")
        await keys.write("Your e-mail address", NEW)
        await keys.press("Get papers")
        assert await keys.heading() == "Check your inbox"

        [letter] = [one for one in site.room.editions(NEW) if one.letter and one.letter.kind is LetterKind.CONFIRM]
        [confirm] = {link for link in Page(render(letter, snapshot()).html).links if "/c/" in link}
        await keys.page.goto(address + confirm.removeprefix(SENDER.public_url))
        await keys.press("Yes, send me papers", "Space")
        assert await keys.heading() == "Welcome!"
        [profile] = site.room.store.subscribers.find(NEW).subscriber.profiles
        assert profile.days == ("mon", "wed", "thu", "fri")

        await keys.press("See and change what you follow")
        assert await keys.heading() == "What you follow"
        await keys.write("What do you follow?", "robot*")
        await keys.to("Daily")
        await keys.page.keyboard.press("ArrowRight")
        await keys.press("Save")
        assert "Saved." in await keys.page.locator(".said").inner_text()
        assert person() == (SubscriberState.ACTIVE, ("weekly",))
        await keys.press("Pause for two weeks", "Space")
        assert person()[0] is SubscriberState.PAUSED
        await keys.press("Resume")
        assert person()[0] is SubscriberState.ACTIVE

        publish(site.room.store, snapshot(), site.now)
        edition = next(one for one in reversed(site.room.editions(NEW)) if one.letter is None)
        own = f"{address}/u/{token_of(site.room, NEW)}"
        await keys.page.goto(f"{own}/editions/{edition.id}/tune")
        await keys.press("More like this: ")
        assert await keys.page.locator("button[aria-pressed=true]").count() == 1
        await keys.press("Turn it off, or forget it")
        await keys.press("Turn it off", "Space")
        assert (await keys.page.locator(".said").inner_text()).startswith("Turned off.")

        await keys.page.goto(f"{own}/editions/{edition.id}")  # the mail, read online
        await keys.to("Unsubscribe")
        await keys.page.goto(own)
        await keys.press("Unsubscribe")
        assert (await keys.heading(), person()[0]) == ("You are unsubscribed.", SubscriberState.UNSUBSCRIBED)
        await keys.press("Subscribe again", "Space")
        assert person()[0] is SubscriberState.ACTIVE
        await keys.press("See and change what you follow")
        await keys.press("Delete everything about me")
        await keys.press("Delete everything")
        assert await keys.heading() == "Everything about you is deleted."


async def test_every_page_of_the_operator_works_by_the_keyboard_alone_in_a_running_serve(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = tmp_path / "digestd.toml"
    (tmp_path / "password").write_text("correct horse\n")
    (tmp_path / "subscribers.toml").write_text(reader("ada", "agent"))
    config.write_text(
        '[paths]\ninbox = "inbox"\nquarantine = "quarantine"\ndatabase = "digestd.db"\n[ingest]\nsettle_seconds = 0\n'
        '[smtp]\nhost = "127.0.0.1"\nport = 1\ntls = "none"\n[mail]\nfrom_address = "papers@example.org"\n'
        f'[operator]\nport = {port}\npassword_file = "password"\n'
    )
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "notes.txt").write_text("What is this?\n")
    (tmp_path / "inbox" / "one.jsonl").write_text(json.dumps({"id": "arXiv:2401.00001", "title": "An Agent"}) + "\n")
    async with serving(config) as served, chromium() as browser:
        await served.says("event=operator-serving")
        await served.says("event=published")
        await served.says("event=file-refused")
        keys = Keys(await (await browser.new_context()).new_page())
        await keys.page.goto(f"http://127.0.0.1:{port}/")
        assert await keys.heading() == "Log in"
        assert (await keys.page.evaluate(FOCUS))["name"] == "Password"
        await keys.page.keyboard.type("wrong")
        await entered(keys)
        assert "This is not the password." in await keys.page.locator(".wrong").inner_text()
        await keys.page.keyboard.type("correct horse")
        await entered(keys)
        assert await keys.heading() in ("Nothing needs you", "digestd needs you")

        await keys.press("Outbox")
        await keys.press("1")  # the edition's number
        assert await keys.heading() == "Edition 1"
        await keys.press("Cancel", "Space")
        await said(keys, "event=operator-did", served.says)
        assert str(OutboxState.CANCELLED) in await keys.page.locator(".facts").inner_text()

        await keys.press("People")
        await keys.write("A part of the address or the name", "ada")
        await entered(keys)
        await keys.press("ada@example.org")
        await keys.press("Pause", "Space")
        assert "paused" in await keys.page.locator(".facts").inner_text()
        await keys.write("An id, a link, or a piece of the title", "An Agent")
        await entered(keys)
        assert await keys.page.locator("p.said").inner_text() == "An Agent"

        await keys.press("Quarantine")
        await keys.press("notes.txt")
        assert "What is this?" in await keys.page.locator("main").inner_text()
        await keys.press("Quarantine")
        await keys.press("Take it again")
        await served.says("event=file-refused", 2)
        await keys.press("Log out")
        assert await keys.heading() == "Log in"
        assert await served.stopped() == 0
        assert "correct horse" not in served.log


async def entered(keys: Keys) -> None:
    """Press Enter in a field."""
    async with keys.page.expect_navigation():
        await keys.page.keyboard.press("Enter")


async def said(keys: Keys, words: str, says: Callable[[str], Awaitable[None]]) -> None:
    """Wait for words in the log, and find them on the page too."""
    await says(words)
    assert await keys.page.locator(".said").count() == 1
