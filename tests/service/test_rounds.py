"""What the daemon asks of its rounds to be woken in time, and what they take from the settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from support.smtp_script import SmtpScript
from support.world import World, papers, reader

from digestd.config import Matching
from digestd.deliver.press import Printed
from digestd.model import Place
from digestd.publish import stage
from digestd.service import rounds
from digestd.service.press_room import PressRoom
from digestd.service.rounds import Rounds


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with closing(World(tmp_path)) as made:
        made.people(reader("ada", "robot"))
        yield made


def test_next_due_counts_what_came_due_while_publishing_went_on(world: World) -> None:
    """Else it would wait for the next tick: it came after the round had looked, and before it was asked for."""
    world.drop(papers("A Robot"))
    assert world.publish().editions == 1
    due = world.store.editions.next_due(world.now)
    assert due is not None
    begun, world.now = due - timedelta(milliseconds=5), due + timedelta(milliseconds=5)
    assert world.rounds.next_due(begun) == timedelta()
    assert world.rounds.next_due(world.now) is None
    world.now = begun
    assert world.rounds.next_due(begun) == timedelta(milliseconds=5)


@pytest.mark.parametrize(("threshold", "second"), [(0.8, Place.FOLDED), (0.82, Place.CARD)])
def test_publish_folds_what_is_as_near_as_the_settings_say(world: World, threshold: float, second: Place) -> None:
    words = [f"{one}{other}k" for one in "bdfghlmn" for other in "aeiou"]  # 38 runs of three, of which 34 are in both
    texts = (words, [*words[:36], "one", "other", "third", "fourth"])
    titles = ("Robots, Robots", "A Robot")
    records = (
        f'{{"title": "{title}", "abstract": "{" ".join(text)}"}}' for title, text in zip(titles, texts, strict=True)
    )
    world.drop("\n".join(records))
    settings = world.settings.model_copy(update={"matching": Matching(near_duplicates=threshold)})
    assert Rounds(settings, world.store, lambda: world.now).publish().editions == 1
    person = world.store.subscribers.find("ada@example.org")
    told = [world.store.editions.announcement(person.pk, number) for number in (1, 2)]
    assert [one[1].place for one in told if one] == [Place.CARD, second]


class Waiting:
    """A press room that notes what it is told to expect."""

    def __init__(self) -> None:
        self.expected: list[list[int]] = []

    def expect(self, editions: list[int]) -> None:
        self.expected.append(editions)


def test_publish_tells_the_presses_of_each_edition_once_as_soon_as_they_are_some(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "BEGUN", 3)
    monkeypatch.setattr(rounds, "EXPECTED", 7)
    monkeypatch.setattr(stage, "BATCH", 2)
    world.people(*(reader(f"r{number}", "robot") for number in range(9)))
    world.drop(papers("A Robot"))
    room, seen = Waiting(), list[int]()
    assert world.rounds.publish(seen.append, room=cast("PressRoom", room)).editions == 9
    assert seen == [2, 2, 2, 2, 1]
    assert room.expected == [[1, 2, 3, 4], [5, 6], [7]]


async def test_deliver_takes_the_presses_that_were_begun_and_ends_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "BEGUN", 2)
    printed = list[int]()
    whole = PressRoom.print

    async def noted(room: PressRoom, editions: Sequence[int]) -> list[Printed]:
        printed.extend(editions)
        return await whole(room, editions)

    monkeypatch.setattr(PressRoom, "print", noted)
    async with SmtpScript() as relay:
        with closing(World(tmp_path, relay)) as world:
            world.people(*(reader(f"r{number}", "robot") for number in range(2)))
            world.drop(papers("A Robot"))
            with PressRoom(world.settings) as room:
                world.rounds.publish(room=room)
                assert room.is_at_work
                assert (await world.rounds.deliver(room=room)).sent == 2
                assert not room.is_at_work
            assert sorted(printed) == [1, 2]
            world.drop(papers("A Robot Arm"), "more.jsonl")
            world.later(days=1)
            world.publish()
            assert (await world.rounds.deliver()).sent == 2  # few, and nothing begun: made here
            assert sorted(printed) == [1, 2]
