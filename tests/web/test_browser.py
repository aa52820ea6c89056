"""The pages in a real browser: without JavaScript, on a phone and on a desktop, in the light and in the dark."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.browser import chromium
from support.web_site import Site

from digestd.model import Origin, SubscriberState
from digestd.resources import shipped

pytestmark = pytest.mark.slow

COLOUR = re.compile(r"--([a-z-]+): (#[0-9a-f]{6})")


async def opened(browser: Any, site: Site, width: int, scheme: str) -> Any:
    """Open the reader's page as a reader does, with JavaScript off."""
    context = await browser.new_context(
        viewport={"width": width, "height": 740}, color_scheme=scheme, java_script_enabled=False
    )
    page = await context.new_page()
    await page.goto(f"http://127.0.0.1:{site.port}{site.path}")
    return page


@pytest.mark.peer
async def test_page_in_a_browser_without_javascript_pauses_resumes_and_unsubscribes(site: Site) -> None:
    async with chromium() as browser:
        page = await opened(browser, site, 360, "dark")
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        await page.reload()
        for button, heading, state in (
            ("Pause for two weeks", "Your mail is paused.", SubscriberState.PAUSED),
            ("Resume", "You get papers again.", SubscriberState.ACTIVE),
            ("Unsubscribe", "You are unsubscribed.", SubscriberState.UNSUBSCRIBED),
            ("Subscribe again", "You get papers again.", SubscriberState.ACTIVE),
        ):
            await page.get_by_role("button", name=button, exact=True).click()
            assert await page.get_by_role("heading", level=1).inner_text() == heading
            assert site.state == (state, Origin.READER)
            if button == "Resume":
                await page.goto(page.url)  # a reader opens the link again
        assert complaints == [], "the page keeps its own policy"


@pytest.mark.peer
async def test_page_in_a_browser_fits_its_window_and_is_styled(site: Site) -> None:
    async with chromium() as browser:
        for width, scheme, ground in (
            (1280, "light", "rgb(243, 241, 236)"),
            (1280, "dark", "rgb(19, 20, 22)"),
            (320, "light", "rgb(255, 254, 251)"),  # on a phone the sheet is the page
            (320, "dark", "rgb(28, 30, 33)"),
        ):
            page = await opened(browser, site, width, scheme)
            assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == ground
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
            for name in ("Unsubscribe", "Pause for two weeks"):
                button = await page.get_by_role("button", name=name).bounding_box()
                assert button["height"] >= 48, "large enough for a thumb"
                assert 0 <= button["x"] <= width - button["width"]


def test_style_has_contrast_enough_in_both_schemes() -> None:
    """WCAG 2.2, 1.4.3 and 1.4.11: 4.5 for text, 3 for what shows where a control is."""
    style = (shipped("templates") / "web/style.css").read_text("utf-8")
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    for scheme in (dict(COLOUR.findall(light)), dict(COLOUR.findall(dark))):
        for text in ("ink", "text", "soft"):
            assert contrast(scheme[text], scheme["sheet"]) >= 4.5, text
        for ground in ("main", "main-hover"):
            assert contrast(scheme["on-main"], scheme[ground]) >= 4.5, ground
        for edge in ("edge", "main", "focus"):
            assert contrast(scheme[edge], scheme["sheet"]) >= 3, edge


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    channels = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
