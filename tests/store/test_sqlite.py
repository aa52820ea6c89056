"""The ground of the SQLite store: what it refuses, what it keeps, and how it fails."""

from __future__ import annotations

import io
import re
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.world import World, papers, reader

from digestd.errors import NotAllowed, NotFound, StoreBusy, StoreError, StoreUnusable
from digestd.model import Origin, OutboxState, Paper, Profile, Subscriber, SubscriberState, WeightedQuery
from digestd.store.base import DigestFile, Gathered, Roster, Transition
from digestd.store.open import SqliteStore
from digestd.store.sql import statements

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
NOBODY = Roster((), {}, frozenset(), complete=True)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def filled(world: World) -> World:
    world.people(reader("ada", "robot"), reader("ben", "graph"))
    world.drop(papers("A Robot", "A Graph"))
    world.publish()
    return world


def damaged(path: Path) -> None:
    SqliteStore(path).close()
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xff" * 4096 * 6)


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()


def newer(path: Path) -> None:
    SqliteStore(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_text("not a database " * 100), "not a sound database"),
        (foreign, "a database of another program"),
        (newer, "written by a newer digestd"),
        (damaged, "restore a backup"),
    ],
    ids=["text", "foreign", "newer", "damaged"],
)
def test_store_of_a_file_that_is_not_ours_is_refused_and_not_touched(
    tmp_path: Path, make: Callable[[Path], object], words: str
) -> None:
    path = tmp_path / "digestd.db"
    make(path)
    before = path.read_bytes()
    with pytest.raises(StoreUnusable, match=words) as raised:
        SqliteStore(path)
    assert str(path) in str(raised.value)
    assert path.read_bytes() == before
    assert raised.value.exit_status == 78


def test_store_in_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="file"):
        SqliteStore(tmp_path / "file" / "digestd.db")


def test_store_made_twice_at_once_is_one(tmp_path: Path) -> None:
    first, second = SqliteStore(tmp_path / "a.db"), SqliteStore(tmp_path / "a.db")
    assert first.editions.key() == second.editions.key()
    first.close()
    second.close()


def writers(store: SqliteStore) -> dict[str, Callable[[], object]]:
    profile = Profile("P", (WeightedQuery("robot"),))
    file = DigestFile("x", "jsonl", 1, "0" * 64)
    step = Transition(1, OutboxState.READY, OutboxState.SENT, NOW)
    return {
        "add_file": lambda: store.papers.add_file(file, [Paper("title:1", "One")], lambda: 0, NOW),
        "sync": lambda: store.subscribers.sync(NOBODY, NOW),
        "add": lambda: store.subscribers.add(Subscriber("x@example.org", profiles=(profile,)), Origin.OPERATOR, NOW),
        "set_state": lambda: store.subscribers.set_state(
            "ada@example.org", SubscriberState.PAUSED, Origin.OPERATOR, NOW
        ),
        "save": lambda: store.editions.save([], "0", NOW),
        "recover": lambda: store.outbox.recover("me", NOW, hold=False),
        "claim": lambda: store.outbox.claim("me", NOW, 10),
        "record": lambda: store.outbox.record("me", [step]),
        "release": lambda: store.outbox.release("me", NOW),
        "bring_forward": lambda: store.outbox.bring_forward(NOW, timedelta(hours=6)),
        "adopt": lambda: store.outbox.adopt(),
        "settle": lambda: store.outbox.settle(1, {OutboxState.READY}, OutboxState.CANCELLED, "x", NOW),
    }


@pytest.mark.parametrize("method", sorted(writers(None)))  # type: ignore[arg-type]
def test_store_locked_by_another_process_is_busy_and_nothing_changes(world: World, method: str) -> None:
    filled(world)
    store = SqliteStore(world.settings.paths.database, busy_timeout=0.05)
    other = sqlite3.connect(world.settings.paths.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(StoreBusy, match=r"another process has held the database for 0\.05 seconds"):
            writers(store)[method]()
        assert store.papers.newest() == 2  # reading goes on
    finally:
        other.execute("ROLLBACK")
        other.close()
        writers(store)[method]()
        store.close()


def test_store_write_that_fails_in_the_middle_leaves_nothing(world: World) -> None:
    class Broken(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise OSError("broken off")  # when the file and the papers of another are in

    whole = world.store.papers.gather(DigestFile("x", "jsonl", 1, "0" * 64), [Paper("title:1", "One")], lambda: 0)
    broken = Gathered(DigestFile("y", "jsonl", 1, "1" * 64), 0, Broken())
    with whole, broken, pytest.raises(OSError, match="broken off"):
        world.store.papers.add([whole, broken], NOW)
    assert world.store.papers.newest() == 0
    assert not world.store.papers.ingested("0" * 64)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE ledger SET reply = 'x'", "DELETE FROM ledger", "INSERT INTO outbox (edition, state) VALUES (99, 'ready')"],
)
def test_store_constraint_keeps_the_promise(world: World, statement: str) -> None:
    filled(world).store.outbox.settle(1, {OutboxState.READY}, OutboxState.CANCELLED, "a line for the ledger", NOW)
    connection = sqlite3.connect(world.settings.paths.database)
    connection.execute("PRAGMA foreign_keys = ON")
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(statement)
    connection.close()


def test_store_announces_a_paper_to_a_person_once(world: World) -> None:
    filled(world)
    connection = sqlite3.connect(world.settings.paths.database)
    columns = "subscriber, paper, edition, profile, position, revision, place, score, standing, queries"
    with pytest.raises(sqlite3.IntegrityError, match=r"edition_paper.subscriber, edition_paper.paper"):
        connection.execute(f"INSERT INTO edition_paper ({columns}) SELECT {columns} FROM edition_paper LIMIT 1")
    connection.close()


@pytest.mark.parametrize("noun", ["papers", "subscribers", "editions", "alerts", "sections", "outbox"])
def test_sql_every_statement_is_sound_and_used(tmp_path: Path, noun: str) -> None:
    SqliteStore(tmp_path / "a.db").close()
    connection = sqlite3.connect(tmp_path / "a.db")
    code = "".join(path.read_text() for path in (Path(__file__).parents[2] / "digestd" / "store").glob("*.py"))
    for name, statement in statements(noun).items():
        names = set(re.findall(r":(\w+)", re.sub(r"'[^']*'", "", statement)))
        connection.execute(f"EXPLAIN {statement}", [1] * statement.count("?") or dict.fromkeys(names, 1))
        assert f'_sql["{name}"]' in code, f"{noun}.sql: {name} is not used"
    connection.close()


@pytest.mark.parametrize(
    ("noun", "name", "index"),
    [
        ("outbox", "next", "outbox_ready"),
        ("outbox", "bring_forward", "outbox_ready"),
        ("outbox", "coming", "outbox_ready"),
        ("subscribers", "spec", "spec_digest"),
        ("outbox", "left_behind", "outbox_in_hand"),
        ("outbox", "suspect", "outbox_suspect"),
        ("outbox", "claim", "INTEGER PRIMARY KEY"),
        ("outbox", "begin_sending", "INTEGER PRIMARY KEY"),
        ("outbox", "transition", "INTEGER PRIMARY KEY"),
        ("outbox", "write_ledgers", "INTEGER PRIMARY KEY"),
        ("outbox", "release", "outbox_in_hand"),
        ("outbox", "has_work", "outbox_in_hand"),
        ("outbox", "row", "sqlite_autoindex_edition_1"),
        ("editions", "advance", "progress USING PRIMARY KEY"),
        ("editions", "due", "progress_due_at"),
        ("editions", "due", "progress_horizon"),
        ("papers", "first_since", "paper_ingested_at"),
    ],
)
def test_sql_what_runs_at_every_tick_goes_by_its_index(tmp_path: Path, noun: str, name: str, index: str) -> None:
    SqliteStore(tmp_path / "a.db").close()
    connection = sqlite3.connect(tmp_path / "a.db")
    statement = statements(noun)[name]
    names = set(re.findall(r":(\w+)", statement))
    values = [1] * statement.count("?") or dict.fromkeys(names, 1)
    plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
    connection.close()
    assert any(index in str(row) for row in plan), plan
    inner = {"(subquery-1)", "(subquery-3)", "(subquery-4)", "due"}  # of due: what is already bounded
    whole = [row[3] for row in plan if row[3].startswith("SCAN") and "INDEX" not in row[3]]
    assert {text.split()[1] for text in whole} <= inner | {"json_each", "b", "o", "CONSTANT"}, plan


def test_sql_file_that_names_a_statement_twice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digestd.store.sql.read", lambda file: "-- name: a\nSELECT 1\n-- name: a\nSELECT 2\n")
    with pytest.raises(ValueError, match="twice"):
        statements.__wrapped__("x")


def test_subscribers_unknown_names_the_nearest(world: World) -> None:
    filled(world)
    with pytest.raises(NotFound, match=r"did you mean ada@example\.org\?"):
        world.store.subscribers.find("adda@example.org")
    assert world.store.subscribers.find("ADA@Example.org").subscriber.email == "ada@example.org"
    for missing in (lambda: world.store.subscribers.numbered(99), lambda: world.store.editions.profiles_of(99)):
        with pytest.raises(NotFound):
            missing()
    with pytest.raises(NotFound):
        world.store.editions.snapshot("0" * 64)
    assert world.store.editions.announcement(1, 99) is None


def test_subscribers_who_left_by_their_own_wish_stay_away(world: World) -> None:
    people = filled(world).store.subscribers
    people.set_state("ada@example.org", SubscriberState.UNSUBSCRIBED, Origin.READER, NOW)
    with pytest.raises(NotAllowed, match="asked to leave"):
        people.set_state("ada@example.org", SubscriberState.ACTIVE, Origin.OPERATOR, NOW)
    with pytest.raises(NotAllowed, match="asked to leave"):
        people.add(Subscriber("ada@example.org"), Origin.OPERATOR, NOW)
    people.set_state("ada@example.org", SubscriberState.ACTIVE, Origin.READER, NOW)
    people.set_state("ada@example.org", SubscriberState.SUPPRESSED, Origin.OPERATOR, NOW)
    with pytest.raises(NotAllowed, match="suppressed"):
        people.set_state("ada@example.org", SubscriberState.PAUSED, Origin.OPERATOR, NOW)


def test_subscribers_sync_removes_and_takes_back(world: World) -> None:
    filled(world)
    people = world.store.subscribers

    def state(name: str) -> SubscriberState:
        return people.find(f"{name}@example.org").subscriber.state

    world.people(reader("ada", "robot"))
    assert (state("ada"), state("ben")) == (SubscriberState.ACTIVE, SubscriberState.UNSUBSCRIBED)
    people.set_state("ada@example.org", SubscriberState.PAUSED, Origin.OPERATOR, NOW)
    world.people(reader("ada", "robot"), reader("ben", "graph"))
    assert (state("ada"), state("ben")) == (SubscriberState.PAUSED, SubscriberState.ACTIVE)
    kept = people.sync(Roster((), {}, frozenset(), complete=False), NOW)
    assert (kept.removed, state("ben")) == (0, SubscriberState.ACTIVE)


def test_outbox_row_is_found_by_number_and_by_the_beginning_of_its_id(world: World) -> None:
    outbox = filled(world).store.outbox
    row, ledger = outbox.row("1")
    assert (outbox.row(row.edition_id[:8])[0], ledger) == (row, [])
    for name in ("99", "zzzzzz", row.edition_id[:3], "'; DROP TABLE"):
        with pytest.raises(NotFound):
            outbox.row(name)
    assert outbox.settle(1, {OutboxState.FAILED}, OutboxState.READY, "x", NOW) is False


def test_outbox_delivery_is_one_process_at_a_time(world: World) -> None:
    other = SqliteStore(world.settings.paths.database)
    with (
        world.store.outbox.exclusive(),
        pytest.raises(StoreBusy, match="another digestd delivers"),
        other.outbox.exclusive(),
    ):
        pass
    with other.outbox.exclusive():
        pass
    other.close()


def test_outbox_what_a_crash_left_is_put_right(world: World) -> None:
    outbox = filled(world).store.outbox
    (first, second), _ = outbox.claim("dead", NOW, 10)
    assert outbox.record("dead", [Transition(first.edition, OutboxState.CLAIMED, OutboxState.SENDING, NOW, sha256="0")])
    assert outbox.recover("dead", NOW, hold=False) == 0  # its own
    assert outbox.recover("me", NOW, hold=True) == 1
    assert outbox.row(str(first.edition))[0].state is OutboxState.UNCERTAIN
    assert outbox.row(str(second.edition))[0].state is OutboxState.READY
    late = Transition(second.edition, OutboxState.CLAIMED, OutboxState.SENT, NOW)
    assert outbox.record("dead", [late]) == [False]  # no longer its right


def test_papers_are_found_by_id_link_and_piece_of_title(world: World) -> None:
    world.drop('{"title": "Known", "id": "arXiv:2310.10637v2"}\n{"title": "100% Sure_Thing"}\n')
    find = world.store.papers.find
    for name in ("arXiv:2310.10637", "https://arxiv.org/abs/2310.10637v1", "2310.10637", "known"):
        assert [one.paper.title for one in find(name)] == ["Known"]
    assert [one.paper.title for one in find("0% sure_")] == ["100% Sure_Thing"]
    assert find("_now") == []
