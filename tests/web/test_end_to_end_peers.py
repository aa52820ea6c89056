"""From the subscribe page to the last unsubscription: the real daemon, Postfix, Dovecot and Chromium, on loopback."""

from __future__ import annotations

import asyncio
import email
import re
import shutil
import socket
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from support.browser import chromium
from support.editions import SEEDS
from support.peers import MailPeers, mail_peers
from support.serving import Served, serving

pytestmark = pytest.mark.slow

__all__ = ["mail_peers"]


@asynccontextmanager
async def running(peers: MailPeers, folder: Path) -> AsyncIterator[tuple[Served, str]]:
    """A daemon with web pages, fed with the seeds; yields it and the address of its pages."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    site = f"http://127.0.0.1:{port}"
    (folder / "subscribers.toml").write_text("")
    config = folder / "digestd.toml"
    config.write_text(
        f'[paths]\ninbox = "inbox"\n[ingest]\nsettle_seconds = 0\n[schedule]\ntick_seconds = 0.5\n'
        f'[smtp]\nhost = "127.0.0.1"\nport = {peers.smtp_port}\ntls = "none"\n'
        f'[mail]\nfrom_address = "papers@example.test"\npublic_url = "{site}"\n[web]\nport = {port}\n'
    )
    async with serving(config) as served:
        await served.says("event=web-serving")
        shutil.copy(SEEDS, folder / "papers.txt")
        (folder / "papers.txt").rename(folder / "inbox" / "papers.txt")
        await served.says("event=file-ingested")
        yield served, site


async def mail(peers: MailPeers, address: str, number: int, subject: str) -> EmailMessage:
    """Return the message of a subject once `number` have arrived for somebody, read by IMAP."""
    raw = await asyncio.to_thread(peers.mailbox, address, number)
    messages = [email.message_from_bytes(one, policy=default) for one in raw]
    assert len(messages) == number, [str(one["Subject"]) for one in messages]
    [found] = [one for one in messages if str(one["Subject"]).startswith(subject)]
    assert isinstance(found, EmailMessage)
    return found


def link(message: EmailMessage, part: str) -> str:
    """Return the link in a message's text that holds `part`, the shortest where others go on from it."""
    body = message.get_body(("plain",))
    assert body is not None
    found = [str(one) for one in re.findall(r"http://\S+", body.get_content()) if part in one]
    return min(found, key=len)


async def post(url: str) -> int:
    """Post as a mail program does (RFC 8058)."""

    def sent() -> int:
        request = urllib.request.Request(url, b"List-Unsubscribe=One-Click", method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)

    return await asyncio.to_thread(sent)


@pytest.mark.peer
@pytest.mark.parametrize("script", [True, False], ids=["javascript", "no-javascript"])
async def test_reader_signs_up_reads_changes_rests_and_leaves(
    mail_peers: MailPeers, tmp_path: Path, script: bool
) -> None:
    address = f"end-to-end-{script}@example.test".lower()
    async with chromium() as browser, running(mail_peers, tmp_path) as (served, site):
        context = await browser.new_context(java_script_enabled=script, timezone_id="America/New_York")
        page = await context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        await page.goto(site)
        await page.get_by_label("What do you follow?").fill("agent, telecom*")
        if not script:
            await page.get_by_role("button", name="Show what would come").click()
        await page.locator("article.card").first.wait_for()
        assert await page.locator("mark").count() > 0
        zone = await page.get_by_label("In which time zone?").input_value()
        assert zone == ("America/New_York" if script else "UTC")
        await page.get_by_label("Your e-mail address").fill(address)
        await page.get_by_label("Your e-mail address").press("Enter")
        assert await heading(page) == "Check your inbox"

        question = await mail(mail_peers, address, 1, "Please confirm")
        await page.goto(link(question, "/c/"))
        await page.get_by_role("button", name="Yes, send me papers").click()
        assert await heading(page) == "Welcome!"

        await mail(mail_peers, address, 3, "Welcome")
        digest = await mail(mail_peers, address, 3, "agent, telecom*: ")

        await page.goto(link(digest, "/preferences"))
        before = await page.locator("#count").inner_text()
        await page.get_by_label("What do you follow?").fill("telecom*")
        if not script:
            await page.get_by_role("button", name="Show what would come").click()
        await changed(page, before)
        await page.get_by_role("button", name="Save").click()
        assert await page.get_by_role("status").first.inner_text() == "Saved. Your next mail follows it."
        await page.get_by_role("button", name="Pause for two weeks").click()
        assert "Your mail is paused until" in await page.locator(".lead").inner_text()

        await page.goto(link(digest, "/editions/"))
        assert "agent" in (await page.locator("h1").inner_text()).lower()
        url = re.search(r"<(http[^>]+)>", str(digest["List-Unsubscribe"]))
        assert url is not None
        assert [await post(url[1]) for _ in range(3)] == [200, 200, 200]
        await page.goto(url[1])
        assert await heading(page) == "You are unsubscribed."
        assert complaints == []
        assert len(mail_peers.mailbox(address, 3)) == 3, "no mail after leaving"
        assert await served.stopped() == 0


async def heading(page: Any) -> str:
    text: str = await page.get_by_role("heading", level=1).inner_text()
    return text


async def changed(page: Any, before: str) -> None:
    """Wait until the preview says something else."""
    async with asyncio.timeout(20):
        while await page.locator("#count").inner_text() == before:
            await asyncio.sleep(0.05)
