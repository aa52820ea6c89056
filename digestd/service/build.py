"""Settings → the real things: the store, the snapshot, the couriers. Nothing else builds them."""

from __future__ import annotations

import asyncio
import fcntl
import random
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

from digestd import __version__
from digestd.config import Dkim, Settings
from digestd.config.tables import Relay as RelayTable
from digestd.deliver.courier import SmtpCourier
from digestd.deliver.relay import Relay
from digestd.deliver.stage import Outlet, Post
from digestd.errors import ConfigError, ServedElsewhere, StoreError
from digestd.ingest.sources import fetch
from digestd.ingest.sources.stage import Fetcher
from digestd.ingest.stage import Folders
from digestd.model import Sender, Snapshot
from digestd.publish.check import check_templates
from digestd.publish.dkim import Signer
from digestd.publish.due import AlertRules
from digestd.resources import mail_templates, web_templates
from digestd.store.base import Limits, Store
from digestd.store.disk import MEGABYTE, Disk
from digestd.store.open import SqliteStore
from digestd.web.check import check_pages
from digestd.web.operator.check import operator_samples
from digestd.web.operator.desk import Desk
from digestd.web.operator.door import Door
from digestd.web.operator.pages import OperatorSite
from digestd.web.render import Renderer
from digestd.web.signup import Opening


def utc_now() -> datetime:
    """Return the time, the only clock of the program."""
    return datetime.now(UTC)


def jitter() -> float:
    """Return a number in [0, 1) that spreads retries."""
    return random.random()  # noqa: S311 - spreading, not secrecy


def folders(settings: Settings) -> Folders:
    """Return where digest files lie."""
    paths, ingest = settings.paths, settings.ingest
    return Folders(paths.inbox, paths.archive, paths.quarantine, ingest.max_file_mb * 1_000_000, ingest.settle_seconds)


def fetcher(settings: Settings, store: Store, clock: Callable[[], datetime]) -> Fetcher:
    """Return what fetches the sources, under a name by which their operators can reach ours."""
    contact = settings.mail.public_url or f"mailto:{settings.mail.from_address}"
    return Fetcher(
        sources=settings.source,
        states=store.sources,
        inbox=settings.paths.inbox,
        agent=f"digestd/{__version__} (+{contact})",
        limits=fetch.Limits(settings.ingest.max_file_mb * 1_000_000),
        clock=clock,
        wait=time.sleep,
    )


def store(settings: Settings, *, thorough: bool = False) -> SqliteStore:
    """Open the store, or make it; with `thorough` a large one, too, is read whole for damage."""
    database, disk = settings.paths.database, settings.disk
    room = Disk(database, disk.min_free_mb * MEGABYTE, disk.ballast_mb * MEGABYTE)
    return SqliteStore(database, disk=room, thorough=thorough)


def alert_rules(settings: Settings) -> AlertRules:
    """Return how alerts are grouped, capped and listed."""
    schedule = settings.schedule
    return AlertRules(
        group_wait=timedelta(seconds=schedule.alert_wait_seconds),
        group_interval=timedelta(seconds=schedule.alert_interval_seconds),
        per_day=schedule.alerts_per_day,
        listed=schedule.list_alerts,
    )


@contextmanager
def only_service(settings: Settings) -> Iterator[None]:
    """Be the one `serve` of this store; the system ends that when the process dies. Raises ServedElsewhere."""
    database = settings.paths.database
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
        lock = database.with_name(f"{database.name}.service-lock").open("w")
    except OSError as error:
        raise StoreError(f"{error.filename}: cannot be opened: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServedElsewhere(f"{database}: another `digestd serve` works on this store; stop it first") from None
        yield


def sender(settings: Settings) -> Sender:
    """Return who the mail comes from."""
    mail = settings.mail
    domain = mail.from_address.rpartition("@")[2]
    return Sender(
        from_address=mail.from_address,
        from_name=mail.from_name,
        reply_to=mail.reply_to or "",
        list_id=mail.list_id or f"digestd.{domain}",
        public_url=mail.public_url,
        learning=settings.matching.learning,
    )


def snapshot(settings: Settings) -> Snapshot:
    """Return the templates and the sender that editions are rendered with from now on."""
    return Snapshot(mail_templates(settings.paths.templates), sender(settings))


def checked_snapshot(settings: Settings) -> Snapshot:
    """Return the snapshot after every kind of edition was rendered with it. Raises TemplateError."""
    made = snapshot(settings)
    check_templates(made)
    return made


def signers(settings: Settings) -> tuple[Signer, ...]:
    """Return what signs each message. Raises ConfigError for a key that cannot be read or used."""
    return tuple(Signer.of_pem(*key) for key in signing_keys(settings))


def signing_keys(settings: Settings) -> tuple[tuple[str, str, bytes], ...]:
    """Return the domain, the selector and the PEM of each key, tried. Raises ConfigError as `signers` does."""
    return tuple(_signing_key(key, settings.mail.from_address.rpartition("@")[2]) for key in settings.mail.dkim)


def _signing_key(key: Dkim, domain: str) -> tuple[str, str, bytes]:
    try:
        made = key.domain or domain, key.selector, key.key_file.read_bytes()
        Signer.of_pem(*made)
    except OSError as error:
        raise ConfigError(f"mail.dkim: {key.key_file}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(f"mail.dkim: {key.key_file}: {error}") from None
    return made


def pages(settings: Settings) -> Renderer:
    """Return the templates of the web pages after each was tried. Raises ConfigError and TemplateError."""
    made = check_pages(web_templates(settings.paths.templates))
    operator_samples(made)
    return made


def opening(settings: Settings, snapshot: Callable[[], Snapshot], woken: Callable[[], None]) -> Opening | None:
    """Return how sign-ups are taken, None where the operator takes none or the mails could not carry a link."""
    web, schedule = settings.web, settings.schedule
    if not (web.signup and settings.mail.public_url):
        return None
    return Opening(
        snapshot=snapshot,
        limits=Limits(web.signups_per_network, web.signups_per_domain, web.signups_in_all),
        trusted=frozenset(web.trusted_proxies),
        zone=schedule.timezone,
        at=schedule.at,
        woken=woken,
    )


def operator_site(
    settings: Callable[[], Settings], store: Store, clock: Callable[[], datetime],
    troubles: Callable[[], Mapping[str, str]], woken: Callable[[], None],
) -> OperatorSite:  # fmt: skip
    """Return the operator's pages over a store. Raises ConfigError and TemplateError."""
    given = settings().operator
    door = Door(store.editions.key, given.password.get_secret_value(), clock)
    return OperatorSite(Desk(store, clock, settings, troubles, woken), door, pages(settings()))


def outlets(settings: Settings) -> tuple[Outlet, ...]:
    """Return what makes connections to each relay, not yet opened."""
    return tuple(
        Outlet(partial(courier, settings, relay), relay.connections) for relay in (settings.smtp, *settings.smtp.more)
    )


def courier(settings: Settings, given: RelayTable) -> SmtpCourier:
    """Return a connection to a relay, not yet opened."""
    relay = Relay(
        host=given.host,
        port=given.port_in_use,
        tls=given.tls,
        username=given.username or None,
        password=given.password.get_secret_value() or None,
        local_hostname=settings.mail.from_address.rpartition("@")[2],
    )
    return SmtpCourier(relay)


def post(settings: Settings) -> Post:
    """Return how to deliver, under a name that no other run has."""
    return Post(
        owner=f"{socket.gethostname()}-{secrets.token_hex(8)}",
        sender=settings.mail.from_address,
        hold_uncertain=settings.smtp.on_uncertain == "hold",
        signers=signers(settings),
    )


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes the event loop: uvloop where it exists, which carries half as much again."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
