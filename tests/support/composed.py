"""A folder with a configuration and a store in which an edition waits for each of so many people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.history import check_history
from support.office_files import configured
from support.processes import finished
from support.smtp_script import SmtpScript
from support.world import World, papers, reader

from digestd.model import OutboxState
from digestd.store.open import SqliteStore

TITLE = "A Robot"


def addresses(people: int) -> list[str]:
    """Return the addresses of the people."""
    return [f"r{number}@example.org" for number in range(people)]


def write_people(folder: Path, people: int) -> None:
    """Write a subscribers file of people who ask for robots."""
    (folder / "subscribers.toml").write_text("".join(reader(f"r{number}", "robot") for number in range(people)))


def composed(
    folder: Path, relay: SmtpScript, people: int, *, connections: int = 4, smtp: str = "", more: str = ""
) -> Path:
    """Compose an edition for each of the people. Returns the configuration."""
    write_people(folder, people)
    world = World(folder)
    world.rounds.sync_people()
    world.drop(papers(TITLE))
    assert world.publish().editions == people
    world.close()
    return configured(folder, relay.port, connections=connections, smtp=smtp, more=more)


@contextmanager
def stored(folder: Path) -> Iterator[SqliteStore]:
    """Open the folder's store."""
    store = SqliteStore(folder / "digestd.db")
    try:
        yield store
    finally:
        store.close()


async def drained(config: Path, times: int = 3) -> None:
    """Run `deliver` until nothing is ready; what a crash left goes out at once, the rest when its time has come."""
    for _ in range(times):
        await finished(config, "deliver")
        with stored(config.parent) as store:
            if store.outbox.counts()[OutboxState.READY] == 0:
                return
    raise AssertionError(config.with_name("command.log").read_text())


def checked(
    config: Path, relay: SmtpScript, people: int, *, kills: int = 0, connections: int = 4, all_sent: bool = True
) -> int:
    """Check the history of editions that `composed` made. Returns the number of extra copies."""
    with stored(config.parent) as store:
        extra = check_history(
            store,
            relay.messages,
            kills=kills,
            connections=connections,
            folder=config.parent,
            dropped=[papers(TITLE)],
            wanted={address: [TITLE] for address in addresses(people)},
        )
        if all_sent:
            assert store.outbox.counts()[OutboxState.SENT] == people
            assert {message.recipients[0] for message in relay.accepted} == set(addresses(people))
    return extra
