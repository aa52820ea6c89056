"""Search words that a newer program reads no longer: taken out, told once, and nobody else is held up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.world import World, papers

from digestd import __version__
from digestd.letters import LetterKind
from digestd.model import Edition, Origin, OutboxState, Profile, Subscriber, SubscriberState, WeightedQuery
from digestd.publish.render import render
from digestd.publish.tokens import unsubscribe_token
from digestd.store.open import SqliteStore
from digestd.store.sql import statements

OLD = "agent AND"  # what an older grammar is taken to have read


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    made.store.grammar.read_with("older")
    yield made
    made.close()


def follow(world: World, name: str, *queries: str, exclude: tuple[str, ...] = ()) -> int:
    profile = Profile("Mine", tuple(map(WeightedQuery, queries)), exclude)
    person = Subscriber(f"{name}@example.org", profiles=(profile,))
    return world.store.subscribers.add(person, Origin.READER, world.now).pk


def followed(world: World, name: str) -> list[list[str]]:
    person = world.store.subscribers.find(f"{name}@example.org").subscriber
    return [[query.query for query in profile.queries] for profile in person.profiles]


def editions(world: World, name: str) -> list[Edition]:
    key = world.store.editions.key()
    numbers = [row.edition for row in world.store.outbox.rows(None, 100) if row.email == f"{name}@example.org"]
    loaded = world.store.editions.load(numbers, lambda pk, address: unsubscribe_token(key, pk, address))
    return [edition for _, (edition, _) in sorted(loaded.items())]


def test_search_words_no_longer_read_are_taken_out_and_told_once(world: World) -> None:
    follow(world, "ada", OLD, "robot", exclude=("(", "medical"))
    follow(world, "ben", "robot")
    follow(world, "cem", OLD)
    follow(world, "dan", OLD)
    world.store.subscribers.set_state("dan@example.org", SubscriberState.UNSUBSCRIBED, Origin.READER, world.now)
    world.drop(papers("A Robot"))
    assert world.publish().editions == 2, "nobody is held up by another's words"
    assert (followed(world, "ada"), followed(world, "ben"), followed(world, "cem")) == ([["robot"]], [["robot"]], [])
    letter, digest = sorted(editions(world, "ada"), key=lambda one: one.letter is None)
    assert letter.letter is not None
    assert (letter.letter.kind, letter.letter.queries, letter.letter.exclude) == (
        LetterKind.MISTAKE, ("robot",), ("medical",),
    )  # fmt: skip
    assert [said.partition("”")[0] for said in letter.letter.found] == [f"“{OLD}", "“("]
    assert digest.sections[0].entries
    assert [one.letter is not None for one in editions(world, "cem")] == [True]
    assert editions(world, "dan") == [], "nothing after leaving"
    for _ in range(3):
        world.later(days=1)
        world.publish()
    assert len(editions(world, "cem")) == 1


def test_letter_about_search_words_says_what_and_why_in_both_parts(world: World) -> None:
    follow(world, "ada", OLD, '"<b>', "robot")
    world.publish()
    [edition] = editions(world, "ada")
    [row] = world.store.outbox.rows(OutboxState.READY, 10)
    _, sha256 = world.store.editions.load([row.edition], lambda pk, address: "")[row.edition]
    made = render(edition, world.store.editions.snapshot(sha256))
    assert made.subject == "Some of your search words need your attention"
    for part in (made.html, made.text):
        assert OLD in part
        assert "column" in part
        assert "/preferences" in part
    assert "&lt;b&gt;" in made.html


def test_search_words_of_a_new_store_were_read_by_this_version(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "new.db")) as store:
        assert store.grammar.last() == __version__


def test_search_words_are_read_again_by_another_version_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    follow(world, "ada", "robot")
    world.publish()
    follow(world, "eve", OLD)
    monkeypatch.setattr("digestd.service.mend.__version__", "next")
    world.publish()
    assert (followed(world, "eve"), world.store.grammar.last()) == ([], "next")
    assert json.dumps(world.store.readers.export(world.store.subscribers.find("eve@example.org").pk)).count(OLD) >= 1


def test_search_words_of_many_are_looked_at_by_their_index(world: World) -> None:
    sql = statements("grammar")
    with world.store.outbox._connections.read() as connection:
        for name, values in (("in_use", {"after": 0, "limit": 1}), ("followers", {"spec": 1})):
            plan = [row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql[name]}", values)]
            assert any("profile_spec" in step for step in plan), plan
            assert not any(step.startswith("SCAN") for step in plan), plan
