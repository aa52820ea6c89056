"""Every part tried for real: what works, what does not, and what to do about it, in a sentence each.

Nothing is changed: the store is read, files are made in folders and removed, the relay is greeted and left. Only with
an address to send to does a message leave, and then it is a sample.
"""

from __future__ import annotations

import base64
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from digestd.config import Settings
from digestd.config.tables import Relay
from digestd.errors import DigestdError
from digestd.model import Envelope, OutboxState, Outcome, Snapshot, Verdict
from digestd.publish.addresses import ascii_address
from digestd.publish.card import shorten
from digestd.publish.check import sample_editions
from digestd.publish.message import build_message
from digestd.publish.render import render
from digestd.publish.wording import counted
from digestd.service import build
from digestd.service.dns import NoAnswer, resolver, texts
from digestd.store.base import Store
from digestd.subscribers.file import read_people

MEGABYTE = 1_000_000
EARLIEST = 2026  # a clock that shows an earlier year than this program is from is wrong


class Health(StrEnum):
    """How a part is: `warning` works, and deserves a look."""

    SOUND = "sound"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one part."""

    part: str
    health: Health
    said: str


Ask = Callable[[str], list[str]]


def examine(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Yield what is found of everything but the relay, one part after the other."""
    yield _people(settings)
    yield _templates(settings)
    try:
        store = build.store(settings, thorough=True)
    except DigestdError as error:
        yield Finding("store", Health.FAILED, str(error))
    else:
        try:
            yield _store(store, settings)
            yield _clock(store, now)
        except DigestdError as error:
            yield Finding("store", Health.FAILED, str(error))
        finally:
            store.close()
    yield from _folders(settings)
    yield _disk(settings)
    yield from domain(settings, _asker())


async def relays(settings: Settings, send_to: str | None) -> list[Finding]:
    """Connect to each relay, secure the line and log in; with `send_to`, hand each a sample for that address."""
    return [await _relay(settings, relay, send_to) for relay in (settings.smtp, *settings.smtp.more)]


async def _relay(settings: Settings, smtp: Relay, send_to: str | None) -> Finding:
    courier = build.courier(settings, smtp)
    where = f"{smtp.host}:{smtp.port_in_use}"
    how = {"none": "in clear text", "starttls": "with STARTTLS", "implicit": "with TLS"}[smtp.tls]
    try:
        outcome = await courier.open()
        if outcome is None and send_to is not None:
            outcome = await courier.carry(*_sample(settings, send_to), _yes)
    except DigestdError as error:
        return Finding("relay", Health.FAILED, str(error))
    finally:
        await courier.close()
    if outcome is None:
        login = f", logged in as {smtp.username}" if smtp.username else ""
        return Finding("relay", Health.SOUND, f"{where} answers {how}{login}")
    if outcome.verdict is Verdict.SENT:
        return Finding("relay", Health.SOUND, f"{where} took a sample for {send_to}: {outcome.reply}")
    return Finding("relay", Health.FAILED, f"{where} ({outcome.phase}): {_words(outcome)}")


def domain(settings: Settings, ask: Ask | None) -> Iterator[Finding]:
    """Yield what the DNS says of the sender: SPF, DMARC, and each DKIM key."""
    name = settings.mail.from_address.rpartition("@")[2]
    if ask is None:
        said = "no resolver is named in /etc/resolv.conf; SPF, DKIM and DMARC are not known"
        yield Finding("dns", Health.WARNING, said)
        return
    wanted = [("spf", name, "v=spf1"), ("dmarc", f"_dmarc.{name}", "v=DMARC1")]
    for key in settings.mail.dkim:
        wanted.append(("dkim", f"{key.selector}._domainkey.{key.domain or name}", f"p={_published(key.key_file)}"))
    for part, place, begins in wanted:
        try:
            found = [text for text in ask(place) if begins in text.replace(" ", "")]
        except NoAnswer as error:
            yield Finding("dns", Health.WARNING, f"{error}; SPF, DKIM and DMARC are not known")
            return
        if len(found) == 1:
            yield Finding(part, Health.SOUND, f"{place}: {found[0][:100]}")
        elif found:
            yield Finding(part, Health.FAILED, f"{place} has {len(found)} records; receivers take that for none")
        else:
            said = f"{place} has no record that holds {shorten(begins, 40)}; many receivers want one"
            yield Finding(part, Health.WARNING, said)
    if not settings.mail.dkim:
        yield Finding("dkim", Health.WARNING, "digestd signs nothing (mail.dkim); sound if your relay signs for you")


def _people(settings: Settings) -> Finding:
    reading = read_people(settings.subscribers, settings)
    if reading.problems:
        more = f" (and {len(reading.problems) - 1} more; see `digestd check`)" if len(reading.problems) > 1 else ""
        return Finding("subscribers", Health.FAILED, f"{reading.problems[0]}{more}")
    people = counted(len(reading.roster.people), "subscriber")
    return Finding("subscribers", Health.SOUND, f"{settings.subscribers}: {people}")


def _templates(settings: Settings) -> Finding:
    try:
        snapshot: Snapshot = build.checked_snapshot(settings)
        signers = build.signers(settings)
    except DigestdError as error:
        return Finding("templates", Health.FAILED, str(error))
    signed = f", {len(signers)} keys sign" if signers else ""
    return Finding("templates", Health.SOUND, f"{len(snapshot.templates)} templates render every kind of mail{signed}")


def _store(store: Store, settings: Settings) -> Finding:
    counts = store.outbox.counts()
    held = store.outbox.held()
    if held:
        return Finding("store", Health.FAILED, f"nothing is sent: {held}; `digestd outbox release` lets it")
    doubt = counts[OutboxState.UNCERTAIN]
    doubtful = counted(doubt, "edition")
    said = f"{settings.paths.database}: sound, {counted(store.papers.newest(), 'paper')}"
    if doubt:
        return Finding("store", Health.WARNING, f"{said}; {doubtful} uncertain (`digestd outbox list`)")
    return Finding("store", Health.SOUND, said)


def _clock(store: Store, now: datetime) -> Finding:
    newest = store.papers.newest()
    last = store.papers.between(newest - 1, newest)
    if now.year < EARLIEST:
        return Finding("clock", Health.FAILED, f"it is {now:%Y-%m-%d %H:%M} UTC by this machine's clock: set it")
    if last and last[0].ingested_at > now + timedelta(minutes=5):
        said = f"the newest paper was ingested at {last[0].ingested_at:%Y-%m-%d %H:%M} UTC, which is yet to come"
        return Finding("clock", Health.WARNING, f"{said}: the clock was ahead then, or is behind now")
    return Finding("clock", Health.SOUND, f"{now:%Y-%m-%d %H:%M:%S} UTC")


def _folders(settings: Settings) -> Iterator[Finding]:
    paths = settings.paths
    for name in ("inbox", "archive", "quarantine"):
        folder: Path = getattr(paths, name)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-"):
                yield Finding(name, Health.SOUND, f"{folder}: can be written")
        except OSError as error:
            said = f"{folder}: {(error.strerror or str(error)).lower()}; it must be writable for user {os.getuid()}"
            yield Finding(name, Health.FAILED, said)


def _disk(settings: Settings) -> Finding:
    folder = settings.paths.database.parent
    try:
        free = shutil.disk_usage(folder).free / MEGABYTE
    except OSError as error:
        return Finding("disk", Health.FAILED, f"{folder}: {(error.strerror or str(error)).lower()}")
    floor = settings.disk.min_free_mb
    said = f"{free:,.0f} MB are free beside the database"
    if free < floor:
        return Finding("disk", Health.FAILED, f"{said}; nothing is taken or sent below {floor:,} (disk.min_free_mb)")
    health = Health.WARNING if free < 3 * floor else Health.SOUND
    return Finding("disk", health, said)


def _asker() -> Ask | None:
    server = resolver()
    return (lambda name: texts(name, server)) if server else None


def _sample(settings: Settings, send_to: str) -> tuple[Envelope, bytes]:
    snapshot = build.checked_snapshot(settings)
    edition = sample_editions()["digest"]
    token = os.urandom(16).hex()
    reader = edition.reader._replace(email=send_to, name="")
    edition = edition._replace(id=token, composed_at=build.utc_now(), reader=reader)
    message = build_message(edition, render(edition, snapshot), snapshot.sender, build.signers(settings))
    return Envelope(settings.mail.from_address, ascii_address(send_to)), message


def _published(key_file: Path) -> str:
    """Return the public half of a key as it must stand in the DNS (RFC 6376 3.6.1, RFC 8463 4), empty if unreadable."""
    try:
        public = load_pem_private_key(key_file.read_bytes(), None).public_key()
    except (OSError, ValueError):
        return ""
    if isinstance(public, Ed25519PublicKey):
        return base64.b64encode(public.public_bytes_raw()).decode()
    return base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


async def _yes() -> bool:
    return True


def _words(outcome: Outcome) -> str:
    return f"{outcome.code} {outcome.reply}" if outcome.code else outcome.reply
