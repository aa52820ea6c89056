"""What the daemon asks of its rounds to be woken in time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from support.world import World, papers, reader


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
