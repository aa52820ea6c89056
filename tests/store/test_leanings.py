"""What readers wanted more and less of, in every store there is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.store_room import MONDAY, StoreRoom, profile, work

from digestd.errors import NotFound
from digestd.match.learn import Wish, learned
from digestd.store.base import Said

READER = "reader@example.org"
LATER = MONDAY + timedelta(days=1)


@pytest.fixture
def reader(room: StoreRoom) -> int:
    """The number of a reader who was sent three papers, in the edition of number 1."""
    room.ingest([work(number, f"agent {word}") for number, word in enumerate(("robots", "zebras", "ants"), 1)])
    number = room.subscribe(READER, profile())
    room.publish()
    return number


def _say(room: StoreRoom, reader: int, place: int, wish: Wish | None, most: int = 200, edition: int = 1) -> bool:
    return room.store.leanings.say(reader, edition, place, wish, LATER, learned, most)


def _words(room: StoreRoom, reader: int) -> dict[str, float]:
    leaning = room.store.leanings.of([reader]).get(reader)
    return {term.word: term.weight for term in leaning.terms} if leaning else {}


def test_reader_who_said_nothing_has_no_leaning(room: StoreRoom, reader: int) -> None:
    assert room.store.leanings.of([reader, 99]) == {}
    assert room.store.leanings.said(reader) == Said(True, None, 0)
    assert room.store.leanings.wishes(reader, 1) == {}


def test_opinion_is_one_however_often_it_is_said(room: StoreRoom, reader: int) -> None:
    titles = [entry.paper.title for entry in room.editions(READER)[0].sections[0].entries]
    assert titles == ["agent ants 3", "agent robots 1", "agent zebras 2"]
    assert _say(room, reader, 1, Wish.MORE)
    once = _words(room, reader)
    assert once.keys() == {"agent", "robots"}
    assert not _say(room, reader, 1, Wish.MORE)
    assert _words(room, reader) == once
    assert room.store.leanings.wishes(reader, 1) == {1: Wish.MORE}
    assert room.store.leanings.said(reader).opinions == 1
    assert room.store.leanings.of([99]) == {}


def test_opinion_may_turn_and_be_taken_back(room: StoreRoom, reader: int) -> None:
    _say(room, reader, 1, Wish.MORE)
    assert _say(room, reader, 1, Wish.LESS)
    assert all(weight < 0 for weight in _words(room, reader).values())
    assert room.store.leanings.wishes(reader, 1) == {1: Wish.LESS}
    assert _say(room, reader, 1, None)
    assert not _say(room, reader, 1, None)
    assert _words(room, reader) == {}
    assert room.store.leanings.wishes(reader, 1) == {}


@pytest.mark.parametrize(("place", "edition"), [(3, 1), (-1, 1), (0, 2)])
def test_opinion_on_a_paper_that_was_not_sent_is_refused(
    room: StoreRoom, reader: int, place: int, edition: int
) -> None:
    with pytest.raises(NotFound):
        _say(room, reader, place, Wish.MORE, edition=edition)


def test_opinion_on_the_paper_of_somebody_else_is_refused(room: StoreRoom, reader: int) -> None:
    other = room.subscribe("other@example.org", profile())
    with pytest.raises(NotFound):
        _say(room, other, 0, Wish.MORE)
    assert room.store.leanings.said(reader).opinions == 0


def test_opinions_past_the_limit_push_the_oldest_out(room: StoreRoom, reader: int) -> None:
    for place in range(3):
        room.store.leanings.say(reader, 1, place, Wish.MORE, MONDAY + timedelta(hours=place), learned, 2)
    assert room.store.leanings.wishes(reader, 1) == {1: Wish.MORE, 2: Wish.MORE}
    assert _words(room, reader).keys() == {"agent", "robots", "zebras"}


def test_leaning_that_is_turned_off_is_kept_and_given_to_nobody(room: StoreRoom, reader: int) -> None:
    _say(room, reader, 1, Wish.MORE)
    before = _words(room, reader)
    room.store.leanings.switch(reader, LATER, active=False)
    assert _words(room, reader) == {}
    assert not room.store.leanings.said(reader).active
    assert _say(room, reader, 0, Wish.LESS)
    assert not room.store.leanings.said(reader).active  # an opinion does not turn it on
    _say(room, reader, 0, None)
    room.store.leanings.switch(reader, LATER, active=True)
    assert _words(room, reader) == before


def test_leaning_may_be_turned_off_before_anything_was_said(room: StoreRoom, reader: int) -> None:
    room.store.leanings.switch(reader, LATER, active=False)
    said = room.store.leanings.said(reader)
    assert (said.active, said.opinions) == (False, 0)


def test_reset_drops_opinions_and_words_and_leaves_the_switch(room: StoreRoom, reader: int) -> None:
    assert room.store.leanings.reset(reader) == 0
    _say(room, reader, 0, Wish.MORE)
    _say(room, reader, 1, Wish.LESS)
    room.store.leanings.switch(reader, LATER, active=False)
    assert room.store.leanings.reset(reader) == 2
    said = room.store.leanings.said(reader)
    assert (said.active, said.opinions, said.leaning and said.leaning.terms) == (False, 0, ())


def test_forgotten_reader_leaves_no_opinion_and_their_export_tells_all(room: StoreRoom, reader: int) -> None:
    _say(room, reader, 1, Wish.MORE)
    export = room.store.readers.export(reader)
    assert [(one["paper"], one["wish"], one["said_at"]) for one in export["opinions"]] == [
        (work(1).id, 1, LATER.isoformat())
    ]
    assert [word for _, word, _ in export["leanings"][0]["terms"]] == ["agent", "robots"]
    room.store.readers.forget(reader, LATER)
    export = room.store.readers.export(reader)
    assert (export["opinions"], export["leanings"]) == ([], [])
    assert room.store.leanings.said(reader) == Said(True, None, 0)
