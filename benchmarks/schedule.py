"""What a tick costs with 100,000 subscribers over all zones and hours: `python -m benchmarks.schedule`.

Half of them have paused with their hour long past. A tick that finds nothing is measured against the goal of 5 ms,
and finding what is due against the number of those due: reading a hundred must cost about a hundred times one.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from datetime import time as hour
from pathlib import Path
from zoneinfo import available_timezones

from digestd.config import Mail, Paths, Settings, Smtp
from digestd.model import Paper, Profile, Subscriber, SubscriberState, Weekday, WeightedQuery
from digestd.service import build
from digestd.service.rounds import Rounds
from digestd.store.base import DigestFile, Roster

PEOPLE = 100_000
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def person(number: int, draw: random.Random, zones: list[str]) -> Subscriber:
    """Return one of the many: a daily profile at a full quarter of an hour somewhere."""
    zone, at = draw.choice(zones), hour(draw.randrange(24), draw.choice((0, 15, 30, 45)))
    profile = Profile("Papers", (WeightedQuery("robot"),), at=at, days=tuple(Weekday), timezone=zone)
    state = SubscriberState.PAUSED if number % 2 else SubscriberState.ACTIVE
    return Subscriber(f"r{number}@example.org", timezone=zone, profiles=(profile,), state=state)


def main() -> None:
    """Fill a store, publish once for everybody, and measure ticks."""
    draw, zones = random.Random(1), sorted(available_timezones())
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            paths=Paths(database=Path(folder) / "digestd.db"),
            smtp=Smtp(host="localhost"),
            mail=Mail(from_address="papers@example.org"),
        )
        with closing(build.store(settings)) as store:
            people = tuple(person(number, draw, zones) for number in range(PEOPLE))
            store.subscribers.sync(Roster(people, {}, frozenset(), complete=True), NOW)
            paper = Paper("arXiv:2611.00001", "A Graph")
            store.papers.add_file(DigestFile("one", "test", 1, "0" * 64), [paper], lambda: 0, NOW)
            rounds = Rounds(settings, store, lambda: NOW, build.snapshot(settings))
            rounds.publish()
            quiet = [_seconds(rounds.publish) for _ in range(200)]
            print(f"a tick that finds nothing due: median {1000 * statistics.median(quiet):.2f} ms, goal 5")
            print("due people    found in    for each")
            for minutes in (15, 60, 240, 720):
                later = NOW + timedelta(minutes=minutes)
                seconds = min(_seconds(lambda moment=later: store.editions.due(moment, 1, PEOPLE)) for _ in range(3))
                due = len(store.editions.due(later, 1, PEOPLE))
                print(f"{due:10,}  {1000 * seconds:8.1f} ms  {1e6 * seconds / max(1, due):6.1f} µs")


def _seconds(work: object) -> float:
    assert callable(work)
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
