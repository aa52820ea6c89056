"""What an attempt's outcome means for its edition: the next step in the outbox. Pure."""

from __future__ import annotations

import re
from datetime import datetime

from digestd.deliver.policy import MAX_AGE, next_attempt, relay_pause
from digestd.model import Blame, OutboxState, Outcome, Phase, Verdict
from digestd.store.base import Claim, Transition

SETTING_UP = frozenset({Phase.CONNECT, Phase.TLS, Phase.LOGIN})


def settled(
    claim: Claim,
    source: OutboxState,
    outcome: Outcome,
    now: datetime,
    jitter: float,
    *,
    failures: int,
    hold: bool,
) -> Transition:
    """Return the step that follows from an outcome.

    `failures` counts the relay's own failures in a row, `hold` keeps a doubtful edition for the operator.
    """
    # The ledger is append-only, and outlives whoever asks to be forgotten: it never learns of an address.
    reply = _without(claim.address, outcome.reply)
    reason = f"{outcome.code} {reply}" if outcome.code else reply
    target, not_before, counts = OutboxState.READY, now, True
    ledger = str(outcome.verdict)
    if outcome.verdict is Verdict.SENT:  # nearly all, and none of the rest is asked
        return Transition(
            claim.edition, source, OutboxState.SENT, now, reason, now,
            phase=outcome.phase, code=outcome.code, ledger=ledger,
        )  # fmt: skip
    age = now - claim.composed_at
    delay, is_old = next_attempt(claim.attempts, age, jitter), age >= MAX_AGE
    if outcome.verdict is Verdict.FAILED:
        target = OutboxState.FAILED
    elif outcome.verdict is Verdict.UNCERTAIN:
        if hold or is_old or delay is None:
            target = OutboxState.UNCERTAIN
        else:
            not_before = now + delay
    elif is_relays_own(outcome) and (outcome.phase in SETTING_UP or not is_old):
        counts = False
        if outcome.phase not in SETTING_UP:  # this message may be the cause: let others go first
            not_before = now + relay_pause(failures, outcome)
    elif delay is None or is_relays_own(outcome):
        target, ledger = OutboxState.FAILED, str(Verdict.FAILED)
        reason = f"gave up after {claim.attempts} attempts: {reason}"
    else:
        not_before = now + delay
    return Transition(
        claim.edition, source, target, now, reason, not_before,
        phase=outcome.phase, code=outcome.code, ledger=ledger, counts=counts,
    )  # fmt: skip


def _without(address: str, reply: str) -> str:
    """Return a relay's words without the recipient's address, which many relays repeat."""
    if "@" not in reply:  # nearly always, and an expression for each address costs more than its message's wire
        return reply
    return re.sub(re.escape(address), "<address>", reply, flags=re.IGNORECASE).replace("<<address>>", "<address>")


def is_relays_own(outcome: Outcome) -> bool:
    """Return whether an outcome says nothing about the edition that was tried, so that the attempt does not count.

    A refusal of this address or message by the relay's policy counts: were it tried again at once for ever, the
    relay would be left alone for its sake when others could go.
    """
    is_about_edition = outcome.phase in {Phase.RCPT, Phase.DATA, Phase.BODY} and outcome.code not in {None, 421}
    return outcome.blame is Blame.RELAY and not is_about_edition


def is_of_a_domain(outcome: Outcome) -> bool:
    """Return whether a refusal for a while may be meant for all of the recipient's domain."""
    return outcome.verdict is Verdict.DEFERRED and outcome.blame is Blame.RECIPIENT
