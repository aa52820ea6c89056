"""What an outcome means for its edition, without a relay."""

from __future__ import annotations

from datetime import UTC, datetime

from digestd.deliver.settle import is_of_a_domain, is_relays_own, settled
from digestd.model import Blame, OutboxState, Outcome, Phase, Verdict
from digestd.store.base import Claim


def test_outcome_of_the_relay_itself_is_told_from_one_of_an_edition() -> None:
    def outcome(phase: Phase, code: int | None) -> Outcome:
        return Outcome(Verdict.DEFERRED, phase, Blame.RELAY, "no", code)

    assert is_relays_own(outcome(Phase.MAIL, 550))
    assert is_relays_own(outcome(Phase.RCPT, None))
    assert is_relays_own(outcome(Phase.BODY, 421))
    assert not is_relays_own(outcome(Phase.RCPT, 550))
    assert not is_relays_own(Outcome(Verdict.DEFERRED, Phase.MAIL, Blame.MESSAGE, "no", 451))


def test_outcome_that_may_be_meant_for_a_domain_is_a_recipient_refused_for_a_while() -> None:
    assert is_of_a_domain(Outcome(Verdict.DEFERRED, Phase.RCPT, Blame.RECIPIENT, "later", 450))
    assert not is_of_a_domain(Outcome(Verdict.FAILED, Phase.RCPT, Blame.RECIPIENT, "unknown", 550))
    assert not is_of_a_domain(Outcome(Verdict.DEFERRED, Phase.BODY, Blame.MESSAGE, "later", 451))


def test_settled_step_keeps_no_address_of_a_reader_in_the_words_of_a_relay() -> None:
    """The ledger is append-only, so that what it never had need not be forgotten."""
    now = datetime(2026, 11, 23, tzinfo=UTC)
    claim = Claim(1, "0" * 32, "ada.b+x@example.org", 1, now, None)
    reply = "5.1.1 <Ada.B+x@Example.ORG>: no mailbox ada.b+x@example.org here, ask ada.bX@example.org"
    outcome = Outcome(Verdict.FAILED, Phase.RCPT, Blame.RECIPIENT, reply, 550)
    step = settled(claim, OutboxState.CLAIMED, outcome, now, 0.0, failures=0, hold=False)
    assert step.reason == "550 5.1.1 <address>: no mailbox <address> here, ask ada.bX@example.org"
