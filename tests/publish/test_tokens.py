"""Tokens: what we made is believed, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestd.publish.tokens import edition_id, read_unsubscribe_token, sign, unsubscribe_token, verify

KEY = b"k" * 32


def believed(token: str, address: str = "reader@example.org", key: bytes = KEY) -> bool:
    read = read_unsubscribe_token(token)
    return read is not None and read.check(key, address)


def test_sign_known_input_keeps_its_value_for_ever() -> None:
    # Links in mails of years ago must open: this value may never change.
    assert sign(KEY, "unsubscribe", "17:reader@example.org") == "SFZqBRSCIoJwJ0MyjLcXJw"


@given(key=st.binary(min_size=1), purpose=st.text(), subject=st.text())
def test_verify_own_signature_is_accepted(key: bytes, purpose: str, subject: str) -> None:
    assert verify(key, purpose, subject, sign(key, purpose, subject))


@pytest.mark.parametrize(
    ("key", "purpose", "subject"),
    [(b"other", "confirm", "17"), (KEY, "unsubscribe", "17"), (KEY, "confirm", "18"), (KEY, "confirm1", "7")],
)
def test_verify_other_key_purpose_or_subject_is_refused(key: bytes, purpose: str, subject: str) -> None:
    assert not verify(key, purpose, subject, sign(KEY, "confirm", "17"))


@given(subject=st.text(), signature=st.text())
def test_verify_any_text_as_signature_is_refused_without_error(subject: str, signature: str) -> None:
    assert not verify(KEY, "confirm", subject, signature)


def test_verify_lone_surrogate_is_refused_without_error() -> None:
    assert not verify(KEY, "confirm", "17", "\ud800")


@given(subscriber=st.integers(1, 2**63 - 1), address=st.emails())
def test_unsubscribe_token_of_any_subscriber_names_and_proves_them(subscriber: int, address: str) -> None:
    token = unsubscribe_token(KEY, subscriber, address)
    read = read_unsubscribe_token(token)
    assert read is not None
    assert read.subscriber == subscriber
    assert read.check(KEY, address)
    assert len(token) <= 42


@given(subscriber=st.integers(1, 10**9), bit=st.integers(min_value=0))
def test_unsubscribe_token_with_one_bit_flipped_is_refused(subscriber: int, bit: int) -> None:
    token = unsubscribe_token(KEY, subscriber, "reader@example.org").encode()
    place = bit % (8 * len(token))
    flipped = bytearray(token)
    flipped[place // 8] ^= 1 << place % 8
    assert not believed(flipped.decode("latin-1"))


def test_unsubscribe_token_other_spelling_of_the_last_character_is_refused() -> None:
    # 22 characters of base64 hold 132 bits for 128: a decoder takes sixteen spellings for one.
    token = unsubscribe_token(KEY, 17, "reader@example.org")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert [letter for letter in alphabet if believed(token[:-1] + letter)] == [token[-1]]


@pytest.mark.parametrize(
    "token",
    [
        "",
        "17",
        "17.",
        ".x",
        "017.{}",
        "+17.{}",
        "0.{}",
        "-1.{}",
        "١٧.{}",
        "17.{}=",
        "17.{}\n",
        " 17.{}",
        "9" * 20 + ".{}",
    ],
)
def test_read_unsubscribe_token_of_another_shape_is_none(token: str) -> None:
    assert read_unsubscribe_token(token.format("A" * 22)) is None


def test_unsubscribe_token_address_in_other_case_is_the_same() -> None:
    assert believed(unsubscribe_token(KEY, 17, "Reader@Example.org"))


def test_unsubscribe_token_of_another_address_is_refused() -> None:
    assert not believed(unsubscribe_token(KEY, 17, "before@example.org"))


def test_edition_id_same_issue_is_the_same_in_any_order_of_profiles() -> None:
    made = edition_id(KEY, 17, "daily:2026-11-23", ["Agents", "Robots"])
    assert made == edition_id(KEY, 17, "daily:2026-11-23", ("Robots", "Agents"))
    assert made == "ec091f982aa4c6aafb9b177445dd8a9d"


@given(st.sets(st.tuples(st.integers(1, 99), st.text(max_size=3), st.frozensets(st.text(max_size=3), max_size=3))))
def test_edition_id_different_issues_differ(issues: set[tuple[int, str, frozenset[str]]]) -> None:
    ids = {edition_id(KEY, subscriber, issue, sorted(profiles)) for subscriber, issue, profiles in issues}
    assert len(ids) == len(issues)
    assert all(len(made) == 32 and set(made) <= set("0123456789abcdef") for made in ids)


def test_edition_id_other_key_differs() -> None:
    assert edition_id(KEY, 1, "daily:x", ["a"]) != edition_id(b"other", 1, "daily:x", ["a"])
