"""What the store promises of people: the file's are synchronised, and nobody comes back who did not ask to."""

from __future__ import annotations

from dataclasses import replace
from datetime import time

import pytest
from support.store_room import MONDAY, StoreRoom, profile

import digestd.store.subscribers as subscribers
from digestd.errors import NotAllowed, NotFound
from digestd.model import Cadence, Origin, Profile, Subscriber, SubscriberState, Weekday, WeightedQuery
from digestd.store.base import Roster, StoredSubscriber, SyncReport
from digestd.store.subscribers import cadences, profile_of, spec_of

ACTIVE, PAUSED, UNSUBSCRIBED = SubscriberState.ACTIVE, SubscriberState.PAUSED, SubscriberState.UNSUBSCRIBED
SUPPRESSED, PENDING = SubscriberState.SUPPRESSED, SubscriberState.PENDING
FILE, OPERATOR, READER = Origin.FILE, Origin.OPERATOR, Origin.READER

ADA = Subscriber("Ada@example.org", "Ada", "Europe/London", (profile("A"), profile("B")))
BEN = Subscriber("ben@example.org", profiles=(profile("B"),))


def sync(
    room: StoreRoom,
    *people: Subscriber,
    refused_profiles: dict[str, frozenset[str]] | None = None,
    refused_people: frozenset[str] = frozenset(),
    complete: bool = True,
) -> SyncReport:
    return room.store.subscribers.sync(Roster(people, refused_profiles or {}, refused_people, complete), MONDAY)


def person(room: StoreRoom, name: str = "ada") -> StoredSubscriber:
    return room.store.subscribers.find(f"{name}@example.org")


def move(room: StoreRoom, state: SubscriberState, by: Origin, name: str = "ada") -> StoredSubscriber:
    return room.store.subscribers.set_state(f"{name}@example.org", state, by, MONDAY)


def profiles(room: StoreRoom, name: str = "ada") -> list[str]:
    return [one.name for one in person(room, name).subscriber.profiles]


# sync


def test_sync_adds_people_with_their_profiles_in_order(room: StoreRoom) -> None:
    assert sync(room, ADA, BEN) == SyncReport(added=2)
    ada = person(room)
    assert (ada.subscriber, ada.state_by, ada.origin) == (ADA, FILE, FILE)
    assert [one.subscriber.email for one in room.store.subscribers.all()] == ["Ada@example.org", "ben@example.org"]
    assert room.store.subscribers.numbered(ada.pk) == ada


def test_sync_of_the_same_people_changes_nothing(room: StoreRoom) -> None:
    sync(room, ADA, BEN)
    assert sync(room, BEN, ADA) == SyncReport(unchanged=2)


@pytest.mark.parametrize(
    "changed",
    [
        replace(ADA, name="Ada L."),
        replace(ADA, email="ADA@Example.org"),
        replace(ADA, timezone="Asia/Tokyo"),
        replace(ADA, profiles=(profile("A"),)),
        replace(ADA, profiles=(profile("B"), profile("A"))),
        replace(ADA, profiles=(*ADA.profiles, profile("C"))),
        replace(ADA, profiles=(profile("A", "graph"), profile("B"))),
        replace(ADA, profiles=()),
    ],
    ids=["name", "spelling", "timezone", "fewer", "order", "more", "query", "none"],
)
def test_sync_takes_over_a_change_and_counts_one_person(room: StoreRoom, changed: Subscriber) -> None:
    sync(room, ADA, BEN)
    pk = person(room).pk
    assert sync(room, changed, BEN) == SyncReport(changed=1, unchanged=1)
    assert person(room).subscriber == changed
    assert person(room).pk == pk


def test_sync_unsubscribes_whom_the_file_no_longer_names_and_takes_them_back(room: StoreRoom) -> None:
    sync(room, ADA, BEN)
    assert sync(room, ADA) == SyncReport(removed=1, unchanged=1)
    assert (person(room, "ben").subscriber.state, person(room, "ben").state_by) == (UNSUBSCRIBED, FILE)
    assert sync(room, ADA) == SyncReport(unchanged=1)  # removed once
    assert sync(room, ADA, BEN) == SyncReport(changed=1, unchanged=1)
    assert person(room, "ben").subscriber == BEN


def test_sync_leaves_people_of_other_origin_alone(room: StoreRoom) -> None:
    room.subscribe("ben@example.org", profile("B"))
    assert sync(room, ADA) == SyncReport(added=1)
    assert person(room, "ben").subscriber.state is ACTIVE


def test_sync_that_names_somebody_the_operator_added_makes_them_the_files(room: StoreRoom) -> None:
    room.subscribe("ada@example.org", profile("Theirs"))
    sync(room, ADA)
    assert (person(room).origin, profiles(room)) == (FILE, ["A", "B"])
    assert sync(room).removed == 1


def test_sync_keeps_what_was_refused_as_it_last_was(room: StoreRoom) -> None:
    sync(room, ADA, BEN)
    report = sync(
        room,
        replace(ADA, profiles=(profile("A"),)),
        refused_profiles={"ada@example.org": frozenset({"B"})},
        refused_people=frozenset({"ben@example.org"}),
    )
    assert report == SyncReport(unchanged=1)
    assert (person(room).subscriber, person(room, "ben").subscriber) == (ADA, BEN)


def test_sync_of_an_incomplete_roster_removes_nobody(room: StoreRoom) -> None:
    sync(room, ADA, BEN)
    assert sync(room, ADA, complete=False) == SyncReport(unchanged=1)
    assert person(room, "ben").subscriber.state is ACTIVE


@pytest.mark.parametrize(
    ("state", "by", "after"),
    [
        (UNSUBSCRIBED, READER, UNSUBSCRIBED),
        (UNSUBSCRIBED, OPERATOR, UNSUBSCRIBED),
        (SUPPRESSED, OPERATOR, SUPPRESSED),
        (PAUSED, READER, PAUSED),
        (PAUSED, OPERATOR, PAUSED),
        (UNSUBSCRIBED, FILE, ACTIVE),
        (PENDING, READER, ACTIVE),
    ],
)
def test_sync_of_a_named_person_keeps_their_state_unless_it_was_the_files(
    room: StoreRoom, state: SubscriberState, by: Origin, after: SubscriberState
) -> None:
    sync(room, ADA)
    move(room, state, by)
    sync(room, replace(ADA, name="A new name"))
    assert person(room).subscriber.state is after


def test_sync_without_somebody_who_left_keeps_it_their_own_wish(room: StoreRoom) -> None:
    sync(room, ADA)
    move(room, UNSUBSCRIBED, READER)
    assert sync(room) == SyncReport()
    sync(room, ADA)
    assert (person(room).subscriber.state, person(room).state_by) == (UNSUBSCRIBED, READER)


# add


def test_add_of_a_new_person_is_active_at_once(room: StoreRoom) -> None:
    added = room.store.subscribers.add(ADA, OPERATOR, MONDAY)
    assert (added.subscriber, added.state_by, added.origin) == (ADA, OPERATOR, OPERATOR)


def test_add_to_a_known_person_puts_profiles_behind_theirs(room: StoreRoom) -> None:
    room.store.subscribers.add(ADA, OPERATOR, MONDAY)
    room.subscribe("ADA@example.org", profile("C"), profile("D"))
    room.subscribe("ada@example.org", profile("B", "graph"))
    room.subscribe("ada@example.org", profile("E"))
    kept = person(room).subscriber
    assert [one.name for one in kept.profiles] == ["A", "C", "D", "B", "E"]
    assert kept.profiles[3] == profile("B", "graph")
    assert (kept.email, kept.name) == ("Ada@example.org", "Ada")


@pytest.mark.parametrize(
    ("state", "by", "origin", "after"),
    [
        (PAUSED, READER, OPERATOR, PAUSED),
        (PAUSED, READER, READER, ACTIVE),
        (UNSUBSCRIBED, OPERATOR, OPERATOR, ACTIVE),
        (UNSUBSCRIBED, READER, READER, ACTIVE),
        (PENDING, READER, OPERATOR, ACTIVE),
    ],
)
def test_add_to_one_who_is_not_active_brings_back_whom_it_may(
    room: StoreRoom, state: SubscriberState, by: Origin, origin: Origin, after: SubscriberState
) -> None:
    room.store.subscribers.add(ADA, OPERATOR, MONDAY)
    move(room, state, by)
    assert room.store.subscribers.add(BEN_AS_ADA, origin, MONDAY).subscriber.state is after


BEN_AS_ADA = replace(BEN, email="ada@example.org")


@pytest.mark.parametrize(("state", "words"), [(UNSUBSCRIBED, "asked to leave"), (SUPPRESSED, "suppressed")])
@pytest.mark.parametrize("origin", [OPERATOR, FILE])
def test_add_of_one_who_left_is_not_allowed_and_adds_nothing(
    room: StoreRoom, state: SubscriberState, words: str, origin: Origin
) -> None:
    room.store.subscribers.add(ADA, OPERATOR, MONDAY)
    move(room, state, READER)
    with pytest.raises(NotAllowed, match=words):
        room.store.subscribers.add(replace(BEN_AS_ADA, profiles=(profile("New"),)), origin, MONDAY)
    assert profiles(room) == ["A", "B"]


# set_state


@pytest.mark.parametrize("removed_by", [OPERATOR, FILE])
@pytest.mark.parametrize(("left", "by"), [(UNSUBSCRIBED, READER), (SUPPRESSED, OPERATOR)])
@pytest.mark.parametrize("back", [ACTIVE, PAUSED, PENDING])
def test_set_state_of_one_who_left_cannot_be_undone_by_removing_them_first(
    room: StoreRoom, left: SubscriberState, by: Origin, removed_by: Origin, back: SubscriberState
) -> None:
    sync(room, ADA)
    move(room, left, by)
    move(room, UNSUBSCRIBED, removed_by)
    assert (person(room).subscriber.state, person(room).state_by) == (left, by)
    with pytest.raises(NotAllowed):
        move(room, back, removed_by)
    if left is UNSUBSCRIBED:  # their own word counts
        assert move(room, ACTIVE, READER).subscriber.state is ACTIVE


def test_set_state_of_one_who_left_to_suppressed_keeps_them_away(room: StoreRoom) -> None:
    sync(room, ADA)
    move(room, UNSUBSCRIBED, READER)
    assert move(room, SUPPRESSED, OPERATOR).subscriber.state is SUPPRESSED
    with pytest.raises(NotAllowed, match="suppressed"):
        move(room, ACTIVE, OPERATOR)


def test_set_state_by_the_operator_goes_to_and_fro(room: StoreRoom) -> None:
    sync(room, ADA)
    for state in (PAUSED, ACTIVE, UNSUBSCRIBED, ACTIVE):
        moved = move(room, state, OPERATOR)
        assert (moved.subscriber.state, moved.state_by, moved.origin) == (state, OPERATOR, FILE)


def test_set_state_of_nobody_is_not_found(room: StoreRoom) -> None:
    sync(room, ADA)
    with pytest.raises(NotFound, match=r"no subscriber adda@example\.org; did you mean ada@example\.org\?"):
        move(room, PAUSED, OPERATOR, name="adda")


def test_find_without_anybody_near_guesses_nothing(room: StoreRoom) -> None:
    with pytest.raises(NotFound, match=r"^no subscriber zoe@x\.org$"):
        room.store.subscribers.find("zoe@x.org")


# Specs


def test_spec_of_every_part_of_a_profile_comes_back() -> None:
    whole = Profile(
        "Näme",
        (WeightedQuery("ä AND b", 2.5), WeightedQuery('"c"')),
        ("x",),
        ("y", "z"),
        Cadence.WEEKLY,
        time(23, 59),
        (Weekday.SUN, Weekday.MON),
        "Asia/Kathmandu",
        7,
        0.25,
        send_empty=True,
    )
    assert profile_of("Näme", spec_of(whole)) == whole


def test_spec_whose_digest_another_one_has_is_not_taken_for_it(
    room: StoreRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscribers, "_digest", lambda content: 7)
    room.subscribe("ada@example.org", profile("A", "robot"))
    room.subscribe("ben@example.org", profile("A", "arm"))
    said = [person(room, name).subscriber.profiles[0].queries for name in ("ada", "ben")]
    assert said == [(WeightedQuery("robot"),), (WeightedQuery("arm"),)]


def test_spec_is_shared_by_all_who_follow_the_same(room: StoreRoom) -> None:
    sync(room, ADA, BEN)
    specs = {
        due.spec for one in room.store.subscribers.all() for due in room.store.editions.profiles_of(one.pk).profiles
    }
    assert len(specs) == 1


@pytest.mark.parametrize(
    ("cadence", "alert", "expected"),
    [
        (Cadence.DAILY, (), (Cadence.DAILY,)),
        (Cadence.DAILY, ("x",), (Cadence.DAILY, Cadence.IMMEDIATE)),
        (Cadence.IMMEDIATE, ("x",), (Cadence.IMMEDIATE,)),
    ],
)
def test_cadences_of_a_profile_with_alerts_have_immediate_too(
    cadence: Cadence, alert: tuple[str, ...], expected: tuple[Cadence, ...]
) -> None:
    assert cadences(profile(cadence=cadence, alert=alert)) == expected


@pytest.mark.parametrize(("state", "by"), [(PENDING, OPERATOR), (SUPPRESSED, OPERATOR), (UNSUBSCRIBED, FILE)])
def test_set_state_of_a_reader_who_gets_nothing_anyway_keeps_the_wish_beside_the_state(
    room: StoreRoom, state: SubscriberState, by: Origin
) -> None:
    sync(room, ADA)
    move(room, state, by)
    left = move(room, UNSUBSCRIBED, READER)
    assert (left.subscriber.state, left.state_by, left.has_left) == (state, by, True)
    for target in (ACTIVE, PAUSED):
        for asker in (READER, OPERATOR):
            with pytest.raises(NotAllowed):
                move(room, target, asker)
    sync(room, ADA)
    assert person(room).subscriber.state is state, "the file does not undo the wish either"
    sync(room)
    assert person(room).has_left


def test_set_state_by_the_reader_takes_back_their_own_leaving_alone(room: StoreRoom) -> None:
    sync(room, ADA)
    move(room, UNSUBSCRIBED, READER)
    back = move(room, ACTIVE, READER)
    assert (back.subscriber.state, back.has_left) == (ACTIVE, False)
    move(room, UNSUBSCRIBED, OPERATOR)
    with pytest.raises(NotAllowed, match="removed by the operator"):
        move(room, ACTIVE, READER)
