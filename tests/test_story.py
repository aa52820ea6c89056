"""Days in the life of digestd: the stages together, on a real store, with a scripted relay."""

from __future__ import annotations

from collections.abc import Iterator
from email.header import decode_header, make_header
from pathlib import Path

import pytest
from support.smtp_script import Drop, SmtpScript
from support.world import World, papers, reader

from digestd.model import Origin, OutboxState, SubscriberState
from digestd.service.why import why


@pytest.fixture
def worlds(tmp_path: Path) -> Iterator[list[World]]:
    made: list[World] = []
    yield made
    for world in made:
        world.close()


def last_subject(relay: SmtpScript) -> str:
    return str(make_header(decode_header(relay.messages[-1].header("Subject"))))


def recipients(relay: SmtpScript) -> list[str]:
    return sorted(message.recipients[0] for message in relay.messages if message.is_accepted)


async def test_story_first_day_each_reader_gets_their_own_and_nothing_twice(
    tmp_path: Path, worlds: list[World]
) -> None:
    async with SmtpScript() as relay:
        world = World(tmp_path, relay)
        worlds.append(world)
        world.people(reader("ada", "robot"), reader("ben", "graph"), reader("eve", "nothing"))
        assert world.drop(papers("A Robot Learns", "Graphs at Work", "Unwanted")).new == 3
        assert (world.publish().editions, world.publish().editions) == (2, 0)
        report = await world.deliver()
        assert (report.sent, report.trouble) == (2, None)
        assert recipients(relay) == ["ada@example.org", "ben@example.org"]
        world.later(days=1)
        assert world.publish().editions == 0
        world.drop(papers("A Second Robot", "A Robot Learns"), "tuesday.jsonl")
        world.later(days=1)
        assert world.publish().papers == 1
        assert (await world.deliver()).sent == 1
        assert "Second Robot" in last_subject(relay)


async def test_story_relay_is_down_editions_wait_and_none_is_blamed(tmp_path: Path, worlds: list[World]) -> None:
    world = World(tmp_path)
    worlds.append(world)
    world.people(*(reader(f"r{number}", "robot") for number in range(6)))
    world.drop(papers("A Robot"))
    world.publish()
    report = await world.deliver()
    assert report.trouble is not None
    assert "refused" in report.trouble.reply.lower()
    counts = world.store.outbox.counts()
    assert counts[OutboxState.READY] == 6
    assert {row.attempts for row in world.store.outbox.rows(None, 10)} == {0}
    async with SmtpScript() as relay:
        again = World(tmp_path, relay)
        worlds.append(again)
        assert (await again.deliver()).sent == 6
        assert len(set(recipients(relay))) == 6


async def test_story_line_lost_after_the_dot_the_copy_is_the_same_to_the_byte(
    tmp_path: Path, worlds: list[World]
) -> None:
    async with SmtpScript({"DOT": [Drop()]}) as relay:
        world = World(tmp_path, relay, connections=1)
        worlds.append(world)
        world.people(reader("ada", "robot"))
        world.drop(papers("A Robot"))
        world.publish()
        assert (await world.deliver()).uncertain == 1
        assert world.store.outbox.counts()[OutboxState.READY] == 1
        world.later(hours=1)
        assert (await world.deliver()).sent == 1
        first, second = relay.messages
        assert first.octets == second.octets
        row, ledger = world.store.outbox.row("1")
        assert [line.state for line in ledger] == ["uncertain", "sent"]
        assert row.attempts == 2


async def test_story_line_lost_after_the_dot_is_held_where_the_operator_says_so(
    tmp_path: Path, worlds: list[World]
) -> None:
    async with SmtpScript({"DOT": [Drop()]}) as relay:
        world = World(tmp_path, relay, connections=1, on_uncertain="hold")
        worlds.append(world)
        world.people(reader("ada", "robot"))
        world.drop(papers("A Robot"))
        world.publish()
        await world.deliver()
        world.later(days=1)
        assert (await world.deliver()).sent == 0
        assert world.store.outbox.counts()[OutboxState.UNCERTAIN] == 1


async def test_story_reader_who_leaves_before_it_is_sent_gets_no_mail(tmp_path: Path, worlds: list[World]) -> None:
    async with SmtpScript() as relay:
        world = World(tmp_path, relay)
        worlds.append(world)
        world.people(reader("ada", "robot"), reader("ben", "robot"))
        world.drop(papers("A Robot"))
        world.publish()
        world.store.subscribers.set_state("ada@example.org", SubscriberState.UNSUBSCRIBED, Origin.READER, world.now)
        report = await world.deliver()
        assert (report.sent, report.cancelled) == (1, 1)
        assert recipients(relay) == ["ben@example.org"]
        world.people(reader("ada", "robot"), reader("ben", "robot"))
        assert world.store.subscribers.find("ada@example.org").subscriber.state is SubscriberState.UNSUBSCRIBED


async def test_story_one_address_is_refused_the_others_get_theirs(tmp_path: Path, worlds: list[World]) -> None:
    async with SmtpScript({"RCPT": ["550 5.1.1 no such user"]}) as relay:
        world = World(tmp_path, relay, connections=1)
        worlds.append(world)
        world.people(*(reader(f"r{number}", "robot") for number in range(4)))
        world.drop(papers("A Robot"))
        world.publish()
        report = await world.deliver()
        assert (report.sent, report.failed) == (3, 1)
        (failed,) = world.store.outbox.rows(OutboxState.FAILED, 10)
        assert failed.reason == "550 5.1.1 no such user"


async def test_story_one_address_is_greylisted_and_given_up_after_two_days(tmp_path: Path, worlds: list[World]) -> None:
    async with SmtpScript({"RCPT": "451 4.7.1 come back later"}) as relay:
        world = World(tmp_path, relay, connections=1)
        worlds.append(world)
        world.people(reader("ada", "robot"))
        world.drop(papers("A Robot"))
        world.publish()
        assert (await world.deliver()).deferred == 1
        assert (await world.deliver()).deferred == 0  # not before its time
        world.later(hours=1)
        assert (await world.deliver()).deferred == 1
        for _ in range(5):
            world.later(hours=8)
            assert (await world.deliver()).deferred == 1
        world.later(hours=8)
        assert (await world.deliver()).failed == 1
        assert world.store.outbox.rows(None, 10)[0].reason.startswith("gave up after 8 attempts")


async def test_story_alert_comes_at_once_and_the_digest_does_not_repeat_it(tmp_path: Path, worlds: list[World]) -> None:
    async with SmtpScript() as relay:
        world = World(tmp_path, relay)
        worlds.append(world)
        world.people(reader("ada", "robot", "graph", more="alert = ['urgent']\n"))
        world.drop(papers("Nothing Here"))
        world.publish()
        world.later(minutes=5)
        world.drop(papers("An Urgent Robot", "A Calm Graph"), "second.jsonl")
        assert world.publish().papers == 1
        await world.deliver()
        assert last_subject(relay).startswith("Alert")
        world.later(days=1)
        assert world.publish().papers == 1
        await world.deliver()
        assert "Calm Graph" in last_subject(relay)
        person = world.store.subscribers.find("ada@example.org")
        (paper,) = world.store.papers.find("Urgent")
        assert why(world.store, person, paper, world.now).conclusion.startswith("It is in the edition immediate:")


async def test_story_profile_with_a_mistake_keeps_its_last_good_version(tmp_path: Path, worlds: list[World]) -> None:
    async with SmtpScript() as relay:
        world = World(tmp_path, relay)
        worlds.append(world)
        world.people(reader("ada", "robot"), reader("ben", "graph"))
        world.settings.subscribers.write_text(reader("ada", "robot AND") + reader("ben", "robot"))
        (problem,) = world.rounds.sync_people().problems
        assert "line 6, column " in problem
        world.drop(papers("A Robot"))
        world.publish()
        await world.deliver()
        assert recipients(relay) == ["ada@example.org", "ben@example.org"]
