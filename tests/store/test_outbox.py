"""What the store promises of the outbox: each arrow only from its state, by its claimer, and never for one who left."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from support.store_room import MONDAY, StoreRoom, opened, profile, work

from digestd.errors import NotFound, StoreBusy, StoreError
from digestd.model import OutboxState, Phase, SubscriberState
from digestd.store.base import Claim, Transition
from digestd.store.open import SqliteStore

NOW = MONDAY
READY, CLAIMED, SENDING, SENT = OutboxState.READY, OutboxState.CLAIMED, OutboxState.SENDING, OutboxState.SENT
FAILED, UNCERTAIN, CANCELLED = OutboxState.FAILED, OutboxState.UNCERTAIN, OutboxState.CANCELLED
HASH = "a" * 64


@pytest.fixture
def room(room: StoreRoom) -> StoreRoom:
    """A room with three editions ready, of r0 to r2."""
    room.ingest([work(1)])
    for number in range(3):
        room.subscribe(f"r{number}@example.org", profile())
    assert room.publish().editions == 3
    return room


def claim(room: StoreRoom, owner: str = "me", now: datetime = NOW, limit: int = 10) -> list[Claim]:
    return room.store.outbox.claim(owner, now, limit)[0]


def step(edition: int, source: OutboxState, target: OutboxState, **values: object) -> Transition:
    return Transition(edition, source, target, NOW, **values)  # type: ignore[arg-type]


def record(room: StoreRoom, *steps: Transition, owner: str = "me") -> list[bool]:
    return room.store.outbox.record(owner, steps)


def state(room: StoreRoom, edition: int = 1) -> OutboxState:
    return room.store.outbox.row(str(edition))[0].state


def said(room: StoreRoom, edition: int = 1) -> list[tuple[str, int, str]]:
    return [(line.state, line.attempt, line.reply) for line in room.store.outbox.row(str(edition))[1]]


# claim


def test_claim_gives_each_ready_edition_once_and_counts_the_attempt(room: StoreRoom) -> None:
    first, rest = claim(room, limit=1), claim(room, "other")
    assert [one.edition for one in first + rest] == [1, 2, 3]
    assert claim(room) == []
    [one] = first
    row, ledger = room.store.outbox.row("1")
    assert one == Claim(1, row.edition_id, "r0@example.org", 1, NOW, None)
    assert (row.state, row.attempts, ledger) == (CLAIMED, 1, [])


def test_claim_takes_those_whose_time_has_come_the_earliest_first(room: StoreRoom) -> None:
    claim(room)
    for edition, minutes in ((1, 30), (2, 10), (3, 20)):
        later = NOW + timedelta(minutes=minutes)
        assert record(room, step(edition, CLAIMED, READY, not_before=later)) == [True]
    assert room.store.outbox.coming(NOW + timedelta(minutes=9), 10) == []
    assert room.store.outbox.coming(NOW + timedelta(minutes=20), 10) == [2, 3]
    assert room.store.outbox.coming(NOW + timedelta(minutes=20), 1) == [2]
    assert claim(room, now=NOW + timedelta(minutes=9)) == []
    assert [one.edition for one in claim(room, now=NOW + timedelta(minutes=20))] == [2, 3]
    assert [one.edition for one in claim(room, now=NOW + timedelta(hours=1))] == [1]
    assert room.store.outbox.coming(NOW + timedelta(days=1), 10) == []


@pytest.mark.parametrize("left", [SubscriberState.UNSUBSCRIBED, SubscriberState.SUPPRESSED])
def test_claim_cancels_what_its_reader_no_longer_wants(room: StoreRoom, left: SubscriberState) -> None:
    room.state("r1@example.org", left)
    claims, cancelled = room.store.outbox.claim("me", NOW, 10)
    assert ([one.edition for one in claims], cancelled) == ([1, 3], 1)
    assert (state(room, 2), said(room, 2)) == (CANCELLED, [("cancelled", 0, "the reader left before it was sent")])


def test_claim_of_nothing_but_unwanted_ones_tells_that_more_may_come(room: StoreRoom) -> None:
    room.state("r0@example.org", SubscriberState.UNSUBSCRIBED)
    assert room.store.outbox.claim("me", NOW, 1) == ([], 1)
    assert [one.edition for one in claim(room, limit=1)] == [2]


@pytest.mark.parametrize("waits", [SubscriberState.PAUSED, SubscriberState.PENDING])
def test_claim_leaves_what_waits_for_its_reader(room: StoreRoom, waits: SubscriberState) -> None:
    for number in range(3):
        room.state(f"r{number}@example.org", waits)
    assert room.store.outbox.claim("me", NOW, 10) == ([], 0)
    room.state("r1@example.org", SubscriberState.ACTIVE)
    assert [one.edition for one in claim(room)] == [2]


def test_claim_remembers_the_bytes_of_an_earlier_attempt(room: StoreRoom) -> None:
    claim(room, limit=1)
    record(room, step(1, CLAIMED, SENDING, sha256=HASH))
    record(room, step(1, SENDING, READY, not_before=NOW))
    [again] = [one for one in claim(room) if one.edition == 1]
    assert (again.sha256, again.attempts) == (HASH, 2)


# record


def test_record_goes_from_claimed_through_sending_to_sent(room: StoreRoom) -> None:
    claim(room)
    assert record(room, step(1, CLAIMED, SENDING, sha256=HASH)) == [True]
    assert state(room) is SENDING
    sent = step(1, SENDING, SENT, reason="250 ok", phase=Phase.BODY, code=250, ledger="sent")
    assert record(room, sent) == [True]
    row, [line] = room.store.outbox.row("1")
    assert (row.state, row.reason, row.changed_at) == (SENT, "250 ok", NOW)
    assert (line.at, line.state, line.attempt, line.phase, line.code, line.reply) == (
        NOW,
        "sent",
        1,
        "body",
        250,
        "250 ok",
    )


def test_record_of_what_no_relay_answered_has_neither_phase_nor_code(room: StoreRoom) -> None:
    claim(room)
    spoilt = step(1, CLAIMED, FAILED, reason="it cannot be rendered", ledger="failed")
    assert record(room, spoilt, step(2, CLAIMED, READY)) == [True, True]
    row, [line] = room.store.outbox.row("1")
    assert (row.not_before, line.phase, line.code, line.reply) == (NOW, None, None, "it cannot be rendered")


@pytest.mark.parametrize(
    ("owner", "wrong"),
    [
        ("other", step(1, CLAIMED, SENDING, sha256=HASH)),
        ("other", step(1, CLAIMED, SENT, ledger="sent")),
        ("me", step(1, SENDING, SENT, ledger="sent")),
        ("me", step(1, READY, SENT, ledger="sent")),
        ("me", step(99, CLAIMED, SENT, ledger="sent")),
    ],
    ids=["other's body", "other's end", "other state", "not claimed", "no edition"],
)
def test_record_of_an_arrow_that_is_not_ours_changes_nothing(room: StoreRoom, owner: str, wrong: Transition) -> None:
    claim(room)
    assert record(room, wrong, step(2, CLAIMED, SENT, ledger="sent"), owner=owner) == [False, owner == "me"]
    assert (state(room), said(room)) == (CLAIMED, [])


@pytest.mark.parametrize("gone", [SubscriberState.UNSUBSCRIBED, SubscriberState.SUPPRESSED, SubscriberState.PAUSED])
def test_record_of_a_body_for_one_who_left_meanwhile_is_refused(room: StoreRoom, gone: SubscriberState) -> None:
    claim(room)
    room.state("r0@example.org", gone)
    steps = [step(edition, CLAIMED, SENDING, sha256=HASH) for edition in (1, 2)]
    assert record(room, *steps) == [False, True]
    assert state(room) is CLAIMED


def test_record_of_what_was_not_the_editions_attempt_takes_it_back(room: StoreRoom) -> None:
    claim(room)
    record(room, step(1, CLAIMED, READY, counts=False, ledger="deferred", reason="the relay is down"))
    assert room.store.outbox.row("1")[0].attempts == 0
    assert said(room) == [("deferred", 1, "the relay is down")]


def test_record_is_all_or_nothing_when_it_fails(room: StoreRoom) -> None:
    claim(room)
    broken = Transition(2, CLAIMED, READY, NOW, reason=None)  # type: ignore[arg-type] - no column takes it
    with pytest.raises(Exception, match="NOT NULL constraint failed"):
        record(room, step(1, CLAIMED, SENT, ledger="sent"), broken)
    assert (state(room), said(room)) == (CLAIMED, [])


# recover and release


def test_release_gives_back_only_ones_own_and_uncounted(room: StoreRoom) -> None:
    claim(room, limit=1)
    claim(room, "other", limit=1)
    room.store.outbox.release("me", NOW)
    assert (state(room, 1), state(room, 2)) == (READY, CLAIMED)
    assert room.store.outbox.row("1")[0].attempts == 0


@pytest.mark.parametrize(("hold", "after"), [(False, READY), (True, UNCERTAIN)])
def test_recover_puts_right_what_a_crash_left_and_lists_the_doubt(
    room: StoreRoom, hold: bool, after: OutboxState
) -> None:
    claim(room, "dead")
    record(room, step(1, CLAIMED, SENDING, sha256=HASH), owner="dead")
    record(room, step(2, CLAIMED, SENT, ledger="sent"), owner="dead")
    later = NOW + timedelta(minutes=1)
    assert room.store.outbox.recover("me", later, hold=hold) == 1
    assert [state(room, edition) for edition in (1, 2, 3)] == [after, SENT, READY]
    [(word, attempt, reply)] = said(room)
    assert (word, attempt) == ("uncertain", 1)
    assert "the relay may have it" in reply
    assert room.store.outbox.row("1")[0].not_before == later
    assert room.store.outbox.recover("me", later, hold=hold) == 0


def test_recover_leaves_ones_own_alone(room: StoreRoom) -> None:
    claim(room)
    record(room, step(1, CLAIMED, SENDING, sha256=HASH))
    assert room.store.outbox.recover("me", NOW, hold=False) == 0
    assert [state(room, edition) for edition in (1, 2, 3)] == [SENDING, CLAIMED, CLAIMED]


# For a person


def test_counts_names_every_state(room: StoreRoom) -> None:
    claim(room, limit=1)
    assert room.store.outbox.counts() == {**dict.fromkeys(OutboxState, 0), CLAIMED: 1, READY: 2}


def test_rows_are_the_newest_first_and_without_the_sent(room: StoreRoom) -> None:
    claim(room)
    record(room, step(2, CLAIMED, SENT, ledger="sent"), step(3, CLAIMED, FAILED, reason="no", ledger="failed"))
    rows = room.store.outbox.rows

    def numbers(state: OutboxState | None, limit: int = 10) -> list[int]:
        return [row.edition for row in rows(state, limit)]

    assert (numbers(None), numbers(None, 1), numbers(SENT), numbers(READY)) == ([3, 1], [3], [2], [])
    [failed] = rows(FAILED, 10)
    assert (failed.email, failed.issue, failed.reason) == ("r2@example.org", "daily:2026-11-23", "no")


def test_row_is_found_by_number_and_by_six_characters_of_its_id(room: StoreRoom) -> None:
    row, _ = room.store.outbox.row("2")
    for length in (6, 12, 32):
        assert room.store.outbox.row(row.edition_id[:length])[0] == row
    # "g" is past every digit; "%" and "*" are no wildcards
    for name in (row.edition_id[:5], row.edition_id[:6] + "g", "%%%%%%%", "******", "", "9" * 40, "²"):
        with pytest.raises(NotFound, match="no edition"):
            room.store.outbox.row(name)


def test_row_of_a_beginning_that_several_share_is_not_found(room: StoreRoom, tmp_path: Path) -> None:
    with closing(sqlite3.connect(room.path)) as raw, raw:
        raw.execute("UPDATE edition SET id = 'abcdef' || substr(id, 7) WHERE pk < 3")
    with pytest.raises(NotFound, match="more than one edition begins with abcdef"):
        room.store.outbox.row("abcdef")


def test_settle_moves_only_from_the_given_states_and_is_written_down(room: StoreRoom) -> None:
    settle = room.store.outbox.settle
    assert settle(1, {FAILED, UNCERTAIN}, READY, "again", NOW) is False
    assert settle(99, {READY}, CANCELLED, "x", NOW) is False
    later = NOW + timedelta(hours=1)
    assert settle(1, {READY}, CANCELLED, "an operator said so", later) is True
    row, _ = room.store.outbox.row("1")
    assert (row.state, row.reason, row.not_before) == (CANCELLED, "an operator said so", later)
    assert said(room) == [("cancelled", 0, "an operator said so")]


# One deliverer


def test_exclusive_is_held_by_one_store_at_a_time_and_free_afterwards(room: StoreRoom) -> None:
    other = SqliteStore(room.path)
    with room.store.outbox.exclusive():
        for store in (room.store, other):
            with pytest.raises(StoreBusy, match="another digestd delivers"), store.outbox.exclusive():
                pytest.fail("two deliver at once")
    with pytest.raises(ValueError, match="inside"), other.outbox.exclusive():
        raise ValueError("inside")
    with room.store.outbox.exclusive():
        pass
    other.close()


def test_exclusive_where_its_file_cannot_be_made_says_which(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as room:
        lock = tmp_path / "a.db.delivery-lock"
        lock.mkdir()
        with pytest.raises(StoreError, match=r"a\.db\.delivery-lock: cannot be opened"), room.store.outbox.exclusive():
            pytest.fail("there is no lock")
