"""What a POST asks for, and what a reader may do in which state."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestd.model import Origin, SubscriberState
from digestd.web.choices import Choice, choice_of, next_state, offered

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
    for choice in offered(state, by, has_left=False):
        assert next_state(choice, state, by) not in (None, state)


def test_offered_to_one_whose_wish_to_leave_is_noted_is_nothing_more() -> None:
    for state in (SubscriberState.PENDING, SubscriberState.SUPPRESSED):
        assert offered(state, Origin.OPERATOR, has_left=True) == ()
