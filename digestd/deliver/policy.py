"""What a relay's reply means and what to do after it: pure decisions, no clock and no I/O.

A reply, or its absence, becomes an Outcome; the outcome and the age of the edition become the next attempt. What
concerns the relay as a whole is never held against a subscriber: a paused run is seen and mended, an address
suppressed by mistake is lost in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta

from digestd.model import Blame, Outcome, Phase, Verdict

MAX_AGE = timedelta(hours=48)  # a digest older than two days interests nobody (RFC 5321 4.5.4.1 allows 4-5 days)
MIN_ATTEMPTS = 8  # over 9 hours at least: an age that a clock's jump has made gives up nothing at the first try
FIRST_DELAY = timedelta(minutes=5)  # greylisting asks for about this much
LONGEST_DELAY = timedelta(hours=4)
LONGEST_WAIT = LONGEST_DELAY * 1.5  # with its jitter; what waits for later than that was told so by a wrong clock

FIRST_PAUSE = timedelta(seconds=5)  # a relay that restarts is back by then
LONGEST_PAUSE = timedelta(minutes=5)
FIRST_REFUSED_PAUSE = timedelta(minutes=5)  # a refused login needs a person, and repeating it locks accounts
LONGEST_REFUSED_PAUSE = timedelta(hours=1)

MAX_REPLY = 500  # characters kept of what a relay says: enough for a link to its postmaster page

_SETTING_UP = frozenset({Phase.CONNECT, Phase.TLS, Phase.LOGIN})

# Commands out of order, and login required or refused (RFC 4954 6): about the session, whatever they answer.
_SESSION_CODES = frozenset({503, 530, 534, 535, 538})

# Bad sender's mailbox or system (RFC 3463 3.2): Postfix says so in reply to RCPT unless told otherwise.
_SENDER_STATUSES = frozenset({"5.1.7", "5.1.8"})

# Message too long for this mailbox, or for the system (RFC 3463 3.3, 3.4), in whatever phase it is said.
_SIZE_STATUSES = frozenset({"5.2.3", "5.3.4"})

# At the start (RFC 2034), or as qmail and its kin write it, `(#5.1.1)`. The lookahead leaves out IP addresses.
_STATUS = re.compile(r"(?:^|#)([245](?:\.(?:0|[1-9][0-9]{0,2})){2})(?!\.?[0-9])")

_LONG_WORD = re.compile(r"\S{6,}")
_PUNCTUATION = ".,;:!?=\"'`<>()[]{}…"
_HIDDEN = "***"


def classify(phase: Phase, code: int, text: str, secrets: Iterable[str] = ()) -> Outcome:
    """Return what the reply `code text`, which ended the attempt in `phase`, means for the edition.

    In BODY, which stands for the final dot, 250 is success and any other code that is not a refusal leaves it
    open whether the message was taken; before it, a code that is neither expected nor a refusal is a reason
    to try again. Words equal to one of `secrets`, or a part of it, are not repeated. Source: RFC 5321 4.2-4.3,
    RFC 3463; 5.7.x is policy towards the sender.
    """
    reply = clean_reply(text, secrets) or f"reply {code} without a word"
    if phase is Phase.BODY and code == 250:
        return Outcome(Verdict.SENT, phase, Blame.MESSAGE, reply, code, enhanced_status(code, text))
    if not 400 <= code <= 599:
        return unanswered(phase, f"unexpected reply {code}: {reply}")
    status = enhanced_status(code, text)
    verdict, blame = _judge(phase, code, status)
    return Outcome(verdict, phase, blame, reply, code, status)


def unanswered(phase: Phase, reason: str, secrets: Iterable[str] = ()) -> Outcome:
    """Return the outcome of an attempt that ended in `phase` without a usable reply, for the given reason.

    Before the body the message cannot have arrived; from its first byte on nobody can say.
    """
    verdict = Verdict.UNCERTAIN if phase is Phase.BODY else Verdict.DEFERRED
    return Outcome(verdict, phase, Blame.RELAY, clean_reply(reason, secrets))


def _judge(phase: Phase, code: int, status: str | None) -> tuple[Verdict, Blame]:
    """Return the verdict on a refusal, a code from 400 to 599, and whom it is about."""
    if code == 421 or phase in _SETTING_UP:
        return Verdict.DEFERRED, Blame.RELAY
    # 552 to a MAIL that declared its SIZE (RFC 1870 6.1): one large message does not stop the relay.
    if status in _SIZE_STATUSES or (phase is Phase.MAIL and code == 552):
        return Verdict.FAILED, Blame.MESSAGE
    is_policy = status is not None and status.startswith("5.7.")
    if phase is Phase.MAIL or is_policy or code in _SESSION_CODES or status in _SENDER_STATUSES:
        return Verdict.DEFERRED, Blame.RELAY
    verdict = Verdict.FAILED if code >= 500 else Verdict.DEFERRED
    return verdict, Blame.RECIPIENT if phase is Phase.RCPT else Blame.MESSAGE


def enhanced_status(code: int, text: str) -> str | None:
    """Return the enhanced status (RFC 3463) that a reply's text carries, or None.

    One whose class contradicts the reply code counts for nothing: RFC 2034 4 wants them equal.
    """
    found = _STATUS.search(text)
    if found is None or int(found[1][0]) != code // 100:
        return None
    return found[1]


def clean_reply(text: str, secrets: Iterable[str] = ()) -> str:
    """Return `text` on one line, without control and bidirectional characters, of at most MAX_REPLY characters.

    Each of `secrets`, and each word of six characters or more that is a part of one (a relay that echoes a
    command may cut it), becomes `***`.
    """
    secrets = [secret for secret in secrets if secret]
    for secret in secrets:
        text = text.replace(secret, _HIDDEN)
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    text = " ".join(text.split())
    if secrets:
        for secret in secrets:
            text = text.replace(secret, _HIDDEN)
        text = _LONG_WORD.sub(lambda word: _HIDDEN if _is_part(word[0], secrets) else word[0], text)
    return text if len(text) <= MAX_REPLY else text[: MAX_REPLY - 1] + "…"


def _is_part(word: str, secrets: Iterable[str]) -> bool:
    bare = word.strip(_PUNCTUATION)
    return len(bare) >= 6 and any(bare in secret for secret in secrets)


def next_attempt(attempts: int, age: timedelta, jitter: float) -> timedelta | None:
    """Return how long to wait before the next attempt, or None to give up.

    `attempts` counts those made so far, `age` is the edition's by the clock, which may have jumped: so nothing is
    given up by its age alone. Doubles from FIRST_DELAY up to LONGEST_DELAY.
    `jitter`, in [0, 1), spreads a queue that was deferred together, so that a relay that comes back is not
    met by all of it at once.
    """
    if age >= MAX_AGE and attempts >= MIN_ATTEMPTS:
        return None
    return _doubled(FIRST_DELAY, attempts, LONGEST_DELAY) * (1 + jitter / 2)


def relay_pause(failures: int, outcome: Outcome) -> timedelta:
    """Return how long to leave the relay alone after `outcome`; nothing, unless it is the relay that is to blame.

    `failures` counts the outcomes in a row that blamed it, this one included. What only a person can mend, a
    refused login or sender, waits longer than a relay that is busy or away.
    """
    if outcome.blame is not Blame.RELAY:
        return timedelta()
    if outcome.phase in {Phase.LOGIN, Phase.MAIL} and outcome.code is not None and outcome.code >= 500:
        return _doubled(FIRST_REFUSED_PAUSE, failures, LONGEST_REFUSED_PAUSE)
    return _doubled(FIRST_PAUSE, failures, LONGEST_PAUSE)


def _doubled(first: timedelta, count: int, longest: timedelta) -> timedelta:
    """Return `first` for a count of 1 (or less), twice that for 2 and so on, at most `longest`."""
    doublings = min(max(count - 1, 0), 16)  # 2**40 times five minutes does not fit a timedelta
    return min(first * (1 << doublings), longest)
