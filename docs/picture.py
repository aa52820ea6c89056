"""Make the pictures of an edition: docs/edition.png for the README, and screenshots to look at.

Run by `make picture`. The edition is one that `digestd demo` delivers, read back from the file its mail
server wrote; the browser is a headless Chromium (Debian: `apt install chromium fonts-roboto-unhinted
fonts-crosextra-caladea`), driven by playwright. Screenshots at 360 and 700 pixels, light and dark, go to the
folder given as the first argument, or nowhere.
"""

from __future__ import annotations

import email
import email.policy
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from digestd.demo import demo

PICTURE = Path(__file__).with_name("edition.png")
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
        photograph_all(page, chromium)


def photograph_all(page: Path, chromium: str) -> None:
    """Write the README's picture, and the others where a folder was named."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        photograph(browser, page, PICTURE, 720, 900, "light", scale=2)
        if len(sys.argv) > 1:
            looks = Path(sys.argv[1])
            looks.mkdir(parents=True, exist_ok=True)
            for width in (360, 700):
                for scheme in ("light", "dark"):
                    photograph(browser, page, looks / f"edition-{width}-{scheme}.png", width, 1600, scheme)
        browser.close()


if __name__ == "__main__":
    main()
