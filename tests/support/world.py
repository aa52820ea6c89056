"""A whole digestd in a temporary folder, at a time of the test's choice, with a scripted relay."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from support.smtp_script import SmtpScript

from digestd.config import Mail, Paths, Settings, Smtp
from digestd.deliver.stage import DeliverReport
from digestd.ingest.stage import FileReport
from digestd.publish.stage import PublishReport
from digestd.service.rounds import Rounds
from digestd.store.open import SqliteStore

MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)

READER = """
[[subscriber]]
email = "{name}@example.org"
  [[subscriber.profile]]
  name = "Papers"
  queries = {queries}
  {more}
"""


def reader(name: str, *queries: str, more: str = "") -> str:
    """Return one person of a subscribers file, daily at 08:00 UTC unless `more` says otherwise."""
    return READER.format(name=name, queries=json.dumps(queries), more=more)


def papers(*titles: str) -> str:
    """Return a digest file of JSON lines."""
    return "".join(f'{{"title": "{title}", "abstract": "About {title}."}}\n' for title in titles)


class World:
    """Settings, store and clock; each method does one round of a stage."""

    def __init__(self, folder: Path, relay: SmtpScript | None = None, **smtp: object) -> None:
        self.folder = folder
        self.now = MONDAY
        self.settings = Settings(
            paths=Paths(
                inbox=folder / "inbox",
                archive=folder / "archive",
                quarantine=folder / "quarantine",
                database=folder / "digestd.db",
            ),
            smtp=Smtp(host="127.0.0.1", port=relay.port if relay else 1, tls="none", **smtp),
            mail=Mail(from_address="papers@example.org", public_url="https://papers.example.org"),
            subscribers=folder / "subscribers.toml",
        )
        self.settings.paths.inbox.mkdir(exist_ok=True)
        self.store = SqliteStore(self.settings.paths.database, busy_timeout=1.0)
        self.rounds = Rounds(self.settings, self.store, lambda: self.now)

    def people(self, *entries: str) -> None:
        """Write the subscribers file and take it over; it must be sound."""
        self.settings.subscribers.write_text("".join(entries))
        assert self.rounds.sync_people().problems == ()

    def drop(self, text: str, name: str = "papers.jsonl") -> FileReport:
        """Put a file into the inbox and ingest it."""
        (self.settings.paths.inbox / name).write_text(text)
        (report,) = self.rounds.ingest(wait=lambda _: None)
        return report

    def publish(self) -> PublishReport:
        """Compose what is due now."""
        return self.rounds.publish()

    async def deliver(self) -> DeliverReport:
        """Send what is ready now."""
        return await self.rounds.deliver()

    def later(self, **time: float) -> None:
        """Let time pass."""
        self.now += timedelta(**time)

    def close(self) -> None:
        """Close the store."""
        self.store.close()
