"""From what is wrong to a mail that the operator reads, through the outbox and a scripted relay."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from support.command_line import command, furnish, objects
from support.smtp_script import SmtpScript
from support.world import World, papers, reader

from digestd.config import Operator, load
from digestd.model import Origin, OutboxState, SubscriberState
from digestd.service import build
from digestd.service.daemon import Daemon
from digestd.service.rounds import Rounds
from digestd.service.watch import found_now

ADDRESS = "Op@example.org"


@pytest.fixture
def worlds() -> Iterator[list[World]]:
    made: list[World] = []
    yield made
    for world in made:
        world.close()


def watched(folder: Path, worlds: list[World], relay: SmtpScript | None = None, **operator: object) -> World:
    """Return a world with an operator, in which papers came on Monday, a week ago."""
    world = World(folder, relay)
    worlds.append(world)
    settings = world.settings.model_copy(update={"operator": Operator(**{"address": ADDRESS, **operator})})
    world.rounds = Rounds(settings, world.store, lambda: world.now)
    world.drop(papers("A Robot"))
    world.later(days=7)
    return world


async def test_operator_is_written_to_once_and_gets_an_all_clear(tmp_path: Path, worlds: list[World]) -> None:
    async with SmtpScript() as relay:
        world = watched(tmp_path, worlds, relay)
        found, told = world.rounds.look({"configuration": "line 3: smtp.hots is not a known key"})
        assert [one.key for one in found] == ["configuration", "quiet"]
        assert told is not None
        assert (await world.deliver()).sent == 1
        [message] = relay.messages
        assert message.recipients == (ADDRESS,)
        assert message.header("Subject") == "digestd needs you: 2 things"
        assert message.header("List-Unsubscribe") == ""
        for kind in ("plain", "html"):
            part = message_from_bytes(message.octets, policy=default).get_body((kind,))
            assert part is not None
            text = " ".join(part.get_content().split())
            assert "line 3: smtp.hots is not a known key" in text
            assert "4 working days without any." in text
        again = Rounds(world.rounds.settings, world.store, lambda: world.now)  # as after a restart
        assert again.look({"configuration": "line 3: smtp.hots is not a known key"})[1] is None
        world.later(minutes=5)
        world.drop(papers("A Graph"), "graph.jsonl")
        assert again.look()[1] is not None
        assert (await world.deliver()).sent == 1
        assert relay.messages[-1].header("Subject") == "digestd: all clear"
        assert again.look() == ((), None)


async def test_operator_who_follows_nothing_is_no_reader_and_can_become_one(
    tmp_path: Path, worlds: list[World]
) -> None:
    world = watched(tmp_path, worlds)
    world.rounds.look()
    stored = world.store.subscribers.find(ADDRESS)
    assert (stored.subscriber.state, stored.subscriber.profiles) == (SubscriberState.PENDING, ())
    world.people(reader("op", "robot"))
    assert world.store.subscribers.find(ADDRESS).subscriber.state is SubscriberState.ACTIVE


@pytest.mark.parametrize(
    ("state", "by", "sent"),
    [
        (SubscriberState.PAUSED, Origin.OPERATOR, 1),
        (SubscriberState.UNSUBSCRIBED, Origin.READER, 1),
        (SubscriberState.SUPPRESSED, Origin.OPERATOR, 0),
    ],
)
async def test_notice_goes_to_an_operator_who_reads_no_papers_but_not_to_an_address_that_refuses_mail(
    tmp_path: Path, worlds: list[World], state: SubscriberState, by: Origin, sent: int
) -> None:
    async with SmtpScript() as relay:
        world = watched(tmp_path, worlds, relay)
        world.people(reader("op", "nothing"))
        world.rounds.look()
        world.later(minutes=1)
        world.store.subscribers.set_state(ADDRESS, state, by, world.now)
        assert world.rounds.has_mail() is True
        await world.deliver()
        assert len(relay.messages) == sent
        assert world.store.outbox.counts()[OutboxState.CANCELLED] == 1 - sent


def test_look_without_an_address_finds_the_same_and_writes_to_nobody(tmp_path: Path, worlds: list[World]) -> None:
    world = watched(tmp_path, worlds, address=None)
    found, told = world.rounds.look()
    assert ([one.key for one in found], told) == (["quiet"], None)
    assert len(world.store.outbox.coming(world.now, 10)) == 0


async def test_daemon_looks_now_and_then_and_shows_what_it_found(tmp_path: Path, worlds: list[World]) -> None:
    world = watched(tmp_path, worlds)
    daemon = Daemon(tmp_path / "digestd.toml", world.rounds)
    await daemon._watch()
    assert daemon._standing.found == (), "what waits in the inbox is taken before the first look"
    daemon._looks_at = 0
    await daemon._watch()
    assert daemon._delivers.wake.is_set()
    assert "No new paper since Monday" in daemon._standing._line()
    [ready] = [route for route in daemon._standing.probes() if route.path == "/readyz"]
    answer = await ready.endpoint(None)
    assert (answer.status_code, json.loads(answer.body)["troubles"]) == (200, ["quiet"])
    world.drop(papers("A Graph"), "graph.jsonl")
    await daemon._watch()
    assert daemon._standing.found != (), "not at each tick"
    world.later(minutes=5)
    daemon._looks_at = 0
    await daemon._watch()
    assert (daemon._standing.found, len(world.store.outbox.coming(world.now, 10))) == ((), 2)


def test_found_now_counts_what_the_store_and_the_folders_hold(tmp_path: Path, worlds: list[World]) -> None:
    world = watched(tmp_path, worlds)
    world.people(*(reader(f"r{number}", "robot") for number in range(12)))
    world.publish()
    assert world.drop("hm", "bad.txt").refused
    reason = world.settings.paths.quarantine / "bad.txt.reason"
    moment = world.now.timestamp()
    os.utime(reason, (moment, moment))
    world.later(hours=3)
    assert keys(world) == ["quiet", "quarantine"]
    world.later(hours=2)
    assert keys(world) == ["quiet", "quarantine", "waiting"]
    for number in range(12):
        world.store.subscribers.set_state(f"r{number}@example.org", SubscriberState.PAUSED, Origin.OPERATOR, world.now)
    world.later(days=2)
    assert keys(world) == ["quiet"]
    disk = world.settings.disk.model_copy(update={"min_free_mb": 9_000_000})
    settings = world.rounds.settings.model_copy(update={"disk": disk})
    assert [one.key for one in found_now(settings, world.store, world.now)][-1] == "disk"


def keys(world: World) -> list[str]:
    return [one.key for one in found_now(world.rounds.settings, world.store, world.now)]


def test_run_once_writes_to_the_operator_unless_a_serve_does_and_status_shows_why(tmp_path: Path) -> None:
    furnish(tmp_path)
    config = tmp_path / "digestd.toml"
    config.write_text(f'{config.read_text()}[operator]\naddress = "{ADDRESS}"\n')
    (tmp_path / "inbox" / "one.jsonl").write_text(papers("A Robot"))
    run = command(tmp_path)

    def notices(now: str) -> int:
        run("run-once", "--now", f"2026-12-{now}T09:00Z")
        return sum(row["email"] == ADDRESS for row in objects(run("outbox", "list", "--json")))

    assert notices("01") == 0
    with build.only_service(load(config)):
        assert notices("08") == 0
    assert notices("08") == 1
    said = run("status", "--now", "2026-12-08T09:00Z")
    assert said.exit_code == 1
    assert "! No new paper since Tuesday, 01 December 2026: 4 working days without any." in said.output
