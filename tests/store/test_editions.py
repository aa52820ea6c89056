"""What the store promises of editions: an issue is written once and whole, a paper is told to a person once."""

from __future__ import annotations

import multiprocessing
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.store_room import EVERY_DAY, MONDAY, SNAPSHOT, StoreRoom, at, ids, named, opened, profile, work

from digestd.errors import NotFound, StoreError
from digestd.model import Cadence, Origin, OutboxState, Place, Subscriber, SubscriberState
from digestd.publish import stage
from digestd.publish.due import AT_ONCE
from digestd.publish.stage import publish
from digestd.store import editions
from digestd.store.base import Composed, DueSubscriber, Saved
from digestd.store.open import SqliteStore

NOW = MONDAY


def due(room: StoreRoom, now: Any = NOW, limit: int = 100) -> list[DueSubscriber]:
    return room.store.editions.due(now, room.store.papers.newest(), limit)


def composed(room: StoreRoom, now: Any = NOW) -> list[Composed]:
    """Return what publishing would write now, unwritten."""
    news = stage._news(room.store, now, stage.NEAR)
    idle, issues = stage._due(room.store, due(room, now), news, now, AT_ONCE)
    return idle + stage._compose(room.store, news, issues, room.store.editions.key(), AT_ONCE, None)


def test_key_is_32_octets_for_ever_and_another_in_each_store(room: StoreRoom, tmp_path: Path) -> None:
    key = room.store.editions.key()
    assert len(key) == 32
    with closing(SqliteStore(room.path)) as again, closing(SqliteStore(tmp_path / "other.db")) as other:
        assert again.editions.key() == key != other.editions.key()


# Due


def test_due_gives_active_people_with_what_is_due_of_them(room: StoreRoom) -> None:
    room.ingest([work(1)])
    room.subscribe("daily@example.org", profile("D"), profile("W", cadence=Cadence.WEEKLY))
    room.subscribe("alert@example.org", profile("A", alert=("graph",)))
    for state in (SubscriberState.PAUSED, SubscriberState.UNSUBSCRIBED, SubscriberState.SUPPRESSED):
        room.subscribe(f"{state}@example.org", profile())
        room.state(f"{state}@example.org", state)
    found = {one.email: [(each.profile.name, each.cadence) for each in one.profiles] for one in due(room)}
    assert found == {
        "daily@example.org": [("D", Cadence.DAILY), ("W", Cadence.WEEKLY)],
        "alert@example.org": [("A", Cadence.DAILY), ("A", Cadence.IMMEDIATE)],
    }
    room.publish()
    assert due(room) == []
    [later] = [one for one in due(room, at(24)) if one.email == "daily@example.org"]
    assert [each.profile.name for each in later.profiles] == ["D"]
    assert [(each.issue, each.horizon) for each in later.profiles] == [("daily:2026-11-23", 1)]


def test_due_of_an_alert_waits_for_papers_and_not_for_an_hour(room: StoreRoom) -> None:
    room.ingest([work(1)])
    room.subscribe("a@example.org", profile("A", cadence=Cadence.IMMEDIATE))
    room.publish()
    assert due(room, at(30)) == []
    room.ingest([work(2)])
    assert len(due(room)) == 1


def test_due_gives_the_oldest_first_and_keeps_to_its_limit(room: StoreRoom) -> None:
    room.ingest([work(1)])
    for name, hour in (("late", 8), ("early", 6), ("middle", 7)):
        room.subscribe(f"{name}@example.org", profile(name, at=at(23, hour).time()), profile(f"{name} too"))
    room.publish()
    assert [one.email.split("@")[0] for one in due(room, at(24))] == ["early", "middle", "late"]
    assert [one.email.split("@")[0] for one in due(room, at(24), limit=1)] == ["early"]
    assert due(room, at(24), limit=0) == []


def test_due_is_not_hidden_by_people_who_left(room: StoreRoom) -> None:
    for number in range(5):
        room.subscribe(f"gone{number}@example.org", profile())
        room.state(f"gone{number}@example.org", SubscriberState.UNSUBSCRIBED)
    room.subscribe("here@example.org", profile())
    assert [one.email for one in due(room, limit=1)] == ["here@example.org"]


def test_profiles_of_gives_all_with_their_progress_due_or_not(room: StoreRoom) -> None:
    room.ingest([work(1)])
    pk = room.subscribe("a@example.org", profile("A"))
    room.publish()
    [one] = room.store.editions.profiles_of(pk).profiles
    assert (one.issue, one.horizon, one.profile) == ("daily:2026-11-23", 1, profile("A"))


# Saved


def test_save_writes_the_edition_its_papers_and_its_way_out(room: StoreRoom) -> None:
    papers = [work(number, abstract=f"Abstract {number}.") for number in range(1, 4)]
    room.ingest(papers)
    pk = room.subscribe(
        "A@example.org", profile("One", "agent", max_papers=2), profile("Two", "graph", send_empty=True)
    )
    token: list[tuple[int, str]] = []
    snapshot = room.store.editions.keep(SNAPSHOT)
    assert room.store.editions.save(composed(room), snapshot, NOW) == Saved(issues=1, editions=1, papers=3)

    def remember(subscriber: int, address: str) -> str:
        token.append((subscriber, address))
        return "a token"

    [(number, (edition, sha256))] = room.store.editions.load([1, 99], remember).items()
    assert (number, sha256, token) == (1, snapshot, [(pk, "A@example.org")])
    assert (edition.issue, edition.cadence, edition.composed_at) == ("daily:2026-11-23", Cadence.DAILY, NOW)
    assert (edition.reader.email, edition.reader.token, edition.considered) == ("A@example.org", "a token", 3)
    first, second = edition.sections
    assert [(entry.place, entry.queries) for entry in first.entries] == [
        (Place.CARD, ("agent",)),
        (Place.CARD, ("agent",)),
        (Place.TITLE, ("agent",)),
    ]
    assert {entry.paper for entry in first.entries} == set(papers)
    assert (first.profile, first.matched, second.profile, second.entries) == ("One", 3, "Two", ())
    row, ledger = room.store.outbox.row("1")
    assert (row.state, row.attempts, row.not_before, ledger) == (OutboxState.READY, 0, NOW, [])
    assert row.edition_id == edition.id


def test_load_shows_a_paper_as_it_was_when_the_edition_was_composed(room: StoreRoom) -> None:
    room.ingest([work(1, abstract="Before.")])
    room.subscribe("a@example.org", profile())
    room.publish()
    room.ingest([work(1, abstract="After.", version=2)])
    room.people(Subscriber("A@example.org", "New name", "Asia/Tokyo", (profile("Renamed"),)))
    [edition] = room.editions()
    [section] = edition.sections
    assert section.entries[0].paper.abstract == "Before."
    assert (section.profile, edition.reader.email, edition.reader.name) == ("Agents", "a@example.org", "")


def test_section_keeps_how_many_papers_each_query_hits_as_it_is_written(room: StoreRoom) -> None:
    room.ingest([work(1, "agent"), work(2, "língua agent")])
    ada = room.subscribe("a@example.org", profile("Q", "agent", '"língua agent"', "a\\b"))
    room.publish()
    part = room.store.sections.of(ada, 1)
    assert part is not None
    assert part.hits == {"agent": 2, '"língua agent"': 1, "a\\b": 0}
    with closing(sqlite3.connect(room.path)) as connection:
        [(kept,)] = connection.execute("SELECT hits FROM edition_profile")
    assert kept == r"""{"agent": 2, "\"língua agent\"": 1, "a\\b": 0}"""


def test_load_shares_what_many_are_told_and_keeps_no_more_of_it_than_it_may(
    room: StoreRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.ingest([work(1), work(2), work(3)])
    for name in ("a", "b"):
        room.subscribe(f"{name}@example.org", profile())
    room.publish()
    one, other = room.editions()
    [said], [again] = one.sections, other.sections
    assert [id(entry) for entry in said.entries] == [id(entry) for entry in again.entries]
    monkeypatch.setattr(editions, "MOST_ENTRIES", 2)
    room.ingest([work(4)])
    room.publish(NOW + timedelta(days=1))
    assert [edition.sections[0].entries for edition in room.editions()][:2] == [said.entries, said.entries]
    [(_, (newest, _))] = room.store.editions.load([4], lambda subscriber, address: "").items()
    assert [entry.paper for entry in newest.sections[0].entries] == [work(4)]
    assert len(vars(room.store.editions)["_entries"]) == 1


def test_announced_and_announcement_tell_what_a_person_was_told(room: StoreRoom) -> None:
    room.ingest([work(1), work(2, "graph"), work(3)])
    ada, ben = room.subscribe("a@example.org", profile()), room.subscribe("b@example.org", profile("G", "graph"))
    room.publish()
    room.ingest([work(4, "robot")])
    room.subscribe("a@example.org", profile("Now", "robot", cadence=Cadence.IMMEDIATE))
    room.publish()
    told = room.store.editions.announced([ada, ben, 99], 0)
    assert {person: list(papers) for person, papers in told.items()} == {ada: [1, 3, 4], ben: [2], 99: []}
    assert [one.cadence for one in told[ada].values()] == [Cadence.DAILY, Cadence.DAILY, Cadence.IMMEDIATE]
    assert told[ada][1].profile == told[ada][3].profile != told[ada][4].profile
    assert room.store.editions.announced([ada], 1)[ada] == {pk: told[ada][pk] for pk in (3, 4)}
    assert room.store.editions.revisions([told[ada][pk].revision for pk in (4, 1)]) == (work(4, "robot"), work(1))
    found = room.store.editions.announcement(ada, 3)
    assert found is not None
    edition, entry = found
    assert (room.store.outbox.row(str(edition))[0].email, entry.paper, entry.queries) == (
        "a@example.org",
        work(3),
        ("agent",),
    )
    assert room.store.editions.announcement(ada, 2) is None


def test_keep_keeps_a_snapshot_once_for_its_content(room: StoreRoom) -> None:
    first = room.store.editions.keep(SNAPSHOT)
    other = room.store.editions.keep(replace(SNAPSHOT, templates={"mail/page.html.j2": "another"}))
    assert first == room.store.editions.keep(SNAPSHOT) == SNAPSHOT.sha256 != other
    assert room.store.editions.snapshot(first) == SNAPSHOT
    with pytest.raises(NotFound, match="no template snapshot"):
        room.store.editions.snapshot("0" * 64)


# Races


def test_save_of_an_issue_that_another_composed_is_passed_over(room: StoreRoom) -> None:
    room.ingest([work(1)])
    room.subscribe("a@example.org", profile())
    room.subscribe("b@example.org", profile())
    mine = composed(room)
    room.store.subscribers.set_state("b@example.org", SubscriberState.PAUSED, Origin.OPERATOR, NOW)
    room.publish()  # another one's: only a's
    snapshot = room.store.editions.keep(SNAPSHOT)
    assert room.store.editions.save(mine, snapshot, NOW) == Saved(issues=1, editions=1, papers=1)
    assert room.told("a@example.org") == [("daily:2026-11-23", named(1))]
    assert room.told("b@example.org") == [("daily:2026-11-23", named(1))]


def test_save_of_a_paper_that_another_profile_announced_stops_nobody_and_is_composed_anew(room: StoreRoom) -> None:
    room.ingest([work(1), work(2)])
    room.subscribe("a@example.org", profile("Daily"), profile("Alert", cadence=Cadence.IMMEDIATE))
    room.subscribe("b@example.org", profile())
    everything = composed(room)
    alert = [one for one in everything if one.cadence is Cadence.IMMEDIATE]
    daily = [one for one in composed_alone(room, Cadence.DAILY) if one.subscriber.email == "a@example.org"]
    snapshot = room.store.editions.keep(SNAPSHOT)
    assert room.store.editions.save(alert, snapshot, NOW).editions == 1
    others = [one for one in everything if one.subscriber.email == "b@example.org"]
    assert room.store.editions.save(daily + others, snapshot, NOW) == Saved(issues=1, editions=1, papers=2)
    assert room.told("b@example.org") == [("daily:2026-11-23", named(1, 2))]
    [left] = due(room)
    assert [(one.profile.name, one.issue) for one in left.profiles] == [("Daily", None)]  # due as it was
    room.ingest([work(3)])
    room.publish()
    told = [paper for _, papers in room.told("a@example.org") for paper in papers]
    assert sorted(told) == named(1, 2, 3)


def composed_alone(room: StoreRoom, cadence: Cadence) -> list[Composed]:
    """Return what a publisher writes that saw only the profiles of one cadence due."""
    news = stage._news(room.store, NOW, stage.NEAR)
    people = [
        person._replace(profiles=tuple(one for one in person.profiles if one.cadence is cadence))
        for person in due(room)
    ]
    idle, issues = stage._due(room.store, [person for person in people if person.profiles], news, NOW, AT_ONCE)
    return idle + stage._compose(room.store, news, issues, room.store.editions.key(), AT_ONCE, None)


def test_save_of_an_empty_issue_that_is_late_turns_nothing_back(room: StoreRoom) -> None:
    room.ingest([work(1, "graph")])
    pk = room.subscribe("a@example.org", profile())
    late = composed(room)
    assert [one.edition_id for one in late] == [None]
    for day in (23, 24):  # another publisher, while ours slept
        room.ingest([work(day)])
        room.publish(at(day))
    assert room.store.editions.save(late, room.store.editions.keep(SNAPSHOT), NOW) == Saved(0, 0, 0)
    [one] = room.store.editions.profiles_of(pk).profiles
    assert (one.issue, one.horizon) == ("daily:2026-11-24", 3)


def test_save_with_a_snapshot_that_was_not_kept_is_an_error_and_leaves_nothing(room: StoreRoom) -> None:
    room.ingest([work(1)])
    room.subscribe("a@example.org", profile())
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        room.store.editions.save(composed(room), "0" * 64, NOW)
    assert room.editions() == []
    assert len(due(room)) == 1


def test_save_of_a_profile_that_changed_meanwhile_is_passed_over(room: StoreRoom) -> None:
    room.ingest([work(1), work(2, "graph")])
    room.subscribe("a@example.org", profile("P", "agent"))
    mine = composed(room)
    room.subscribe("a@example.org", profile("P", "graph"))
    assert room.store.editions.save(mine, room.store.editions.keep(SNAPSHOT), NOW) == Saved(0, 0, 0)
    room.publish()
    assert room.told("a@example.org") == [("daily:2026-11-23", named(2))]


def test_save_of_a_profile_that_was_taken_away_meanwhile_is_passed_over(room: StoreRoom) -> None:
    room.ingest([work(1)])
    room.people(Subscriber("a@example.org", profiles=(profile(),)))
    mine = composed(room)
    room.people(Subscriber("a@example.org", profiles=()))
    assert room.store.editions.save(mine, room.store.editions.keep(SNAPSHOT), NOW) == Saved(0, 0, 0)


def test_save_of_a_batch_that_nobody_overtook_is_written_at_once(room: StoreRoom) -> None:
    many = 250
    room.ingest([work(1), work(2)])
    room.people(*(Subscriber(f"r{number}@example.org", profiles=(profile(),)) for number in range(many)))
    ran: list[str] = []
    with room.store.editions._connections.write() as connection:
        connection.set_trace_callback(ran.append)
    room.publish()
    with room.store.editions._connections.write() as connection:
        connection.set_trace_callback(None)
    assert len(room.editions()) == many
    assert not any(statement.startswith("SAVEPOINT") for statement in ran)


@pytest.mark.parametrize("way", [Cadence.WEEKLY, Cadence.IMMEDIATE])
def test_profile_that_goes_to_another_cadence_and_back_is_composed_once_and_misses_nothing(
    room: StoreRoom, way: Cadence
) -> None:
    room.ingest([work(1)])
    room.subscribe("a@example.org", profile())
    room.publish()
    room.subscribe("a@example.org", profile(cadence=way))
    room.subscribe("a@example.org", profile())
    room.ingest([work(2)])
    room.publish()
    room.publish(at(24))
    assert room.told("a@example.org") == [("daily:2026-11-23", named(1)), ("daily:2026-11-24", named(2))]


def publish_in_a_process(path: Path, barrier: Any, count: Any) -> None:
    with closing(SqliteStore(path)) as store:
        barrier.wait(20)
        report = publish(store, SNAPSHOT, NOW)
        with count.get_lock():
            count.value += report.editions


def test_two_processes_that_publish_at_once_compose_each_issue_once(tmp_path: Path) -> None:
    people = 300
    with opened(tmp_path / "a.db") as room:
        room.ingest([work(number) for number in range(1, 6)])
        room.people(
            *(Subscriber(f"r{n}@example.org", profiles=(profile(), profile("G", "graph"))) for n in range(people))
        )
    spawn = multiprocessing.get_context("spawn")
    barrier, count = spawn.Barrier(2), spawn.Value("i", 0)
    both = [spawn.Process(target=publish_in_a_process, args=(tmp_path / "a.db", barrier, count)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(30)
    assert [process.exitcode for process in both] == [0, 0]
    with opened(tmp_path / "a.db") as room:
        editions = room.editions()
        assert len(editions) == len({one.reader.email for one in editions}) == count.value == people
        assert all(sorted(ids(one)) == named(1, 2, 3, 4, 5) for one in editions)
        assert due(room) == []


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("INSERT INTO edition_profile SELECT * FROM edition_profile", "edition_profile.profile, edition_profile.issue"),
        ("INSERT INTO edition_paper SELECT * FROM edition_paper", "edition_paper.subscriber, edition_paper.paper"),
        ("INSERT INTO outbox SELECT * FROM outbox", "outbox.edition"),
        ("INSERT INTO subscriber (address, email, name, timezone, state, state_by, origin, changed_at)"
         " SELECT address, email, name, timezone, state, state_by, origin, changed_at"
         " FROM subscriber", "subscriber.address"),
        ("INSERT INTO digest_file SELECT 99, sha256, name, format, size, ingested_at, 0, 0, 0, 0, 0 FROM digest_file",
         "digest_file.sha256"),
        ("UPDATE outbox SET state = 'lost'", "CHECK"),
        ("UPDATE subscriber SET state = 'gone'", "CHECK"),
    ],
)  # fmt: skip
def test_constraints_carry_the_promises(room: StoreRoom, statement: str, constraint: str) -> None:
    room.ingest([work(1)])
    room.subscribe("a@example.org", profile())
    room.publish()
    with closing(sqlite3.connect(room.path)) as raw, pytest.raises(sqlite3.IntegrityError, match=constraint):
        raw.execute(statement)


def test_composed_papers_of_one_person_never_repeat_over_days(room: StoreRoom) -> None:
    followed = profile("B", "agent OR graph", alert=("robot",), days=EVERY_DAY)
    room.subscribe("a@example.org", profile("A", days=EVERY_DAY), followed)
    words = ("agent", "graph", "robot agent")
    for day in range(7):
        numbers = range(day * 4, day * 4 + 6)  # two of each day are those of the day before
        room.ingest([work(number, words[number % 3]) for number in numbers], NOW + timedelta(days=day))
        room.publish(NOW + timedelta(days=day))
    told = [paper for _, papers in room.told("a@example.org") for paper in papers]
    assert len(told) == len(set(told)) == 30
