"""Publishing agrees with a plain model of it over random histories: people, files, pauses, and a clock that jumps."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path

import pytest
from support.publish_model import Model, title
from support.store_room import MONDAY, StoreRoom, ids, opened, work

from digestd.model import Cadence, Edition, Paper, Profile, SubscriberState, Weekday, WeightedQuery
from digestd.publish import stage
from digestd.publish.compose import counting
from digestd.publish.stage import preview

WORDS = ("agent", "robot", "graph", "zebra", "token")
HOURS = (time(0), time(7, 30), time(8), time(23, 45))
STEPS = (timedelta(), timedelta(minutes=20), timedelta(hours=7), timedelta(days=1), timedelta(days=3))


def _profile(draw: random.Random, name: str) -> Profile:
    days = draw.sample(list(Weekday), draw.randint(1, 7))
    return Profile(
        name,
        tuple(map(WeightedQuery, draw.sample(WORDS, draw.randint(1, 2)))),
        exclude=tuple(draw.sample(WORDS, draw.choice((0, 0, 1)))),
        alert=tuple(draw.sample(WORDS, draw.choice((0, 0, 1)))),
        cadence=draw.choice(list(Cadence)),
        at=draw.choice(HOURS),
        days=tuple(day for day in Weekday if day in days),
        max_papers=draw.choice((1, 2, 20)),
        send_empty=draw.random() < 0.2,
    )


def _file(draw: random.Random, model: Model) -> list[tuple[int, frozenset[str]]]:
    """Return new papers, and some that were there before."""
    new = len(model.papers)
    papers = [(new + number, frozenset(draw.sample(WORDS, draw.randint(1, 3)))) for number in range(draw.randint(0, 6))]
    again = draw.sample(model.papers, min(len(model.papers), draw.randint(0, 2)))
    return papers + [(number, words) for _, number, words in again]


def _paper(number: int, words: frozenset[str]) -> Paper:
    return replace(work(number), title=title(number, words))


def _told(room: StoreRoom) -> list[tuple[str, str, tuple[tuple[str, tuple[int, ...]], ...]]]:
    return [
        (
            one.reader.email,
            one.issue,
            tuple((part.profile, tuple(int(entry.paper.id[-5:]) for entry in part.entries)) for part in one.sections),
        )
        for one in room.editions()
    ]


@pytest.mark.parametrize("seed", range(12))
def test_publish_over_a_random_history_is_what_the_model_tells(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(seed)
    monkeypatch.setattr(stage, "BATCH", draw.choice((1, 3, 500)))
    monkeypatch.setattr("digestd.publish.compose.MAX_TITLES", 2)
    monkeypatch.setattr("support.publish_model.MAX_TITLES", 2)
    model, now = Model(), MONDAY
    with opened(tmp_path / "digestd.db") as room:
        for _ in range(50):
            now += draw.choice(STEPS) * draw.choice((1, 1, 1, 1, -1))
            match draw.randrange(6):
                case 0 if len(model.people) < 6:
                    email = f"r{len(model.people)}@example.org"
                    model.people[email] = [_profile(draw, f"P{number}") for number in range(draw.randint(1, 3))]
                    model.active.add(email)
                    room.subscribe(email, *model.people[email], now=now)
                case 1 | 2:
                    papers = _file(draw, model)
                    known = {number for _, number, _ in model.papers}
                    model.papers += [(now, number, words) for number, words in papers if number not in known]
                    room.ingest([_paper(number, words) for number, words in papers], now)
                case 3 if model.people:
                    email = draw.choice(sorted(model.people))
                    model.active ^= {email}
                    state = SubscriberState.ACTIVE if email in model.active else SubscriberState.PAUSED
                    room.state(email, state, now)
                case _:
                    for email in sorted(model.active):
                        preview(room.store, room.store.subscribers.find(email).pk, now)
                    model.publish(now)
                    room.publish(now)
                    assert sorted(_told(room)) == sorted(model.editions)
        _check_promises(room, model)


def _check_promises(room: StoreRoom, model: Model) -> None:
    """Assert that each paper that a profile looked at and wants is in exactly one edition, or past the cap."""
    told = {email: [number for one in room.editions(email) for number in _numbers(one)] for email in model.people}
    assert all(len(numbers) == len(set(numbers)) for numbers in told.values())
    looks = 0
    for (email, name, cadence), state in model.progress.items():
        profile = next(one for one in model.people[email] if one.name == name)
        wanted, unwanted = {query.query for query in counting(profile, cadence)}, set(profile.exclude)
        for _, number, words in model.papers[state.began : state.looked] if state.issue else ():
            if wanted & words and not unwanted & words:
                assert number in told[email] or number in model.passed[email]
                looks += 1
    assert looks


def _numbers(edition: Edition) -> list[int]:
    return [int(paper[-5:]) for paper in ids(edition)]
