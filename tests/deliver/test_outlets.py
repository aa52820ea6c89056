"""Several relays, domains that rest, and editions with which a program ended before."""

from __future__ import annotations

from pathlib import Path

from support.office import office
from support.smtp_script import SmtpScript

from digestd.deliver.courier import SmtpCourier
from digestd.deliver.pace import FIRST_REST, TROUBLES
from digestd.deliver.relay import Relay
from digestd.deliver.stage import Courier, DeliverReport, Outlet
from digestd.model import OutboxState, Phase

READY, SENT, FAILED, CLAIMED = OutboxState.READY, OutboxState.SENT, OutboxState.FAILED, OutboxState.CLAIMED


def outlet(host: str, port: int, connections: int = 2) -> Outlet:
    def make() -> Courier:
        return SmtpCourier(Relay(host, port, tls="none", local_hostname="client.example"))

    return Outlet(make, connections)


async def test_deliver_over_two_relays_shares_the_work(tmp_path: Path) -> None:
    async with office(tmp_path, people=40) as it, SmtpScript() as second:
        report = await it.deliver(outlets=[outlet(one.host, one.port) for one in (it.relay, second)])
        assert report == DeliverReport(sent=40)
        assert it.relay.messages
        assert second.messages
        assert len(it.relay.messages) + len(second.messages) == 40


async def test_deliver_with_one_relay_down_sends_all_by_the_other_and_tells_of_it(tmp_path: Path) -> None:
    async with office(tmp_path, people=20) as it:
        report = await it.deliver(outlets=[outlet("127.0.0.1", 1), outlet(it.relay.host, it.relay.port)])
        assert report.trouble is not None
        assert report.trouble.phase is Phase.CONNECT
        assert (await it.deliver()).sent + report.sent == 20
        assert report.sent >= 16  # all but what the first one had in hand
        assert it.states() == {SENT: 20}


async def test_deliver_to_a_domain_that_refuses_for_a_while_lets_it_rest_and_goes_on(tmp_path: Path) -> None:
    async with office(tmp_path, {"RCPT": "451 4.7.1 later"}, people=60) as it:
        report = await it.deliver()
        rested = [row for row in it.rows() if "the domain rests" in row.reason]
        assert TROUBLES <= report.deferred < 30  # those that were claimed before it was known
        assert len(rested) + report.deferred == 60
        assert {(row.state, row.attempts, row.not_before) for row in rested} == {(READY, 0, it.world.now + FIRST_REST)}


async def test_deliver_of_an_edition_with_which_the_program_ends_each_time_sets_it_aside(tmp_path: Path) -> None:
    async with office(tmp_path, people=3) as it:
        outbox, now = it.world.store.outbox, it.world.now
        assert len(outbox.claim("dead-1", now, 1)[0]) == 1
        for owner in ("dead-2", "dead-3"):
            outbox.recover(owner, now, hold=False)
            [claim], _ = outbox.claim(owner, now, 10)
            assert claim.suspect
        report = await it.deliver()
        assert (report.sent, report.failed) == (2, 0)
        [aside] = [row for row in it.rows() if row.state is FAILED]
        assert aside.edition == claim.edition
        assert "three times with nothing else in hand" in aside.reason
        assert [line.state for line in it.ledger(aside)] == ["failed"]


async def test_deliver_after_a_crash_sends_the_suspects_one_at_a_time(tmp_path: Path) -> None:
    async with office(tmp_path, people=6, connections=3) as it:
        outbox, most = it.world.store.outbox, 0
        assert len(outbox.claim("dead", it.world.now, 4)[0]) == 4
        real = outbox.claim

        def watched(*bounds: object) -> object:
            nonlocal most
            claims, cancelled = real(*bounds)  # type: ignore[arg-type]
            if any(claim.suspect for claim in claims):
                most = max(most, outbox.counts()[CLAIMED] + outbox.counts()[OutboxState.SENDING])
            return claims, cancelled

        outbox.claim = watched  # type: ignore[method-assign, assignment]
        assert (await it.deliver()).sent == 6
        assert most == 1
