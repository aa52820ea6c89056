"""What a reader wants more and less of moves the order of their papers, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from support.store_room import EVERY_DAY, MONDAY, SNAPSHOT, StoreRoom, at, ids, named, opened, profile, work

from digestd.match.learn import Wish, learned
from digestd.model import Edition, Profile
from digestd.publish.stage import preview, publish

ADA, BEN = "ada@example.org", "ben@example.org"
DAILY = profile(days=EVERY_DAY)
TUESDAY = at(24)
PAPERS = [work(4, "agent ants"), work(5, "agent zebras"), work(6, "agent robots")]
AS_EVER = named(4, 6, 5)  # equal standings: by title


@pytest.fixture
def room(tmp_path: Path) -> Iterator[StoreRoom]:
    with opened(tmp_path / "digestd.db") as made:
        made.ingest([work(1, "robots agent"), work(2, "other agent")])
        yield made


def _said(room: StoreRoom, wish: Wish = Wish.MORE, of: Profile = DAILY) -> int:
    """Let Ada, who was sent two papers on Monday, say something of the one on robots; three more come."""
    reader = room.subscribe(ADA, of)
    room.subscribe(BEN, DAILY)
    room.publish()
    room.store.leanings.say(reader, 1, 1, wish, MONDAY, learned, 200)
    room.ingest(PAPERS, at(23, 12))
    return reader


def _second(room: StoreRoom, email: str) -> Edition:
    return room.editions(email)[1]


def test_more_like_this_moves_papers_of_its_words_up(room: StoreRoom) -> None:
    _said(room)
    room.publish(TUESDAY)
    assert ids(_second(room, ADA)) == named(6, 4, 5)
    assert ids(_second(room, BEN)) == AS_EVER
    first, second, _ = _second(room, ADA).sections[0].entries
    assert [word for word, _ in first.moved] == ["agent", "robots"]
    assert [word for word, _ in second.moved] == ["agent"]
    assert first.score == second.score  # what is sent goes by the score
    assert _second(room, BEN).sections[0].entries[0].moved == ()


def test_less_like_this_moves_papers_of_its_words_down_and_leaves_none_out(room: StoreRoom) -> None:
    _said(room, Wish.LESS)
    room.publish(TUESDAY)
    assert ids(_second(room, ADA)) == named(4, 5, 6)


def test_order_is_as_ever_where_learning_is_off(room: StoreRoom) -> None:
    reader = _said(room)
    room.store.leanings.switch(reader, MONDAY, active=False)
    room.publish(TUESDAY)
    assert ids(_second(room, ADA)) == AS_EVER


def test_order_is_as_ever_in_a_profile_without_learning(room: StoreRoom) -> None:
    _said(room, of=replace(DAILY, learning=False))
    room.publish(TUESDAY)
    assert ids(_second(room, ADA)) == AS_EVER


def test_order_is_as_ever_where_the_operator_wants_no_learning(room: StoreRoom) -> None:
    reader = _said(room)
    [to_come] = preview(room.store, reader, TUESDAY, learning=False)
    publish(room.store, SNAPSHOT, TUESDAY, learning=False)
    assert ids(_second(room, ADA)) == ids(to_come) == AS_EVER
    assert _second(room, ADA).sections == _second(room, BEN).sections == to_come.sections


def test_order_is_as_ever_after_a_reset(room: StoreRoom) -> None:
    room.store.leanings.reset(_said(room))
    room.publish(TUESDAY)
    assert ids(_second(room, ADA)) == AS_EVER


def test_order_is_kept_whatever_is_said_afterwards(room: StoreRoom) -> None:
    reader = _said(room)
    assert ids(preview(room.store, reader, TUESDAY)[0]) == named(6, 4, 5)
    room.publish(TUESDAY)
    before = _second(room, ADA)
    room.store.leanings.say(reader, 3, 0, Wish.LESS, TUESDAY, learned, 200)
    assert _second(room, ADA) == before


def test_order_fades_back(room: StoreRoom) -> None:
    reader = _said(room)
    room.ingest([work(7, "agent robots")], MONDAY + timedelta(days=900))
    [edition] = preview(room.store, reader, MONDAY + timedelta(days=900))
    assert all(entry.moved == () for entry in edition.sections[0].entries)


def test_order_of_an_alert_is_moved_too(room: StoreRoom) -> None:
    reader = room.subscribe(ADA, profile("Now", alert=("agent",), queries=()), DAILY)
    room.publish()
    [alert] = [one for one in room.editions(ADA) if one.issue.startswith("immediate")]
    place = ids(alert).index(work(1).id)
    room.store.leanings.say(reader, 1, place, Wish.MORE, MONDAY, learned, 200)
    room.ingest(PAPERS, at(23, 12))
    room.publish(at(23, 12, 1))
    assert ids(room.editions(ADA)[-1]) == named(6, 4, 5)
