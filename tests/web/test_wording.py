"""What the pages say, without a server."""

from __future__ import annotations

from itertools import product

import pytest
from support.store_room import MONDAY

from digestd.model import Origin, OutboxState, Subscriber, SubscriberState
from digestd.store.base import Past, StoredSubscriber
from digestd.web.choices import Choice
from digestd.web.wording import masked, notice, past, subscription


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("reader@example.org", "r…@example.org"),
        ("a@example.org", "a…@example.org"),
        ('"x@y"@example.org', '"…@example.org'),
        ("ö@bücher.example", "ö…@bücher.example"),
        ("@example.org", "…@example.org"),
        ("reader", "…@reader"),
        ("", "…@"),
        ("\u202er@exam\0ple\n.org", "\ufffd…@exam\ufffdple\ufffd.org"),
        ("r@" + "x" * 200, "r…@" + "x" * 60 + "…"),
    ],
)
def test_masked_address_shows_the_first_letter_and_the_domain(address: str, shown: str) -> None:
    assert masked(address) == shown


@pytest.mark.parametrize(("state", "by", "made"), list(product(SubscriberState, Origin, [None, *Choice])))
def test_subscription_page_of_every_state_has_words_and_one_main_button_at_most(
    state: SubscriberState, by: Origin, made: Choice | None
) -> None:
    page = subscription(StoredSubscriber(17, Subscriber("reader@example.org", state=state), by, Origin.FILE), made)
    assert page.heading
    assert page.lead
    assert page.address == "r…@example.org"
    assert sum(button.main for button in page.buttons) <= 1
    # Who sees that nothing is sent, and who sees that papers come, is never mistaken about it.
    assert ("nothing" in f"{page.heading} {page.lead}".lower()) != (
        state is SubscriberState.ACTIVE and made in (Choice.RESUME, Choice.WEEKLY, Choice.FEWER)
    ) or state is SubscriberState.SUPPRESSED


@pytest.mark.parametrize("status", [400, 404, 405, 408, 413, 418, 503])
def test_notice_of_every_status_is_a_page_without_buttons(status: int) -> None:
    page = notice(status)
    assert page.heading
    assert page.lead
    assert not page.buttons
    assert not page.address


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        (OutboxState.SENT, "Daily digest, 1 paper"),
        (OutboxState.CLAIMED, "Daily digest, 1 paper, on its way"),
        (OutboxState.UNCERTAIN, "Daily digest, 1 paper, may not have arrived"),
        (OutboxState.FAILED, "Daily digest, 1 paper, could not be sent"),
        (OutboxState.CANCELLED, "Daily digest, 1 paper, was not sent"),
    ],
)
def test_past_edition_says_in_a_readers_words_what_became_of_it(state: OutboxState, shown: str) -> None:
    assert past(Past(1, "0" * 32, "daily:2026-11-23", MONDAY, state, 1)) == ("23 November 2026", shown, "0" * 32)


def test_past_edition_of_every_state_has_words() -> None:
    assert all(past(Past(1, "0", "daily:x", MONDAY, state, 1)) for state in OutboxState)
