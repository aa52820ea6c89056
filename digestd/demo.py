"""The whole main job with nothing to set up: a temporary store, sample readers, and a real SMTP conversation.

The receiving server runs inside the process, on a free port of loopback, and writes each message it accepts to a
file; what a person sees afterwards was read back from those files.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import tempfile
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from digestd.config import Mail, Paths, Settings, Smtp
from digestd.deliver.stage import DeliverReport
from digestd.errors import DigestdError
from digestd.ingest.stage import FileReport, ingest_file
from digestd.model import OutboxState
from digestd.resources import shipped
from digestd.service import build
from digestd.service.rounds import Rounds
from digestd.store.base import Roster, Store
from digestd.subscribers.file import read_people

MAX_BYTES = 1_000_000_000
LISTING = ".digestd-demo"  # in the folder that messages go to: what the demo wrote there
MAX_EDITIONS = 10_000  # more readers than any sample file has


@dataclass(frozen=True, slots=True)
class Placed:
    """One paper that one reader got, and the queries that found it."""

    reader: str
    profile: str
    paper: str
    why: tuple[str, ...]
    score: float


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What happened. `messages` are the files that the server wrote, `page` shows them side by side."""

    files: tuple[FileReport, ...]
    placed: tuple[Placed, ...]
    delivered: DeliverReport
    messages: tuple[Path, ...]
    page: Path


class Shelf:
    """The folder that the demo writes to. Of what stands there it replaces its own earlier files and no others.

    It keeps the names of its files in one of its own, LISTING, written before the file itself. Raises OSError.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        listing = folder / LISTING
        for name in listing.read_text("utf-8", errors="replace").splitlines() if listing.exists() else ():
            if Path(name).name == name and name.endswith((".eml", ".html")):
                (folder / name).unlink(missing_ok=True)
        listing.write_text("", "utf-8")

    def put(self, name: str, content: bytes) -> Path:
        """Write a new file, under another name where this one is taken, and return its path."""
        stem, dot, ending = name.rpartition(".")
        for number in itertools.count(1):
            path = self._folder / (name if number == 1 else f"{stem}-{number}{dot}{ending}")
            if os.path.lexists(path):
                continue
            with (self._folder / LISTING).open("a", encoding="utf-8") as listing:
                listing.write(f"{path.name}\n")
            path.write_bytes(content)
            return path
        raise AssertionError("numbers do not end")


class Mailbox:
    """A receiving SMTP server's handler: each message it accepts becomes a file, named by number and reader."""

    def __init__(self, shelf: Shelf, kept: Callable[[], None]) -> None:
        self._shelf = shelf
        self._kept = kept
        self.files: list[Path] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep a message as it came, and accept it."""
        reader = re.sub(r"[^\w.@+-]", "_", envelope.rcpt_tos[0])
        self.files.append(self._shelf.put(f"{len(self.files) + 1:02}-{reader}.eml", envelope.original_content))
        self._kept()
        return "250 2.0.0 kept"


def demo(digests: Iterable[Path], out: Path, now: datetime, step: Callable[[], None] = lambda: None) -> DemoReport:
    """Run the main job on digest files (default: the seeds) and write what readers get to the folder `out`.

    `step` is called after each file that was ingested and each message that arrived. Raises DigestdError when no
    file could be ingested, or the folder cannot be written.
    """
    files = list(digests) or sorted(shipped("seeds").glob("*.txt"))
    try:
        shelf = Shelf(out)
        with tempfile.TemporaryDirectory(prefix="digestd-demo-") as folder:
            return asyncio.run(_demo(files, shelf, now, Path(folder), step))
    except OSError as error:
        raise DigestdError(f"{error.filename or out}: {(error.strerror or str(error)).lower()}") from None


async def _demo(files: list[Path], shelf: Shelf, now: datetime, folder: Path, step: Callable[[], None]) -> DemoReport:
    mailbox = Mailbox(shelf, step)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(mailbox, hostname="demo.example.org", data_size_limit=MAX_BYTES, loop=loop), "127.0.0.1", 0
    )
    async with server:
        settings = _settings(folder, server.sockets[0].getsockname()[1])
        with closing(build.store(settings)) as store:
            rounds = Rounds(settings, store, lambda: now)
            people = read_people(settings.subscribers, settings)
            store.subscribers.sync(_awake(people.roster), now)
            reports = []
            for path in files:
                reports.append(ingest_file(store.papers, path, MAX_BYTES, now))
                step()
            if people.problems or not any(report.papers for report in reports):
                refused = [f"{report.file}: {report.refused}" for report in reports if report.refused]
                raise DigestdError("\n".join([*people.problems, *refused]))
            rounds.publish()
            delivered = await rounds.deliver()
            placed = _placed(store)
    page = shelf.put("index.html", _page(mailbox.files, reports).encode())
    return DemoReport(tuple(reports), placed, delivered, tuple(mailbox.files), page)


def _awake(roster: Roster) -> Roster:
    """Return the readers without their quiet hours: a demo shows everybody's mail at any hour."""
    return replace(roster, people=tuple(replace(person, quiet_hours=None) for person in roster.people))


def _settings(folder: Path, port: int) -> Settings:
    return Settings(
        paths=Paths(
            inbox=folder / "inbox",
            archive=folder / "archive",
            quarantine=folder / "quarantine",
            database=folder / "digestd.db",
        ),
        smtp=Smtp(host="127.0.0.1", port=port, tls="none", connections=1),  # so that messages come in one order
        mail=Mail(
            from_address="papers@example.org",
            from_name="Papers for you",
            public_url="https://papers.example.org",
        ),
        subscribers=shipped("config") / "subscribers.toml",
    )


def _placed(store: Store) -> tuple[Placed, ...]:
    """Return every paper of every edition that was sent, in the order of the editions."""
    rows = reversed(store.outbox.rows(OutboxState.SENT, MAX_EDITIONS))
    editions = store.editions.load([row.edition for row in rows], lambda subscriber, address: "")
    return tuple(
        Placed(edition.reader.email, section.profile, entry.paper.title, entry.queries, entry.score)
        for _, (edition, _) in sorted(editions.items())
        for section in edition.sections
        for entry in section.entries
    )


def _page(files: Iterable[Path], reports: Iterable[FileReport]) -> str:
    """Return the page that shows the received messages side by side."""
    environment = Environment(
        loader=FileSystemLoader(shipped("templates") / "demo"), autoescape=True, undefined=StrictUndefined
    )
    messages = [_read(path) for path in files]
    return environment.get_template("index.html.j2").render(messages=messages, files=list(reports))


def _read(path: Path) -> dict[str, str]:
    """Return what a mail program shows of a message."""
    message = BytesParser(EmailMessage, policy=policy.default).parsebytes(path.read_bytes())
    parts = {part.get_content_type(): str(part.get_content()) for part in message.walk() if not part.is_multipart()}
    return {
        "file": path.name,
        "to": str(message["To"]),
        "subject": str(message["Subject"]),
        "html": parts.get("text/html", ""),
        "text": parts.get("text/plain", ""),
    }
