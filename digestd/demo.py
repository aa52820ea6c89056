"""The whole main job with nothing to set up: a temporary store, sample readers, and a real SMTP conversation.

The receiving server runs inside the process, on a free port of loopback, and writes each message it accepts to a
file; what a person sees afterwards was read back from those files.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
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
from digestd.store.base import Store

MAX_BYTES = 1_000_000_000
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


class Mailbox:
    """A receiving SMTP server's handler: each message it accepts becomes a file, named by number and reader."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.files: list[Path] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep a message as it came, and accept it."""
        reader = re.sub(r"[^\w.@+-]", "_", envelope.rcpt_tos[0])
        path = self._folder / f"{len(self.files) + 1:02}-{reader}.eml"
        path.write_bytes(envelope.original_content)
        self.files.append(path)
        return "250 2.0.0 kept"


def demo(digests: Iterable[Path], out: Path, now: datetime) -> DemoReport:
    """Run the main job on digest files (default: the seeds) and write what readers get to the folder `out`.

    Raises DigestdError when no file could be ingested, or the folder cannot be written.
    """
    files = list(digests) or sorted(shipped("seeds").glob("*.txt"))
    try:
        out.mkdir(parents=True, exist_ok=True)
        for old in out.glob("*.eml"):
            old.unlink()
    except OSError as error:
        raise DigestdError(f"{out}: {(error.strerror or str(error)).lower()}") from None
    with tempfile.TemporaryDirectory(prefix="digestd-demo-") as folder:
        return asyncio.run(_demo(files, out, now, Path(folder)))


async def _demo(files: list[Path], out: Path, now: datetime, folder: Path) -> DemoReport:
    mailbox = Mailbox(out)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(mailbox, hostname="demo.example.org", data_size_limit=MAX_BYTES, loop=loop), "127.0.0.1", 0
    )
    async with server:
        settings = _settings(folder, server.sockets[0].getsockname()[1])
        with closing(build.store(settings)) as store:
            rounds = Rounds(settings, store, lambda: now)
            problems = rounds.sync_people().problems
            reports = [ingest_file(store.papers, path, MAX_BYTES, now) for path in files]
            if problems or not any(report.papers for report in reports):
                refused = [f"{report.file}: {report.refused}" for report in reports if report.refused]
                raise DigestdError("\n".join([*problems, *refused]))
            rounds.publish()
            delivered = await rounds.deliver()
            placed = _placed(store)
    page = out / "index.html"
    page.write_text(_page(mailbox.files, reports), encoding="utf-8")
    return DemoReport(tuple(reports), placed, delivered, tuple(mailbox.files), page)


def _settings(folder: Path, port: int) -> Settings:
    return Settings(
        paths=Paths(
            inbox=folder / "inbox",
            archive=folder / "archive",
            quarantine=folder / "quarantine",
            database=folder / "digestd.db",
        ),
        smtp=Smtp(host="127.0.0.1", port=port, tls="none"),
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
