"""What each fault of the relay does to editions and their ledger: a real outbox, real connections, a scripted relay."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from support.history import check_history
from support.office import Office, office
from support.smtp_actions import Drop, Script

from digestd.deliver.courier import SmtpCourier
from digestd.deliver.policy import MIN_ATTEMPTS
from digestd.deliver.press import Press
from digestd.deliver.relay import Relay
from digestd.deliver.stage import PATIENCE, DeliverReport
from digestd.model import Edition, OutboxState, Phase, Verdict
from digestd.publish.render import Rendered, Renderer
from digestd.store.base import Transition

READY, SENT, FAILED = OutboxState.READY, OutboxState.SENT, OutboxState.FAILED
UNCERTAIN, CLAIMED, SENDING = OutboxState.UNCERTAIN, OutboxState.CLAIMED, OutboxState.SENDING


# One attempt, by what the relay says


async def test_deliver_to_a_good_relay_sends_every_edition_once_and_writes_it_down(tmp_path: Path) -> None:
    async with office(tmp_path, people=40, connections=4) as it:
        report = await it.deliver()

        assert report == DeliverReport(sent=40)
        assert it.states() == {SENT: 40}
        assert check_history(it.world.store, it.relay.messages, kills=0, connections=4) == 0
        assert sorted(m.recipients[0] for m in it.relay.messages) == sorted(f"r{n}@example.org" for n in range(40))
        for row in it.rows():
            [line] = it.ledger(row)
            assert (line.state, line.attempt, line.phase, line.code) == ("sent", 1, "body", 250)
        assert len(it.told) == 40
        assert await it.deliver() == DeliverReport()


async def test_deliver_of_an_empty_outbox_opens_no_connection(tmp_path: Path) -> None:
    async with office(tmp_path, people=0) as it:
        assert await it.deliver() == DeliverReport()
        assert it.relay.sessions == []
        assert it.couriers == []


async def test_deliver_with_greylisting_waits_and_then_sends_the_same_message(tmp_path: Path) -> None:
    async with office(tmp_path, {"RCPT": ["451 4.7.1 come back later"], "DOT": ["452 4.3.1 full"]}) as it:
        begun = it.world.now
        assert await it.deliver() == DeliverReport(deferred=1)
        [row] = it.rows()
        assert (row.state, row.attempts, row.not_before) == (READY, 1, begun + timedelta(minutes=5))
        assert "451" in row.reason
        assert await it.deliver() == DeliverReport()  # its time has not come

        it.world.later(minutes=5)
        assert await it.deliver() == DeliverReport(deferred=1)
        assert it.rows()[0].not_before == it.world.now + timedelta(minutes=10)
        it.world.later(minutes=10)
        assert await it.deliver() == DeliverReport(sent=1)

        assert [(line.state, line.attempt) for line in it.ledger(row)] == [
            ("deferred", 1),
            ("deferred", 2),
            ("sent", 3),
        ]
        first, second = it.relay.messages
        assert first.octets == second.octets
        assert first.header("Message-ID") == second.header("Message-ID") != ""


async def test_deliver_that_is_deferred_for_two_days_gives_up_and_says_why(tmp_path: Path) -> None:
    async with office(tmp_path, {"RCPT": "450 4.2.2 mailbox full"}) as it:
        for _ in range(MIN_ATTEMPTS):
            it.world.later(hours=5, minutes=59)
            assert (await it.deliver()).deferred == 1
        it.world.later(hours=6)
        assert await it.deliver() == DeliverReport(failed=1)
        [row] = it.rows()
        assert row.state is FAILED
        assert row.reason == "gave up after 9 attempts: 450 4.2.2 mailbox full"
        assert [line.state for line in it.ledger(row)] == ["deferred"] * MIN_ATTEMPTS + ["failed"]


@pytest.mark.parametrize(
    "script",
    [{"RCPT": ["550 5.1.1 no such user"]}, {"DATA": ["554 5.6.0 no"]}, {"DOT": ["554 5.6.0 no"]}],
    ids=["rcpt", "data", "dot"],
)
async def test_deliver_that_is_refused_fails_that_edition_only(tmp_path: Path, script: Script) -> None:
    async with office(tmp_path, script, people=3) as it:
        report = await it.deliver()
        assert (report.sent, report.failed, report.trouble) == (2, 1, None)
        [row] = [row for row in it.rows() if row.state is FAILED]
        [line] = it.ledger(row)
        assert line.state == "failed"
        assert str(line.code) in row.reason
        it.world.later(days=1)
        assert await it.deliver() == DeliverReport()  # final


# The relay fails


async def test_deliver_to_a_relay_that_is_down_keeps_every_edition_and_says_so(tmp_path: Path) -> None:
    async with office(tmp_path, people=5, connections=3) as it:
        down = lambda: SmtpCourier(Relay("127.0.0.1", 1, tls="none"))  # noqa: E731 - nothing listens on port 1
        report = await it.deliver(make_courier=down)

        assert (report.sent, report.failed, report.uncertain) == (0, 0, 0)
        assert report.trouble is not None
        assert "cannot reach 127.0.0.1 port 1" in report.trouble.reply
        assert it.states() == {READY: 5}
        assert {(row.attempts, row.not_before <= it.world.now) for row in it.rows()} == {(0, True)}
        assert (await it.deliver()).sent == 5


async def test_deliver_with_a_wrong_password_tries_it_once_and_leaves_the_callers_stop_alone(tmp_path: Path) -> None:
    stop = asyncio.Event()
    async with office(tmp_path, people=20, connections=1, accounts={"us": "right"}) as it:
        relay = Relay(it.relay.host, it.relay.port, tls="none", username="us", password="wrong")
        report = await it.deliver(make_courier=lambda: SmtpCourier(relay), stop=stop)
        assert report.trouble is not None
        assert (report.trouble.phase, report.trouble.code) == (Phase.LOGIN, 535)
        assert len(it.relay.logins) == 1
        assert it.states() == {READY: 20}
        assert not stop.is_set()  # it belongs to the daemon, which must live on


async def test_deliver_with_421_uses_fewer_connections_and_blames_no_edition(tmp_path: Path) -> None:
    async with office(tmp_path, {"MAIL": ["421 4.7.0 too many"]}, people=30, connections=3) as it:
        report = await it.deliver()
        assert (report.sent, report.deferred) == (29, 1)
        assert len(it.couriers) <= 3
        assert len(it.relay.sessions) <= 3  # the one that was sent away has not come back
        [row] = [row for row in it.rows() if row.state is READY]
        assert row.attempts == 0
        assert row.not_before > it.world.now  # the others go first


async def test_deliver_whose_sender_is_refused_ends_at_the_first_refusal(tmp_path: Path) -> None:
    async with office(tmp_path, {"MAIL": "550 5.1.8 bad sender"}, people=10) as it:
        report = await it.deliver()
        assert (report.deferred, report.failed) == (1, 0)
        assert report.trouble is not None
        assert it.relay.count("MAIL") == 1
        assert it.states() == {READY: 10}


@pytest.mark.parametrize("step", ["RCPT", "DOT"])
async def test_deliver_with_editions_refused_by_policy_does_not_starve_the_others(tmp_path: Path, step: str) -> None:
    policy = "550 5.7.1 looks like spam"
    ok = "250 2.0.0 ok"
    async with office(tmp_path, {step: [policy, policy, ok, policy, policy]}, people=20) as it:
        report = await it.deliver()  # over one connection
        assert (report.sent, report.failed, report.deferred) == (16, 0, 4)
        assert report.trouble is not None  # the operator hears of it
        assert "5.7.1" in report.trouble.reply
        waiting = [row for row in it.rows() if row.state is READY]
        assert {(row.attempts, row.not_before) for row in waiting} == {(1, it.world.now + timedelta(minutes=5))}
        it.world.later(minutes=5)
        assert (await it.deliver()).sent == 4


@pytest.mark.parametrize("fault", [Drop(), "421 4.7.0 not now"], ids=["dropped", "421"])
async def test_deliver_of_an_edition_at_which_the_relay_leaves_for_two_days_gives_up(
    tmp_path: Path, fault: Drop | str
) -> None:
    async with office(tmp_path, {"RCPT": fault}) as it:
        it.world.later(hours=48)
        assert (await it.deliver()).failed == 1
        assert it.states() == {FAILED: 1}


async def test_deliver_refused_by_policy_for_two_days_gives_up(tmp_path: Path) -> None:
    async with office(tmp_path, {"RCPT": "550 5.7.1 not wanted"}) as it:
        for _ in range(MIN_ATTEMPTS - 1):
            it.world.later(hours=7)
            assert (await it.deliver()).deferred == 1
        it.world.later(hours=7)
        assert (await it.deliver()).failed == 1
        assert it.rows()[0].reason.startswith("gave up after 8 attempts: 550 5.7.1")


async def test_deliver_to_a_relay_that_fails_again_and_again_ends_after_a_few(tmp_path: Path) -> None:
    async with office(tmp_path, {"RCPT": Drop()}, people=20) as it:
        report = await it.deliver()
        assert report.deferred == PATIENCE
        assert len(it.relay.sessions) == PATIENCE
        assert report.trouble is not None
        assert it.states() == {READY: 20}
        assert {row.attempts for row in it.rows()} == {0}


# Doubt


async def test_deliver_with_the_line_lost_after_the_dot_resends_the_same_bytes_later(tmp_path: Path) -> None:
    async with office(tmp_path, {"DOT": [Drop()]}, people=3) as it:
        report = await it.deliver()
        assert (report.sent, report.uncertain) == (2, 1)
        assert report.trouble is not None
        [row] = [row for row in it.rows() if row.state is READY]
        assert row.not_before == it.world.now + timedelta(minutes=5)
        it.world.later(minutes=5)
        assert (await it.deliver()).sent == 1
        assert [line.state for line in it.ledger(row)] == ["uncertain", "sent"]
        copies = [message for message in it.relay.messages if message.recipients == (row.email,)]
        assert len(copies) == 2
        assert copies[0].octets == copies[1].octets
        assert check_history(it.world.store, it.relay.messages, kills=1, connections=1) == 1


async def test_deliver_with_hold_keeps_a_doubtful_edition_for_the_operator(tmp_path: Path) -> None:
    async with office(tmp_path, {"DOT": [Drop()]}, hold=True) as it:
        assert (await it.deliver()).uncertain == 1
        assert it.states() == {UNCERTAIN: 1}
        it.world.later(days=1)
        assert await it.deliver() == DeliverReport()
        [row] = it.rows()
        assert it.world.store.outbox.settle(row.edition, {UNCERTAIN}, READY, "send it", it.world.now)
        assert (await it.deliver()).sent == 1


async def test_deliver_in_doubt_for_two_days_is_held(tmp_path: Path) -> None:
    async with office(tmp_path, {"DOT": Drop()}) as it:
        it.world.later(hours=48)
        assert (await it.deliver()).uncertain == 1
        assert it.states() == {UNCERTAIN: 1}  # not sent again and again for ever, and not called failed


@pytest.mark.parametrize(("hold", "state"), [(False, SENT), (True, UNCERTAIN)])
async def test_deliver_after_a_crash_in_the_body_resends_or_holds(
    tmp_path: Path, hold: bool, state: OutboxState
) -> None:
    async with office(tmp_path, hold=hold) as it:
        outbox, now = it.world.store.outbox, it.world.now
        [claim], _ = outbox.claim("dead", now, 1)
        sha256 = rendered_sha256(it)
        assert outbox.record("dead", [Transition(claim.edition, CLAIMED, SENDING, now, sha256=sha256)]) == [True]
        report = await it.deliver()
        assert it.states() == {state: 1}
        assert report.sent == (state is SENT)
        assert it.ledger(it.rows()[0])[0].state == "uncertain"


def rendered_sha256(it: Office) -> str:
    """Return the SHA-256 that the edition's bytes have, by a press of our own."""
    [row] = it.rows()
    [printed] = Press(it.world.store.editions, ()).print([row.edition])
    return printed[1]


async def test_deliver_of_a_second_rendering_that_differs_sets_it_aside_unsent(tmp_path: Path) -> None:
    async with office(tmp_path) as it:
        outbox, now = it.world.store.outbox, it.world.now
        [claim], _ = outbox.claim("dead", now, 1)
        outbox.record("dead", [Transition(claim.edition, CLAIMED, SENDING, now, sha256="0" * 64)])
        assert await it.deliver() == DeliverReport(failed=1)
        assert it.relay.messages == []
        [row] = it.rows()
        assert (row.state, row.reason) == (FAILED, "a second rendering differs from what was sent before")
        assert [line.state for line in it.ledger(row)] == ["uncertain", "failed"]
        assert [outcome.verdict for _, outcome in it.told] == [Verdict.FAILED]  # said, not only stored


async def test_deliver_with_one_edition_that_cannot_be_rendered_sends_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Renderer.render

    def poisoned(renderer: Renderer, edition: Edition) -> Rendered:
        if edition.reader.email == "r1@example.org":
            raise RuntimeError("a template fails on it")
        return whole(renderer, edition)

    monkeypatch.setattr(Renderer, "render", poisoned)
    async with office(tmp_path, people=5) as it:
        report = await it.deliver()
        assert (report.sent, report.failed) == (4, 1)
        [row] = [row for row in it.rows() if row.state is FAILED]
        assert row.email == "r1@example.org"
        assert "a template fails on it" in row.reason
        [line] = it.ledger(row)
        assert line.state == "failed"
        assert len(it.told) == 5
