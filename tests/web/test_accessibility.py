"""axe-core over every page and mail, in the light and in the dark: no violation of any of its rules.

axe-core is one file of its npm package, which .ci/run fetches; the test is skipped where it is not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.browser import chromium
from support.editions import edition, entry, paper, section, seed_papers, snapshot
from support.store_room import MONDAY, profile
from support.web_site import READER, Site, token_of

from digestd.letters import Letter, LetterKind
from digestd.model import Cadence, Origin, Subscriber
from digestd.publish.render import render
from digestd.publish.stage import publish
from digestd.resources import web_templates
from digestd.web.check import page_samples
from digestd.web.operator.check import operator_samples
from digestd.web.render import Renderer

pytestmark = pytest.mark.slow

AXE = Path(__file__).parents[2] / ".venv" / "axe-core" / "package" / "axe.min.js"
SOUND = "axe.run().then(found => found.violations.map(one => one.id + ': ' + one.nodes[0].html))"


def mails() -> dict[str, str]:
    letters = [Letter(kind, ("agent",), ("medical",), "every day at 08:00 (UTC)", "1.x") for kind in LetterKind]
    editions = {
        "digest": edition(section(entry(), entry(paper(2))), section(entry(paper(3)), profile="Robots")),
        "alert": edition(cadence=Cadence.IMMEDIATE, issue="immediate:1"),
        "empty": edition(section()),
        **{letter.kind.value: edition(letter=letter) for letter in letters},
    }
    return {name: render(one, snapshot()).html for name, one in editions.items()}


@pytest.mark.peer
async def test_axe_finds_nothing_on_any_page_or_mail(site: Site) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not here: npm pack axe-core, unpacked into .venv/axe-core")
    room = site.room
    room.ingest(seed_papers(), MONDAY)
    room.store.subscribers.add(Subscriber(READER, profiles=(profile("Robots", "robot*"),)), Origin.READER, MONDAY)
    publish(room.store, snapshot(), MONDAY)
    renderer = Renderer(web_templates(None))
    address, own = f"http://127.0.0.1:{site.port}", f"/u/{token_of(room, READER)}"
    pages = ("/", own, f"{own}/preferences", f"{own}/editions/{room.editions(READER)[0].id}", "/nothing")
    async with chromium() as browser:
        for scheme in ("light", "dark"):
            context = await browser.new_context(bypass_csp=True, color_scheme=scheme)
            page = await context.new_page()
            for path in pages:
                await page.goto(address + path)
                await sound(page, path)
            await page.goto(address)
            await page.get_by_label("What do you follow?").fill("agent, ), telecom*")
            await page.get_by_role("button", name="Get papers").click()
            assert "“)”" in await page.locator(".wrong").first.inner_text()
            await sound(page, "a form with mistakes")
            for name, html in {**mails(), **page_samples(renderer), **operator_samples(renderer)}.items():
                await page.set_content(html)
                await sound(page, name)


async def sound(page: Any, name: str) -> None:
    await page.evaluate(AXE.read_text("utf-8"))
    assert await page.evaluate(SOUND) == [], name
