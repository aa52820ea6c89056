"""Deliver: claim → still wanted? → press → courier → outcome, until the outbox has nothing ready.

`sending` is durable before the first byte of a body leaves, and the outcome before the next body of the same
connection begins, so a crash leaves doubt about at most one message of each connection. Each relay has its own
connections, which adapt; one that fails leaves the messages to the others, and the last one to fail ends the run.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from digestd.deliver.pace import Domains, Pace
from digestd.deliver.policy import LONGEST_WAIT
from digestd.deliver.press import Press, Printed, Sealed, Spoilt, sealed
from digestd.deliver.scribe import Scribe, to_its_end
from digestd.deliver.settle import SETTING_UP, is_of_a_domain, settled
from digestd.deliver.tray import Tray
from digestd.errors import DigestdError, StoreError
from digestd.model import Blame, Envelope, OutboxState, Outcome, Phase, Verdict
from digestd.publish.dkim import Signer
from digestd.store.base import Claim, Store, Transition

AHEAD = 8  # editions claimed for each connection: enough that none waits for the next claim, few to give back
PATIENCE = 3  # failures of a relay in a row, over all its connections: more than one bad message makes, and soon seen

BeforeBody = Callable[[], Awaitable[bool]]
Pressing = Callable[[Sequence[int]], Coroutine[None, None, list[Printed]]]


class Courier(Protocol):
    """What carries a message: one connection to a relay, used by one worker."""

    async def carry(
        self, envelope: Envelope, message: bytes, before_body: BeforeBody, following: tuple[Envelope, int] | None = None
    ) -> Outcome:
        """Try once to hand a message over.

        `before_body` is awaited when the relay is ready for the message and before its first byte leaves; False
        withdraws the message. `following` is the envelope and the octets of what will be carried next, which may be
        announced at once.
        """

    async def close(self) -> None:
        """Take leave of the relay."""


@dataclass(frozen=True, slots=True)
class Outlet:
    """One relay: what makes a connection to it, and how many at most."""

    make_courier: Callable[[], Courier]
    connections: int


@dataclass(frozen=True, slots=True)
class Post:
    """How to deliver: who claims, from which address, what doubt leads to, who signs.

    `press` makes the messages elsewhere; without it they are made in a thread of this process.
    """

    owner: str
    sender: str
    hold_uncertain: bool
    signers: tuple[Signer, ...] = ()
    press: Pressing | None = None


@dataclass(slots=True)
class DeliverReport:
    """What a run came to, in editions. `trouble` is how a relay itself failed last, if one did."""

    sent: int = 0
    deferred: int = 0
    failed: int = 0
    uncertain: int = 0
    cancelled: int = 0
    trouble: Outcome | None = None


async def deliver(
    store: Store,
    outlets: Sequence[Outlet],
    post: Post,
    clock: Callable[[], datetime],
    jitter: Callable[[], float],
    *,
    stop: asyncio.Event | None = None,
    told: Callable[[Claim, Outcome], None] | None = None,
) -> DeliverReport:
    """Send what is ready, until nothing is, the last relay fails, or `stop` is set.

    `told` is told every outcome. Raises StoreBusy when another process delivers from this store, StoreHeld when
    it is a copy, StoreFull when the disk has no room for more, and StoreError when an outcome could not be written
    down; what was on its way is then uncertain.
    """
    with store.outbox.exclusive():
        run = _Run(store, post, clock, jitter, stop or asyncio.Event(), told)
        return await run.complete(outlets)


@dataclass(slots=True)
class _Lane:
    """One relay at work: its connections, and its failures in a row over all of them."""

    outlet: Outlet
    pace: Pace
    workers: set[asyncio.Task[None]] = field(default_factory=set)
    active: int = 0  # workers that have not decided to leave
    failures: int = 0
    is_closed: bool = False


@dataclass(slots=True)
class _Run:
    store: Store
    post: Post
    clock: Callable[[], datetime]
    jitter: Callable[[], float]
    stop: asyncio.Event
    told: Callable[[Claim, Outcome], None] | None
    report: DeliverReport = field(default_factory=DeliverReport)
    domains: Domains = field(default_factory=Domains)
    obstacle: StoreError | None = None  # why no more could be claimed
    alone: asyncio.Future[None] | None = None  # done when the suspect in hand is settled

    async def complete(self, outlets: Sequence[Outlet]) -> DeliverReport:
        outbox, post = self.store.outbox, self.post
        await asyncio.to_thread(outbox.recover, post.owner, self.clock(), hold=post.hold_uncertain)
        await asyncio.to_thread(outbox.bring_forward, self.clock(), LONGEST_WAIT)
        connections = sum(outlet.connections for outlet in outlets)
        tray, scribe = Tray[Sealed](connections), Scribe(outbox, post.owner)
        lanes = [_Lane(outlet, Pace(outlet.connections)) for outlet in outlets]
        try:
            async with asyncio.TaskGroup() as group:
                feeder = group.create_task(self._feed(tray, scribe, AHEAD * connections))
                for lane in lanes:
                    self._man(lane, group, tray, scribe)
                while workers := [worker for lane in lanes for worker in lane.workers]:
                    await asyncio.wait(workers)
                feeder.cancel()
        except* DigestdError as failures:
            raise _first(failures) from None
        finally:
            await scribe.finish()
            await asyncio.to_thread(outbox.release, post.owner, self.clock())
        if self.obstacle:
            raise self.obstacle
        return self.report

    async def _feed(self, tray: Tray[Sealed], scribe: Scribe, limit: int) -> None:
        """Claim and press ahead of the workers, and close the tray when there is no more."""
        press = self.post.press or _in_a_thread(Press(self.store.editions, self.post.signers))
        pressing: deque[asyncio.Task[list[Sealed | Spoilt]]] = deque()  # two at most: one is laid out meanwhile
        try:
            while claims := await self._claim(limit):
                if claims[0].suspect:
                    await self._send_alone(claims[0], press, tray, scribe)
                    continue
                wanted = await self._without_resting(claims, scribe)
                pressing.append(asyncio.create_task(self._printed(press, wanted)))
                if len(pressing) > 1:
                    await self._lay_out(await pressing[0], tray, scribe)
                    pressing.popleft()
            for printed in pressing:
                await self._lay_out(await printed, tray, scribe)
        finally:
            tray.close()
            if pressing:  # whoever owns the press may end it after this
                await asyncio.wait(pressing)

    async def _send_alone(self, suspect: Claim, press: Pressing, tray: Tray[Sealed], scribe: Scribe) -> None:
        """Send an edition with which a program ended before, with nothing else in hand."""
        self.alone = asyncio.get_running_loop().create_future()
        await self._lay_out(await self._printed(press, [suspect]), tray, scribe)
        await self.alone
        self.alone = None

    async def _claim(self, limit: int) -> list[Claim]:
        """Claim the next editions; none when none are ready, the run ends, or the store takes no new work."""
        while not self.stop.is_set():
            try:
                claims, cancelled = await to_its_end(self.store.outbox.claim, self.post.owner, self.clock(), limit)
            except StoreError as error:  # a full disk, say: what is on its way is still brought to its end
                self.obstacle = error
                break
            self.report.cancelled += cancelled
            if claims or not cancelled:
                return claims
        return []

    async def _without_resting(self, claims: list[Claim], scribe: Scribe) -> list[Claim]:
        """Return the claims whose domain may be sent to; the others wait until it may."""
        now, wanted = self.clock(), []
        for claim in claims:
            until = self.domains.rests_until(claim.address, now)
            if until is None:
                wanted.append(claim)
                continue
            reason = f"other mail to its domain is refused for a while; the domain rests until {until:%H:%M} UTC"
            await scribe.record(
                Transition(claim.edition, OutboxState.CLAIMED, OutboxState.READY, now, reason, until, counts=False)
            )
        return wanted

    async def _printed(self, press: Pressing, claims: Sequence[Claim]) -> list[Sealed | Spoilt]:
        printed = await press([claim.edition for claim in claims])
        return [sealed(claim, one, self.post.sender) for claim, one in zip(claims, printed, strict=True)]

    async def _lay_out(self, pressed: Sequence[Sealed | Spoilt], tray: Tray[Sealed], scribe: Scribe) -> None:
        for one in pressed:
            if isinstance(one, Sealed):
                await tray.put(one)
            else:
                await self._set_aside(scribe, one)

    def _man(self, lane: _Lane, group: asyncio.TaskGroup, tray: Tray[Sealed], scribe: Scribe) -> None:
        """Let as many workers serve a relay as its pace allows."""
        while lane.active < lane.pace.allowed and not (lane.is_closed or tray.is_finished):
            worker = group.create_task(self._work(lane, group, tray, scribe))
            lane.active += 1
            lane.workers.add(worker)
            worker.add_done_callback(lane.workers.discard)

    async def _work(self, lane: _Lane, group: asyncio.TaskGroup, tray: Tray[Sealed], scribe: Scribe) -> None:
        """Carry messages over one connection until there are no more, it fails, or the relay is to get fewer."""
        courier: Courier | None = None
        held: Sealed | None = None
        marked: asyncio.Future[bool] | None = None
        try:
            while (held := held or await tray.take()) is not None and not (self.stop.is_set() or lane.is_closed):
                following = tray.spare()
                courier = courier or lane.outlet.make_courier()
                marked, goes_on = await self._carry(lane, courier, held, following, marked, scribe)
                held = following
                if not goes_on or lane.active > lane.pace.allowed:
                    return
                self._man(lane, group, tray, scribe)
        finally:
            lane.active -= 1
            if held is not None:
                tray.give_back(held)
            if courier is not None:
                await courier.close()
            if marked is not None:
                await marked

    async def _carry(
        self,
        lane: _Lane,
        courier: Courier,
        sent: Sealed,
        following: Sealed | None,
        marked: asyncio.Future[bool] | None,
        scribe: Scribe,
    ) -> tuple[asyncio.Future[bool], bool]:
        """Make one attempt and hand what came of it to the scribe.

        Returns what tells that it is written down, and whether another attempt over this connection is worth it.
        `marked` is the same of the message before: it is written by the time that this body begins.
        """
        claim = sent.claim
        begun = refused = False

        async def before_body() -> bool:
            nonlocal begun, refused
            source, target = OutboxState.CLAIMED, OutboxState.SENDING
            begun = await scribe.record(Transition(claim.edition, source, target, self.clock(), sha256=sent.sha256))
            if marked is not None:
                await marked
            refused = not begun
            return begun

        announced = (following.envelope, len(following.message)) if following else None
        outcome = await courier.carry(sent.envelope, sent.message, before_body, announced)
        now = self.clock()
        if refused:  # paused or left meanwhile: the next claim finds out which
            back = Transition(claim.edition, OutboxState.CLAIMED, OutboxState.READY, now, counts=False)
            return self._written(scribe, back), True
        lane.failures = lane.failures + 1 if outcome.blame is Blame.RELAY else 0
        source = OutboxState.SENDING if begun else OutboxState.CLAIMED
        hold, failures = self.post.hold_uncertain, lane.failures
        step = settled(claim, source, outcome, now, self.jitter(), failures=failures, hold=hold)
        self._count(step.target, outcome)
        self._learn(lane, claim, outcome, now)
        if self.told:
            self.told(claim, outcome)
        return self._written(scribe, step), outcome.blame is not Blame.RELAY or self._bears(lane, outcome)

    def _written(self, scribe: Scribe, step: Transition) -> asyncio.Future[bool]:
        """Hand a settling step to the scribe; a suspect's lets the feeder go on."""
        mark = scribe.record(step)
        if self.alone is not None:
            mark.add_done_callback(self._settled_alone)
        return mark

    def _settled_alone(self, mark: asyncio.Future[bool]) -> None:
        if self.alone is not None and not self.alone.done():
            self.alone.set_result(None)

    def _learn(self, lane: _Lane, claim: Claim, outcome: Outcome, now: datetime) -> None:
        """Let the relay's pace and the domain's rest follow what was said."""
        if outcome.verdict is Verdict.SENT:
            lane.pace.accepted()
            self.domains.accepted(claim.address)
        elif outcome.blame is Blame.RELAY:
            lane.pace.troubled()
        elif is_of_a_domain(outcome):
            self.domains.refused(claim.address, now)

    def _bears(self, lane: _Lane, outcome: Outcome) -> bool:
        """Return whether a relay that failed is worth another attempt over the same connection, opened anew."""
        self.report.trouble = outcome
        is_refused = outcome.code is not None and outcome.code >= 500
        if is_refused and outcome.phase is Phase.LOGIN:
            lane.is_closed = True  # a second wrong login may lock the account
        wants_rest = outcome.code == 421 or (is_refused and outcome.phase is Phase.MAIL)
        return outcome.phase not in SETTING_UP and not wants_rest and lane.failures < PATIENCE

    def _count(self, target: OutboxState, outcome: Outcome) -> None:
        """Count what an attempt came to."""
        if outcome.verdict is Verdict.SENT:
            self.report.sent += 1
        elif target is OutboxState.FAILED:
            self.report.failed += 1
        elif outcome.verdict is Verdict.UNCERTAIN:
            self.report.uncertain += 1
        else:
            self.report.deferred += 1

    async def _set_aside(self, scribe: Scribe, spoilt: Spoilt) -> None:
        """Settle an edition that cannot be sent as it is; an operator can retry it."""
        self.report.failed += 1
        edition, now = spoilt.claim.edition, self.clock()
        source, target = OutboxState.CLAIMED, OutboxState.FAILED
        await self._written(scribe, Transition(edition, source, target, now, spoilt.reason, ledger=Verdict.FAILED))
        if self.told:
            self.told(spoilt.claim, Outcome(Verdict.FAILED, Phase.CONNECT, Blame.MESSAGE, spoilt.reason))


def _in_a_thread(press: Press) -> Pressing:
    """Return the press of this process, at work beside the event loop."""

    async def printed(editions: Sequence[int]) -> list[Printed]:
        return await to_its_end(press.print, editions)

    return printed


def _first(failures: BaseExceptionGroup[DigestdError]) -> DigestdError:
    error: BaseException = failures
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, DigestdError)
    return error
