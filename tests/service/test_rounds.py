"""What the daemon asks of its rounds to be woken in time, and what they take from the settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from support.world import World, papers, reader

from digestd.config import Matching
from digestd.model import Place
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
