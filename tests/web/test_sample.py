"""What a profile would have brought of the last days: which papers, in which order, and when that is found at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from support.store_room import MONDAY, StoreRoom, profile

from digestd.model import Paper, Profile, WeightedQuery
from digestd.web import sample
from digestd.web.sample import DAYS, FEW, KEPT, Sample

PAPERS = (
    Paper("arXiv:2401.00001", "An agent", abstract="It nests."),
    Paper("arXiv:2401.00002", "A nest", abstract="An agent, an agent."),
    Paper("arXiv:2401.00003", "A survey of agents"),
    Paper("arXiv:2401.00004", "Nothing of it"),
)


class Room(StoreRoom):
    """A store, a clock, and what is sampled of it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.now = MONDAY
        self.sample = Sample(self.store, lambda: self.now)

    def found(self, wanted: Profile) -> list[str]:
        return [stored.paper.title for stored, _ in self.sample.found(wanted)]


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path / "digestd.db")
    try:
        made.ingest(list(PAPERS), MONDAY)
        yield made
    finally:
        made.store.close()


def test_taste_counts_each_query_leaves_out_what_is_excluded_and_puts_the_best_first(room: Room) -> None:
    wanted = Profile("Both", (WeightedQuery("agent"), WeightedQuery("nest", 3.0), WeightedQuery("quark")), ("survey",))
    taste = room.sample.taste(wanted)
    assert (taste.hits, taste.papers) == (2, 4)
    assert dict(taste.by_query) == {"agent": 2, "nest": 2, "quark": 0}
    assert [sight.card.title_text for sight in taste.cards] == ["A *nest*", "An *agent*"], "nest weighs more in a title"


def test_taste_leaves_out_what_scores_too_little(room: Room) -> None:
    assert room.sample.taste(Profile("All", (WeightedQuery("agent"),), min_score=1.9)).hits == 2
    assert room.sample.taste(Profile("None", (WeightedQuery("agent"),), min_score=99.0)).hits == 0


def test_quick_taste_is_the_same_once_the_papers_are_at_hand(room: Room) -> None:
    wanted = profile()
    assert room.sample.quick_taste(wanted) is None, "nobody has read the papers yet"
    taste = room.sample.taste(wanted)
    assert room.sample.quick_taste(wanted) == taste
    room.ingest([Paper("arXiv:2401.00005", "One more agent")], MONDAY)
    assert room.sample.quick_taste(wanted) is None, "a new one is to be read first"
    room.sample.look()
    found = room.sample.quick_taste(wanted)
    assert found is not None
    assert found.hits == taste.hits + 1


def test_taste_is_found_once_for_who_looks_again_and_not_kept_for_ever(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "KNOWN", 2)
    taste = room.sample.taste(profile())
    assert room.sample.taste(profile()) is taste
    others = [room.sample.taste(profile("Agents", word)) for word in ("nest", "survey")]
    assert [one.hits for one in others] == [2, 1]
    assert room.sample.taste(profile()) is not taste


def test_quick_taste_leaves_many_words_to_a_thread(room: Room) -> None:
    many = Profile("Many", tuple(WeightedQuery(f"word{number}") for number in range(FEW // 5)))
    assert room.sample.taste(many).hits == 0
    assert room.sample.quick_taste(many) is None


def test_sample_lets_papers_go_after_their_days_and_reads_no_paper_twice(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(room.found(profile())) == 3
    room.now = MONDAY + timedelta(days=DAYS - 1)
    room.ingest([Paper("arXiv:2401.00006", "A late agent")], room.now)
    read: list[int] = []
    between = room.store.papers.between
    monkeypatch.setattr(room.store.papers, "between", lambda after, upto: read.append(after) or between(after, upto))
    assert room.found(profile()) == ["An agent", "A nest", "A survey of agents", "A late agent"]
    assert read == [4]
    room.now = MONDAY + timedelta(days=DAYS) + KEPT
    assert room.found(profile()) == ["A late agent"]
    room.now = MONDAY
    assert room.found(profile())[-1] == "A late agent", "a clock that steps back loses nothing new"
