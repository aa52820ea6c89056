"""The decisions after a reply, one table row for each rule of the house on replies of receivers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestd.deliver.policy import (
    LONGEST_DELAY,
    LONGEST_REFUSED_PAUSE,
    LONGEST_WAIT,
    MAX_AGE,
    MAX_REPLY,
    classify,
    clean_reply,
    enhanced_status,
    next_attempt,
    relay_pause,
    unanswered,
)
from digestd.model import Blame, Outcome, Phase, Verdict

SENT, DEFERRED, FAILED, UNCERTAIN = Verdict.SENT, Verdict.DEFERRED, Verdict.FAILED, Verdict.UNCERTAIN
RECIPIENT, MESSAGE, RELAY = Blame.RECIPIENT, Blame.MESSAGE, Blame.RELAY


@pytest.mark.parametrize(
    ("phase", "code", "text", "verdict", "blame"),
    [
        (Phase.BODY, 250, "2.0.0 queued", SENT, MESSAGE),
        # 421: the relay has enough, whoever hears it
        *((phase, 421, "4.3.2 shutting down", DEFERRED, RELAY) for phase in Phase),
        # setting up: always the relay
        (Phase.CONNECT, 554, "5.7.1 your address is listed", DEFERRED, RELAY),
        (Phase.CONNECT, 450, "busy", DEFERRED, RELAY),
        (Phase.TLS, 454, "4.7.0 no TLS now", DEFERRED, RELAY),
        (Phase.LOGIN, 535, "5.7.8 wrong password", DEFERRED, RELAY),
        (Phase.LOGIN, 454, "4.7.0 later", DEFERRED, RELAY),
        # MAIL: our sender, so the relay as far as the run goes
        (Phase.MAIL, 451, "4.3.0 later", DEFERRED, RELAY),
        (Phase.MAIL, 550, "5.1.0 sender refused", DEFERRED, RELAY),
        (Phase.MAIL, 552, "5.3.4 too big", FAILED, MESSAGE),
        (Phase.MAIL, 552, "too big", FAILED, MESSAGE),
        # RCPT: the address
        (Phase.RCPT, 450, "4.2.0 greylisted", DEFERRED, RECIPIENT),
        (Phase.RCPT, 450, "4.7.1 greylisted", DEFERRED, RECIPIENT),
        (Phase.RCPT, 452, "4.2.2 mailbox full", DEFERRED, RECIPIENT),
        (Phase.RCPT, 550, "5.1.1 no such user", FAILED, RECIPIENT),
        (Phase.RCPT, 552, "5.2.2 mailbox full", FAILED, RECIPIENT),
        (Phase.RCPT, 553, "not a mailbox", FAILED, RECIPIENT),
        # ... unless it is policy, our sender, our session or our message
        (Phase.RCPT, 550, "5.7.1 relaying denied", DEFERRED, RELAY),
        (Phase.RCPT, 550, "5.7.26 unauthenticated", DEFERRED, RELAY),
        (Phase.RCPT, 550, "5.1.8 sender's domain not found", DEFERRED, RELAY),
        (Phase.RCPT, 550, "5.1.7 bad sender", DEFERRED, RELAY),
        (Phase.RCPT, 530, "authentication required", DEFERRED, RELAY),
        (Phase.RCPT, 503, "5.5.1 MAIL first", DEFERRED, RELAY),
        (Phase.RCPT, 552, "5.3.4 too big", FAILED, MESSAGE),
        # DATA and the final dot: the message
        (Phase.DATA, 451, "4.3.0 later", DEFERRED, MESSAGE),
        (Phase.DATA, 554, "5.5.0 no", FAILED, MESSAGE),
        (Phase.DATA, 554, "5.7.1 no", DEFERRED, RELAY),
        (Phase.BODY, 450, "4.7.0 later", DEFERRED, MESSAGE),
        (Phase.BODY, 452, "4.3.1 disk full", DEFERRED, MESSAGE),
        (Phase.BODY, 554, "5.6.0 unreadable", FAILED, MESSAGE),
        (Phase.BODY, 554, "no", FAILED, MESSAGE),
        (Phase.BODY, 550, "5.7.26 unauthenticated", DEFERRED, RELAY),
    ],
)
def test_classify_reply_gives_verdict_and_blame(
    phase: Phase, code: int, text: str, verdict: Verdict, blame: Blame
) -> None:
    outcome = classify(phase, code, text)

    assert (outcome.verdict, outcome.blame, outcome.phase, outcome.code) == (verdict, blame, phase, code)
    assert outcome.reply == text
    assert outcome.status == (text.split()[0] if text[1] == "." else None)


@pytest.mark.parametrize("code", [-1, 0, 25, 200, 220, 251, 299, 354, 399, 600, 999])
@pytest.mark.parametrize("phase", Phase)
def test_classify_code_out_of_place_is_uncertain_only_from_the_body_on(phase: Phase, code: int) -> None:
    outcome = classify(phase, code, "what?")

    assert outcome.verdict is (UNCERTAIN if phase is Phase.BODY else DEFERRED)
    assert outcome.blame is RELAY
    assert outcome.reply == f"unexpected reply {code}: what?"
    assert outcome.code is None


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.BODY])
def test_classify_250_before_the_body_is_not_sent(phase: Phase) -> None:
    assert classify(phase, 250, "ok").verdict is DEFERRED


@given(st.sampled_from(Phase), st.integers(0, 700), st.text())
def test_classify_anything_never_blames_the_subscriber_for_policy_or_setup(phase: Phase, code: int, text: str) -> None:
    outcome = classify(phase, code, text)

    assert (outcome.verdict is SENT) == (phase is Phase.BODY and code == 250)
    assert outcome.verdict is not UNCERTAIN or phase is Phase.BODY
    assert outcome.blame is not RECIPIENT or phase is Phase.RCPT
    assert outcome.verdict is not FAILED or code >= 500
    assert outcome.reply
    assert len(outcome.reply) <= MAX_REPLY
    assert outcome.reply.isprintable()


def test_classify_empty_text_says_so() -> None:
    assert classify(Phase.RCPT, 550, " \r\n").reply == "reply 550 without a word"


@pytest.mark.parametrize("phase", Phase)
def test_unanswered_before_the_body_is_deferred_and_after_it_uncertain(phase: Phase) -> None:
    verdict = UNCERTAIN if phase is Phase.BODY else DEFERRED
    assert unanswered(phase, "the line\nwas lost") == Outcome(verdict, phase, RELAY, "the line was lost")


@pytest.mark.parametrize(
    ("code", "text", "status"),
    [
        (550, "5.1.1 no such user", "5.1.1"),
        (550, "5.1.1", "5.1.1"),
        (550, "5.1.10 null MX", "5.1.10"),
        (550, "sorry, no mailbox here by that name (#5.1.1)", "5.1.1"),
        (550, "#5.1.1. Gone", "5.1.1"),
        (450, "4.7.1\n4.7.1 later", "4.7.1"),
        (550, "4.2.1 the class contradicts the code", None),
        (250, "5.0.0 ok", None),
        (550, "5.1.2.3 is listed", None),
        (550, "5.01.1 leading zero", None),
        (550, "5.1.1000 too long", None),
        (550, "3.1.1 no such class", None),
        (550, "see RFC 5.1.1", None),
        (550, "", None),
    ],
)
def test_enhanced_status_of_reply(code: int, text: str, status: str | None) -> None:
    assert enhanced_status(code, text) == status


def test_clean_reply_of_control_and_bidi_characters_is_one_plain_line() -> None:
    assert clean_reply("a\r\nb\tc\x00\x1b[31md\u202ee\ud800f\u2028g  h") == "a b c [31md e f g h"


def test_clean_reply_of_long_text_is_cut_with_an_ellipsis() -> None:
    assert clean_reply("x" * MAX_REPLY) == "x" * MAX_REPLY
    assert clean_reply("x" * (MAX_REPLY + 1)) == "x" * (MAX_REPLY - 1) + "…"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("535 no: correct-horse", "535 no: ***"),
        ("xcorrect-horsex", "x***x"),
        ("correct\x00-horse", "*** ***"),
        ("cut: correct-ho... (truncated)", "cut: *** (truncated)"),
        ("horse", "horse"),  # five letters say nothing about which part
        ("an ordinary sentence", "an ordinary sentence"),
    ],
)
def test_clean_reply_with_secret_hides_it_and_its_longer_parts(text: str, cleaned: str) -> None:
    assert clean_reply(text, ["", "correct-horse"]) == cleaned


def test_clean_reply_with_secret_joined_by_cleaning_hides_it() -> None:
    assert clean_reply("it is two\x00\x00words", ["two words"]) == "it is ***"


def test_clean_reply_with_secret_across_the_cut_shows_no_part_of_it() -> None:
    assert "hunt" not in clean_reply("x" * (MAX_REPLY - 5) + "hunter22", ["hunter22"])


@given(st.text(min_size=1).filter(str.strip), st.text(), st.text())
def test_clean_reply_never_contains_the_secret(secret: str, before: str, after: str) -> None:
    if secret not in "***":
        assert secret not in clean_reply(before.replace(secret, "") + " " + secret + " " + after, [secret])


@pytest.mark.parametrize(
    ("attempts", "minutes"), [(0, 5), (1, 5), (2, 10), (3, 20), (6, 160), (7, 240), (8, 240), (10_000, 240)]
)
def test_next_attempt_without_jitter_doubles_up_to_the_longest(attempts: int, minutes: int) -> None:
    assert next_attempt(attempts, timedelta(), 0.0) == timedelta(minutes=minutes)


def test_next_attempt_at_48_hours_gives_up() -> None:
    assert next_attempt(9, MAX_AGE - timedelta(seconds=1), 0.0) is not None
    assert next_attempt(9, MAX_AGE, 0.0) is None


def test_next_attempt_at_an_age_of_ten_years_is_made_until_it_was_tried_for_nine_hours() -> None:
    waits = [next_attempt(attempts, timedelta(days=3650), 0.0) for attempts in range(1, 8)]
    assert sum(filter(None, waits), timedelta()) > timedelta(hours=9)
    assert next_attempt(8, timedelta(days=3650), 0.0) is None


def test_longest_wait_is_longer_than_any_that_is_made() -> None:
    waits = [next_attempt(attempts, timedelta(), 0.999) for attempts in range(40)]
    assert max(wait for wait in waits if wait) < LONGEST_WAIT
    assert LONGEST_REFUSED_PAUSE < LONGEST_WAIT
    assert timedelta(hours=48) == MAX_AGE


@given(st.integers(0, 1000), st.floats(0, 1, exclude_max=True))
def test_next_attempt_with_jitter_is_at_most_half_longer(attempts: int, jitter: float) -> None:
    plain = next_attempt(attempts, timedelta(), 0.0)
    spread = next_attempt(attempts, timedelta(), jitter)

    assert plain is not None
    assert spread is not None
    assert plain <= spread <= plain * 1.5
    assert spread <= LONGEST_DELAY * 1.5


def test_next_attempt_until_given_up_makes_a_sensible_number_of_attempts() -> None:
    age, attempts = timedelta(), 1
    while (delay := next_attempt(attempts, age, 0.5)) is not None:
        age, attempts = age + delay, attempts + 1
    assert 12 <= attempts <= 20


@pytest.mark.parametrize(
    ("outcome", "seconds"),
    [
        (unanswered(Phase.CONNECT, "refused"), [5, 10, 20, 40, 80, 160, 300, 300]),
        (classify(Phase.LOGIN, 454, "later"), [5, 10, 20, 40, 80, 160, 300, 300]),
        (classify(Phase.RCPT, 550, "5.7.1 policy"), [5, 10, 20, 40, 80, 160, 300, 300]),
        (unanswered(Phase.LOGIN, "lost"), [5, 10, 20, 40, 80, 160, 300, 300]),
        (classify(Phase.LOGIN, 535, "wrong"), [300, 600, 1200, 2400, 3600, 3600]),
        (classify(Phase.MAIL, 550, "sender refused"), [300, 600, 1200, 2400, 3600, 3600]),
        (classify(Phase.RCPT, 550, "5.1.1 unknown"), [0, 0, 0]),
        (classify(Phase.BODY, 451, "later"), [0, 0, 0]),
        (classify(Phase.BODY, 250, "ok"), [0]),
    ],
)
def test_relay_pause_grows_with_failures(outcome: Outcome, seconds: list[int]) -> None:
    pauses = [relay_pause(failures, outcome).total_seconds() for failures in range(1, len(seconds) + 1)]

    assert pauses == seconds
    assert relay_pause(10_000, outcome).total_seconds() == seconds[-1]
