"""Letters in the outbox: who still wants a question when it is claimed, and until when it may be answered."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.store_room import MONDAY, SNAPSHOT, StoreRoom, profile

from digestd.errors import NotAllowed, NotFound
from digestd.letters import Letter, LetterKind
from digestd.model import Origin, OutboxState, SubscriberState
from digestd.store.base import Asked, Claim, Transition
from digestd.store.base.signups import KEPT_FOR, VALID_FOR

NEW = "new@example.net"
WELCOME = Letter(LetterKind.WELCOME, ("agent",), (), "every day")


def ask(room: StoreRoom, email: str = NEW) -> int:
    """Keep a sign-up, and its question in the outbox; returns its number."""
    asked = Asked(email, email, "192.0.2.0/24", profile())
    kept = room.store.editions.keep(SNAPSHOT)
    number = room.store.signups.ask(
        asked, lambda pk: Letter(LetterKind.CONFIRM, ("agent",), (), "every day", f"{pk}.x"), edition_id, kept, MONDAY
    )
    assert number is not None
    return number


def edition_id(subscriber: int, issue: str) -> str:
    return f"{subscriber}-{issue}"


def claims(room: StoreRoom) -> tuple[list[Claim], int]:
    return room.store.outbox.claim("test", MONDAY, 10)


def move(room: StoreRoom, state: SubscriberState, by: Origin = Origin.OPERATOR, minutes: int = 1) -> None:
    room.store.subscribers.set_state(NEW, state, by, MONDAY + timedelta(minutes=minutes))


def test_question_goes_to_one_who_is_not_active_yet_and_reads_back_as_it_was_asked(room: StoreRoom) -> None:
    signup = ask(room)
    assert len(room.store.outbox.coming(MONDAY, 10)) == 1
    [claim], cancelled = claims(room)
    assert cancelled == 0
    [edition] = room.editions(NEW)
    assert (claim.edition_id, claim.address) == (edition.id, NEW)
    assert edition.letter == Letter(LetterKind.CONFIRM, ("agent",), (), "every day", f"{signup}.x")
    assert (edition.issue, edition.sections) == (f"confirm:{signup}", ())


@pytest.mark.parametrize(
    ("state", "by"),
    [(SubscriberState.SUPPRESSED, Origin.OPERATOR), (SubscriberState.UNSUBSCRIBED, Origin.READER)],
)
def test_question_is_cancelled_for_one_who_left_or_was_suppressed_since(
    room: StoreRoom, state: SubscriberState, by: Origin
) -> None:
    ask(room)
    move(room, state, by)
    assert claims(room) == ([], 1)


def test_question_claimed_before_leaving_does_not_begin_after_it(room: StoreRoom) -> None:
    ask(room)
    [claim], _ = claims(room)
    move(room, SubscriberState.UNSUBSCRIBED, Origin.READER)
    begin = Transition(claim.edition, OutboxState.CLAIMED, OutboxState.SENDING, MONDAY, sha256="0" * 64)
    assert room.store.outbox.record("test", [begin]) == [False]


def test_digest_does_not_go_where_a_question_would(room: StoreRoom) -> None:
    signup = ask(room)
    room.store.outbox.settle(claims(room)[0][0].edition, [OutboxState.CLAIMED], OutboxState.SENT, "", MONDAY)
    room.store.signups.confirm(signup, WELCOME, edition_id, room.store.editions.keep(SNAPSHOT), MONDAY)
    move(room, SubscriberState.PAUSED)
    assert claims(room) == ([], 0), "a welcome waits for the end of a pause"
    move(room, SubscriberState.UNSUBSCRIBED, Origin.READER)
    assert claims(room) == ([], 1)


def test_signup_is_open_for_three_days_and_not_a_moment_longer(room: StoreRoom) -> None:
    signup = ask(room)
    last = MONDAY + VALID_FOR - timedelta(seconds=1)
    assert room.store.signups.find(signup, last).is_open
    assert not room.store.signups.find(signup, MONDAY + VALID_FOR).is_open
    kept = room.store.editions.keep(SNAPSHOT)
    assert not room.store.signups.confirm(signup, WELCOME, edition_id, kept, MONDAY + VALID_FOR).is_open
    assert room.store.subscribers.find(NEW).subscriber.state is SubscriberState.PENDING


def test_signup_of_nobody_or_of_one_removed_by_the_operator_is_refused(room: StoreRoom) -> None:
    with pytest.raises(NotFound, match="no sign-up of number 7"):
        room.store.signups.find(7, MONDAY)
    with pytest.raises(NotFound, match="no subscriber of number 7"):
        room.store.readers.export(7)
    signup = ask(room)
    move(room, SubscriberState.UNSUBSCRIBED)
    kept = room.store.editions.keep(SNAPSHOT)
    with pytest.raises(NotAllowed, match="removed by the operator"):
        room.store.signups.confirm(signup, WELCOME, edition_id, kept, MONDAY)
    assert room.store.subscribers.find(NEW).subscriber.profiles == ()


def test_stale_are_those_who_never_answered_and_said_nothing_else(room: StoreRoom) -> None:
    soon, late = MONDAY + KEPT_FOR, MONDAY + KEPT_FOR + timedelta(minutes=1)
    silent, refused, confirmed, leaving = (ask(room, f"{name}@example.net") for name in ("s", "r", "c", "l"))
    room.store.signups.refuse(refused, MONDAY)
    kept = room.store.editions.keep(SNAPSHOT)
    room.store.signups.confirm(confirmed, WELCOME, edition_id, kept, MONDAY)
    room.store.subscribers.set_state("l@example.net", SubscriberState.UNSUBSCRIBED, Origin.READER, MONDAY)
    assert room.store.signups.stale(soon, 10) == []
    [found] = room.store.signups.stale(late, 10)
    assert found == room.store.signups.find(silent, MONDAY).subscriber
    room.store.readers.forget(found, late)
    assert room.store.signups.stale(late, 10) == []
    with pytest.raises(NotFound):
        room.store.subscribers.find("s@example.net")
    assert leaving
