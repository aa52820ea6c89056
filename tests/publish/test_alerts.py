"""Many immediate profiles: those that no paper hits are passed over, and nobody is told more or less for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from support.store_room import SNAPSHOT, StoreRoom, at, opened, profile, work

from digestd.model import Cadence, Profile, SubscriberState
from digestd.publish import stage
from digestd.publish.alerts import Warm
from digestd.publish.news import News

NOW = replace(profile("Now"), cadence=Cadence.IMMEDIATE)
WORDS = ("agent", "robot", "graph", "survey")


def asking(*queries: str, exclude: tuple[str, ...] = ()) -> Profile:
    return replace(profile("Now", *queries, exclude=exclude), cadence=Cadence.IMMEDIATE)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "FEW", 1)
    monkeypatch.setattr(stage, "TOGETHER", 2)


@pytest.mark.usefixtures("few")
def test_publish_passes_over_immediate_profiles_without_anything_for_them(
    room: StoreRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, word in enumerate(WORDS * 3):
        room.subscribe(f"r{number}@example.org", asking(word))
    room.ingest([work(1, "nothing")])
    room.publish()
    room.ingest([work(2, "robot"), work(3, "nothing")], at(23, 10))
    composed: list[str] = []
    original = stage._composed
    monkeypatch.setattr(
        stage, "_composed", lambda issue, *rest: composed.append(issue.person.email) or original(issue, *rest)
    )
    warm = Warm()
    assert stage.publish(room.store, SNAPSHOT, at(23, 10), warm=warm).editions == 3
    assert composed == [f"r{number}@example.org" for number in (1, 5, 9)]
    assert room.store.alerts.waiting(3) == []
    assert stage.publish(room.store, SNAPSHOT, at(23, 11), warm=warm).editions == 0


@pytest.mark.parametrize("seed", range(6))
def test_publish_with_a_warm_index_tells_everybody_what_it_tells_without(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []
    for few in (1, 10**9):
        monkeypatch.setattr(stage, "FEW", few)
        random, warm = Random(seed), Warm()
        with opened(tmp_path / f"{few}.db") as room:
            for step in range(25):
                now = at(23, 9, step)
                email = f"r{random.randrange(5)}@example.org"
                match random.randrange(4):
                    case 0:
                        excluded = tuple(random.sample(WORDS, random.randint(0, 1)))
                        room.subscribe(email, asking(random.choice(WORDS), exclude=excluded), now=now)
                    case 1:
                        people = [one.subscriber.email for one in room.store.subscribers.all()]
                        if people:
                            state = random.choice((SubscriberState.ACTIVE, SubscriberState.PAUSED))
                            room.state(random.choice(people), state, now)
                    case _:
                        room.ingest([work(step, " ".join(random.sample(WORDS, 2)))], now)
                if room.store.papers.newest():
                    stage.publish(room.store, SNAPSHOT, now, warm=warm)
            told.append([(one.reader.email, one.issue, room.told(one.reader.email)) for one in room.editions()])
    assert told[0] == told[1]
    assert told[0]


def test_pass_over_leaves_what_changed_since_it_was_read(room: StoreRoom) -> None:
    for name in ("ada", "ben", "eve"):
        room.subscribe(f"{name}@example.org", asking("agent"))
    room.ingest([work(1, "nothing")])
    room.publish()
    room.ingest([work(2, "nothing"), work(3, "nothing")], at(23, 10))
    read = room.store.alerts.waiting(3)
    assert [(one.horizon, room.store.alerts.profiles([one.spec])[one.spec].queries) for one in read] == [
        (1, NOW.queries)
    ] * 3
    room.subscribe("ben@example.org", asking("robot"))  # another profile by now
    room.store.alerts.pass_over(read[2:], 2)  # and somebody else has moved this one
    assert room.store.alerts.pass_over(read, 3) == 1
    assert [one.profile for one in room.store.alerts.waiting(3)] == [read[1].profile, read[2].profile]
    room.state("ben@example.org", SubscriberState.PAUSED)
    assert [(one.profile, one.horizon) for one in room.store.alerts.waiting(3)] == [(read[2].profile, 2)]


def test_warm_holds_what_it_is_told_to_and_reads_only_what_is_new(room: StoreRoom) -> None:
    room.ingest([work(1, "robot"), work(2), work(3, "robot")])
    news = News(room.store.papers.between, 3, lambda: 0)
    warm, read = Warm(), []
    contents = {1: asking("agent"), 2: asking("robot"), 3: asking("robot", exclude=("robot",))}

    def profiles(specs: object) -> dict[int, object]:
        read.append(sorted(specs))  # type: ignore[call-overload]
        return {spec: contents[spec] for spec in read[-1]}

    warm.hold([1, 2, 3, 2], profiles)
    assert warm.newest_hits(news.documents(0)) == {2: 3, 1: 2}
    warm.hold([2, 3], profiles)
    assert warm.newest_hits(news.documents(1)) == {2: 3}
    warm.hold([1], profiles)
    assert warm.newest_hits(news.documents(0)) == {1: 2}
    assert read == [[1, 2, 3], [1]]
