"""Announcements by mail: as a mail server delivers them to the inbox, and as docs/formats.md tells to put them in."""

from __future__ import annotations

import re
import smtplib
import subprocess
import time
from email.message import EmailMessage
from pathlib import Path

import pytest
from support.inbox_room import ingest, names
from support.peers import WAIT_LIMIT, MailPeers, mail_peers
from support.world import World

__all__ = ["mail_peers"]
DAILY = (Path(__file__).parent / "formats" / "arxiv-mail" / "daily.txt").read_text()
PAPERS = 4  # and an entry that lost its title
DOCS = Path(__file__).parents[2] / "docs" / "formats.md"


def announcement() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "no-reply@arxiv.example", "list@example.test", "cs daily"
    message.set_content(DAILY, cte="quoted-printable")
    return message


def forwarded(*, attached: bool) -> EmailMessage:
    """Return the announcement as a person forwards it: as an attachment, or as text with marks of quotation."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "me@example.test", "intake@papers.test", "Fwd: cs daily"
    if attached:
        message.set_content("See below.")
        message.add_attachment(announcement())
    else:
        quoted = "".join(f"> {line}" if line.strip() else ">\n" for line in DAILY.splitlines(keepends=True))
        message.set_content(f"See this!\n\nOn Tue, somebody wrote:\n{quoted}\n-- \nMe\n")
    return message


FORMS = pytest.mark.parametrize("message", [announcement(), forwarded(attached=True), forwarded(attached=False)])


@FORMS
def test_message_in_a_maildir_is_ingested_and_put_away(world: World, message: EmailMessage) -> None:
    for folder in ("tmp", "new", "cur"):
        (world.settings.paths.inbox / folder).mkdir()
    (world.settings.paths.inbox / "new" / "1700000000.V1I2M3.host").write_bytes(message.as_bytes())
    (world.settings.paths.inbox / "tmp" / "1700000001.V1I2M4.host").write_bytes(message.as_bytes()[:100])
    (report,) = ingest(world)
    assert (report.new, report.bad, report.refused) == (PAPERS, 1, None)
    assert names(world.settings.paths.inbox) == ["1700000001.V1I2M4.host"]
    assert names(world.settings.paths.archive) == ["1700000000.V1I2M3.host"]


def test_folder_of_files_that_is_no_maildir_is_passed_over(world: World) -> None:
    (world.settings.paths.inbox / "new").mkdir()
    (world.settings.paths.inbox / "new" / "a.eml").write_bytes(announcement().as_bytes())
    assert ingest(world) == []


@FORMS
def test_script_of_the_documentation_puts_a_message_into_the_inbox(world: World, message: EmailMessage) -> None:
    script = re.search(r"```sh\n(#!/bin/sh\n.*?)```", DOCS.read_text(), re.DOTALL)
    assert script
    there = script[1].replace("/var/lib/digestd/inbox", str(world.settings.paths.inbox))
    subprocess.run(["sh", "-c", there], input=message.as_bytes(), check=True)
    (name,) = names(world.settings.paths.inbox)
    assert name.endswith(".eml")
    assert ingest(world)[0].new == PAPERS


@pytest.mark.peer
@FORMS
def test_message_that_postfix_delivers_is_ingested(world: World, mail_peers: MailPeers, message: EmailMessage) -> None:
    with smtplib.SMTP(mail_peers.host, mail_peers.smtp_port) as line:
        line.send_message(message, "me@example.test", ["intake@papers.test"])
    until = time.monotonic() + WAIT_LIMIT
    while not list(mail_peers.inbox.glob("new/*")):
        assert time.monotonic() < until, "Postfix delivered nothing"
        time.sleep(0.02)
    world.settings.paths.inbox.rmdir()
    world.settings.paths.inbox.symlink_to(mail_peers.inbox)
    (report,) = ingest(world)
    assert (report.new, report.bad, report.refused) == (PAPERS, 1, None)
    assert names(mail_peers.inbox) == []
