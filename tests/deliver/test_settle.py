"""What an outcome means for its edition, without a relay."""

from __future__ import annotations

from digestd.deliver.settle import is_of_a_domain, is_relays_own
from digestd.model import Blame, Outcome, Phase, Verdict


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
