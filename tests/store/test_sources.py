"""What the store promises of sources: the last state of each, word by word."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from support.store_room import MONDAY, StoreRoom

from digestd.store.base import SourceState


def test_state_of_a_source_is_the_last_that_was_kept(room: StoreRoom) -> None:
    sources = room.store.sources
    assert sources.state("a") is None
    first = SourceState(
        "a", "https://example.org/ä", MONDAY, MONDAY + timedelta(hours=1), 'W/"x"', "Mon", "f" * 64, 2, "ö"
    )
    sources.keep(first)
    sources.keep(replace(first, name="b"))
    assert sources.state("a") == first
    second = SourceState("a", "https://example.org/b", MONDAY + timedelta(hours=1), MONDAY + timedelta(days=1))
    sources.keep(second)
    assert sources.state("a") == second
    assert sources.state("b") == replace(first, name="b")
