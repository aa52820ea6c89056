"""Make the README's pictures, docs/edition.png and docs/subscribe.png, and screenshots to look at.

Run by `make picture`. The edition is one that `digestd demo` delivers, read back from the file its mail server wrote;
the subscribe page is served over the seeds, and typed into. The browser is a headless Chromium (Debian: `apt install
chromium fonts-roboto-unhinted fonts-crosextra-caladea`), driven by playwright. Screenshots at 360 and 700 pixels, light
and dark, go to the folder given as the first argument, or nowhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from digestd.demo import demo
from digestd.ingest.stage import ingest_file
from digestd.model import Sender, Snapshot
from digestd.resources import mail_templates, shipped
from digestd.store.base import Limits
from digestd.store.open import SqliteStore
from digestd.web.app import application
from digestd.web.server import serve_web
from digestd.web.signup import Opening

PICTURE = Path(__file__).with_name("edition.png")
SUBSCRIBE = Path(__file__).with_name("subscribe.png")
TYPED = 'agent, "red teaming", title:robot*, -medical'
MORNING = datetime(2026, 5, 20, 7, 0, tzinfo=UTC)
READER = "ada@example.org"  # of config/subscribers.toml


def edition_page(folder: Path) -> Path:
    """Run the demo and return the HTML part of one reader's digest, as a page."""
    digest = next(path for path in demo([], folder, MORNING).messages if READER in path.name)
    message = email.message_from_bytes(digest.read_bytes(), policy=email.policy.default)
    body = message.get_body(("html",))
    assert body is not None
    page = folder / "edition.html"
    page.write_text(body.get_content(), encoding="utf-8")
    return page


@contextlib.contextmanager
def subscribe_page(folder: Path) -> Iterator[str]:
    """Serve the pages over the papers of the seeds; yields the address of the subscribe page."""
    store = SqliteStore(folder / "pages.db")
    for digest in shipped("seeds").glob("*.txt"):
        ingest_file(store.papers, digest, 10_000_000, MORNING)
    snapshot = Snapshot(mail_templates(None), Sender("papers@example.org", "Papers for you", "", "", ""))
    opening = Opening(lambda: snapshot, Limits(1, 1, 1))
    app = application(store, lambda: MORNING, opening=opening)
    ready: Future[int] = Future()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    serving = threading.Thread(
        target=lambda: loop.run_until_complete(serve_web(app, "127.0.0.1", 0, stop, ready.set_result))
    )
    serving.start()
    try:
        yield f"http://127.0.0.1:{ready.result(10)}/"
    finally:
        loop.call_soon_threadsafe(stop.set)
        serving.join()
        store.close()


def photograph_subscribe(browser: Browser, address: str, target: Path, width: int, scheme: str, scale: int = 1) -> None:
    """Write the subscribe page with something typed into it."""
    context = browser.new_context(
        viewport={"width": width, "height": 1400},
        color_scheme="dark" if scheme == "dark" else "light",
        device_scale_factor=scale,
        timezone_id="Europe/Berlin",
    )
    tab = context.new_page()
    tab.goto(address)
    tab.get_by_label("What do you follow?").fill(TYPED)
    tab.locator("article.card").first.wait_for()
    tab.screenshot(path=target)
    context.close()


def photograph(
    browser: Browser, page: Path, target: Path, width: int, height: int, scheme: str, scale: int = 1
) -> None:
    """Write the first `height` pixels of a page, `width` wide, in a `light` or `dark` colour scheme."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        device_scale_factor=scale,
    )
    tab = context.new_page()
    tab.goto(page.as_uri())
    tab.screenshot(path=target)
    context.close()


def main() -> None:
    """Render, and photograph."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("docs/picture.py: no Chromium found; on Debian: apt install chromium")
    with tempfile.TemporaryDirectory() as folder:
        page = edition_page(Path(folder))  # before the browser, whose driver occupies the event loop
        with subscribe_page(Path(folder)) as address:
            photograph_all(page, address, chromium)


def photograph_all(page: Path, address: str, chromium: str) -> None:
    """Write the README's picture, and the others where a folder was named."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        photograph(browser, page, PICTURE, 720, 900, "light", scale=2)
        photograph_subscribe(browser, address, SUBSCRIBE, 720, "light", scale=1)
        if len(sys.argv) > 1:
            looks = Path(sys.argv[1])
            looks.mkdir(parents=True, exist_ok=True)
            for width in (360, 700):
                for scheme in ("light", "dark"):
                    photograph(browser, page, looks / f"edition-{width}-{scheme}.png", width, 1600, scheme)
                    photograph_subscribe(browser, address, looks / f"subscribe-{width}-{scheme}.png", width, scheme)
        browser.close()


if __name__ == "__main__":
    main()
