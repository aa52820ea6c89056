"""What a POST asks for, and what a reader may do in which state."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.store_room import profile

from digestd.model import Cadence, Origin, Profile, Subscriber, SubscriberState
from digestd.store.base import StoredSubscriber
from digestd.web.choices import Choice, choice_of, lighter, next_state, offered

FORM = "application/x-www-form-urlencoded"
SITUATIONS = list(product(SubscriberState, Origin))


@pytest.mark.parametrize(
    ("kind", "body", "choice"),
    [
        (FORM, b"action=pause", Choice.PAUSE),
        (FORM, b"action=resume", Choice.RESUME),
        (f"{FORM.upper()} ; charset=utf-8", b"action=pause", Choice.PAUSE),
        (FORM, b"other=1&action=pause", Choice.PAUSE),
        (FORM, b"action=unsubscribe", Choice.UNSUBSCRIBE),
        (FORM, b"List-Unsubscribe=One-Click", Choice.UNSUBSCRIBE),
        (FORM, b"action=pause&List-Unsubscribe=One-Click", Choice.UNSUBSCRIBE),
        (FORM, b"action=pause&action=resume", Choice.UNSUBSCRIBE),
        (FORM, b"action=pause&action=pause", Choice.UNSUBSCRIBE),
        (FORM, b"action=PAUSE", Choice.UNSUBSCRIBE),
        (FORM, b"action=", Choice.UNSUBSCRIBE),
        (FORM, b"action=active", Choice.UNSUBSCRIBE),
        (FORM, "action=pause&é".encode(), Choice.UNSUBSCRIBE),
        (FORM, b"a=1&" * 20 + b"action=pause", Choice.UNSUBSCRIBE),
        ("text/plain", b"action=pause", Choice.UNSUBSCRIBE),
        ("", b"action=pause", Choice.UNSUBSCRIBE),
    ],
)
def test_choice_of_a_post_is_to_leave_unless_it_plainly_says_otherwise(kind: str, body: bytes, choice: Choice) -> None:
    assert choice_of(kind, body) is choice


@given(st.sampled_from([FORM, "multipart/form-data; boundary=x", ""]) | st.text(max_size=40), st.binary(max_size=200))
def test_choice_of_any_octets_is_one(kind: str, body: bytes) -> None:
    assert choice_of(kind, body) in set(Choice)


@pytest.mark.parametrize(("state", "by"), SITUATIONS)
def test_next_state_after_unsubscribing_is_unsubscribed_from_anywhere(state: SubscriberState, by: Origin) -> None:
    assert next_state(Choice.UNSUBSCRIBE, state, by) is SubscriberState.UNSUBSCRIBED


def test_next_state_of_pausing_is_for_those_who_are_mailed() -> None:
    allowed = {situation for situation in SITUATIONS if next_state(Choice.PAUSE, *situation)}
    assert allowed == set(product((SubscriberState.ACTIVE, SubscriberState.PAUSED), Origin))
    assert {next_state(Choice.PAUSE, *situation) for situation in allowed} == {SubscriberState.PAUSED}


def test_next_state_of_resuming_is_also_for_those_who_left_by_themselves() -> None:
    allowed = {situation for situation in SITUATIONS if next_state(Choice.RESUME, *situation)}
    mailed = set(product((SubscriberState.ACTIVE, SubscriberState.PAUSED), Origin))
    assert allowed == mailed | {(SubscriberState.UNSUBSCRIBED, Origin.READER)}
    assert {next_state(Choice.RESUME, *situation) for situation in allowed} == {SubscriberState.ACTIVE}


@pytest.mark.parametrize(("state", "by"), SITUATIONS)
def test_offered_choices_are_allowed_and_lead_elsewhere(state: SubscriberState, by: Origin) -> None:
    for choice in offered(stored(state, by)):
        leads = next_state(choice, state, by)
        assert leads is not None
        assert (leads is state) == (choice in (Choice.WEEKLY, Choice.FEWER))


def test_offered_to_one_whose_wish_to_leave_is_noted_is_nothing_more() -> None:
    for state in (SubscriberState.PENDING, SubscriberState.SUPPRESSED):
        assert offered(stored(state, Origin.OPERATOR, has_left=True)) == ()


def test_offered_lighter_mail_is_what_would_change_something_and_is_not_the_files() -> None:
    active, reader = SubscriberState.ACTIVE, Origin.READER
    daily, weekly = profile(max_papers=20), profile(cadence=Cadence.WEEKLY, max_papers=5)
    basic = (Choice.UNSUBSCRIBE, Choice.PAUSE)
    assert offered(stored(active, reader, daily)) == (*basic, Choice.WEEKLY, Choice.FEWER)
    assert offered(stored(active, reader, weekly)) == basic
    assert offered(stored(active, reader, replace(weekly, max_papers=3))) == basic
    assert offered(replace(stored(active, reader, daily), origin=Origin.FILE)) == basic


def test_lighter_mail_is_weekly_or_half_as_many_down_to_a_few() -> None:
    profiles = (profile(max_papers=20), profile("B", max_papers=7), profile("C", cadence=Cadence.IMMEDIATE))
    assert [one.cadence for one in lighter(Choice.WEEKLY, profiles)] == ["weekly", "weekly", "immediate"]
    assert [one.max_papers for one in lighter(Choice.FEWER, profiles)] == [10, 5, 10]
    assert [one.max_papers for one in lighter(Choice.FEWER, [profile(max_papers=3)])] == [3], "fewer is never more"


def stored(state: SubscriberState, by: Origin, *profiles: Profile, has_left: bool = False) -> StoredSubscriber:
    return StoredSubscriber(1, Subscriber("a@example.org", profiles=profiles, state=state), by, Origin.READER, has_left)
