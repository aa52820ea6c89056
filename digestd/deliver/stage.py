"""Deliver: claim → still wanted? → render → courier → outcome, until the outbox has nothing ready.

`sending` is durable before the first byte of a body leaves, and the outcome before the next message begins, so
a crash leaves doubt about at most one message of each connection. Marks that are wanted at the same moment
share a transaction. A worker leaves when the relay takes no connection or fails again and again; when the last
one has left, the run ends.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import ParamSpec, Protocol, TypeVar

from digestd.deliver.policy import LONGEST_WAIT, MAX_AGE, next_attempt, relay_pause
from digestd.errors import DigestdError, StoreError
from digestd.model import Blame, Edition, Envelope, OutboxState, Outcome, Phase, Snapshot, Verdict
from digestd.publish.addresses import ascii_address
from digestd.publish.dkim import Signer
from digestd.publish.message import build_message
from digestd.publish.render import render
from digestd.publish.tokens import unsubscribe_token
from digestd.store.base import Claim, Outbox, Store, Transition

AHEAD = 8  # editions claimed for each connection: enough that none waits for the next claim, few to give back
PATIENCE = 3  # failures in a row, over all connections: more than one bad message makes, and soon seen
SETTING_UP = frozenset({Phase.CONNECT, Phase.TLS, Phase.LOGIN})

BeforeBody = Callable[[], Awaitable[bool]]
Given = ParamSpec("Given")
Result = TypeVar("Result")


class Courier(Protocol):
    """What carries a message: one connection to a relay, used by one worker."""

    async def carry(self, envelope: Envelope, message: bytes, before_body: BeforeBody) -> Outcome:
        """Try once to hand a message over.

        `before_body` is awaited when the relay is ready for the message and before its first byte leaves; False
        withdraws the message.
        """

    async def close(self) -> None:
        """Take leave of the relay."""


@dataclass(frozen=True, slots=True)
class Post:
    """How to deliver: who claims, over how many connections, from which address, what doubt leads to, who signs."""

    owner: str
    connections: int
    sender: str
    hold_uncertain: bool
    signers: tuple[Signer, ...] = ()


@dataclass(slots=True)
class DeliverReport:
    """What a run came to, in editions. `trouble` is how the relay itself failed last, if it did."""

    sent: int = 0
    deferred: int = 0
    failed: int = 0
    uncertain: int = 0
    cancelled: int = 0
    trouble: Outcome | None = None


async def deliver(
    store: Store,
    make_courier: Callable[[], Courier],
    post: Post,
    clock: Callable[[], datetime],
    jitter: Callable[[], float],
    *,
    stop: asyncio.Event | None = None,
    settled: Callable[[Claim, Outcome], None] | None = None,
) -> DeliverReport:
    """Send what is ready, until nothing is, the relay fails, or `stop` is set.

    `settled` is told every outcome. Raises StoreBusy when another process delivers from this store, StoreHeld when
    it is a copy, StoreFull when the disk has no room for more, and StoreError when an outcome could not be written
    down; what was on its way is then uncertain.
    """
    with store.outbox.exclusive():
        run = _Run(store, make_courier, post, clock, jitter, stop or asyncio.Event(), settled)
        return await run.complete()


@dataclass(frozen=True, slots=True)
class _Letter:
    """A claimed edition with its bytes."""

    claim: Claim
    envelope: Envelope
    message: bytes
    sha256: str


@dataclass(slots=True)
class _Run:
    store: Store
    make_courier: Callable[[], Courier]
    post: Post
    clock: Callable[[], datetime]
    jitter: Callable[[], float]
    stop: asyncio.Event
    settled: Callable[[Claim, Outcome], None] | None
    report: DeliverReport = field(default_factory=DeliverReport)
    failures: int = 0  # of the relay, in a row, over all connections
    is_over: bool = False
    obstacle: StoreError | None = None  # why no more could be claimed

    async def complete(self) -> DeliverReport:
        outbox, post = self.store.outbox, self.post
        await asyncio.to_thread(outbox.recover, post.owner, self.clock(), hold=post.hold_uncertain)
        await asyncio.to_thread(outbox.bring_forward, self.clock(), LONGEST_WAIT)
        letters: asyncio.Queue[_Letter | None] = asyncio.Queue(post.connections)
        scribe = _Scribe(outbox, post.owner)
        try:
            async with asyncio.TaskGroup() as group:
                feeder = group.create_task(self._feed(letters, scribe))
                workers = [group.create_task(self._work(letters, scribe)) for _ in range(post.connections)]
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

    async def _feed(self, letters: asyncio.Queue[_Letter | None], scribe: _Scribe) -> None:
        """Claim and render ahead of the workers; at the end, tell each of them that there is no more."""
        desk = _Desk(self.store)
        limit = AHEAD * self.post.connections
        while not self._ends:
            try:
                claims, cancelled = await _to_its_end(self.store.outbox.claim, self.post.owner, self.clock(), limit)
            except StoreError as error:  # a full disk, say: what is on its way is still brought to its end
                self.obstacle = error
                break
            self.report.cancelled += cancelled
            if not claims and not cancelled:
                break
            editions = await asyncio.to_thread(desk.load, claims)
            for claim in claims:
                try:
                    edition, snapshot = editions[claim.edition]
                    message = build_message(edition, render(edition, snapshot), snapshot.sender, self.post.signers)
                    envelope = Envelope(self.post.sender, ascii_address(edition.reader.email))
                except Exception as error:  # whatever one edition does, the others go on
                    await self._set_aside(scribe, claim, f"it cannot be rendered: {error!r}"[:500])
                    continue
                sha256 = hashlib.sha256(message).hexdigest()
                if claim.sha256 not in (None, sha256):
                    await self._set_aside(scribe, claim, "a second rendering differs from what was sent before")
                    continue
                await letters.put(_Letter(claim, envelope, message, sha256))
        for _ in range(self.post.connections):
            await letters.put(None)

    async def _work(self, letters: asyncio.Queue[_Letter | None], scribe: _Scribe) -> None:
        """Carry letters over one connection until there are no more, or it fails."""
        courier: Courier | None = None
        try:
            while (letter := await letters.get()) is not None and not self._ends:
                courier = courier or self.make_courier()
                if not await self._carry(courier, letter, scribe):
                    return
        finally:
            if courier is not None:
                await courier.close()

    async def _carry(self, courier: Courier, letter: _Letter, scribe: _Scribe) -> bool:
        """Make one attempt and write down what came of it. Returns whether another one is worth it."""
        claim = letter.claim
        begun = refused = False

        async def before_body() -> bool:
            nonlocal begun, refused
            mark = Transition(
                claim.edition, OutboxState.CLAIMED, OutboxState.SENDING, self.clock(), sha256=letter.sha256
            )
            begun = await scribe.record(mark)
            refused = not begun
            return begun

        outcome = await courier.carry(letter.envelope, letter.message, before_body)
        if refused:  # paused or left meanwhile: the next claim finds out which
            await scribe.record(
                Transition(claim.edition, OutboxState.CLAIMED, OutboxState.READY, self.clock(), counts=False)
            )
            return True
        self.failures = self.failures + 1 if outcome.blame is Blame.RELAY else 0
        source = OutboxState.SENDING if begun else OutboxState.CLAIMED
        await scribe.record(self._transition(claim, source, outcome))
        if self.settled:
            self.settled(claim, outcome)
        if outcome.blame is not Blame.RELAY:
            return True
        self.report.trouble = outcome
        is_refused = outcome.code is not None and outcome.code >= 500
        if is_refused and outcome.phase is Phase.LOGIN:
            self.is_over = True  # a second wrong login may lock the account
        wants_rest = outcome.code == 421 or (is_refused and outcome.phase is Phase.MAIL)
        return outcome.phase not in SETTING_UP and not wants_rest and self.failures < PATIENCE

    @property
    def _ends(self) -> bool:
        return self.is_over or self.stop.is_set()

    def _transition(self, claim: Claim, source: OutboxState, outcome: Outcome) -> Transition:
        """Return what an outcome means for its edition, and count it."""
        now, reason = self.clock(), _said(outcome)
        target, not_before, counts = OutboxState.READY, now, True
        ledger = str(outcome.verdict)
        age = now - claim.composed_at
        delay, is_old = next_attempt(claim.attempts, age, self.jitter()), age >= MAX_AGE
        if outcome.verdict is Verdict.SENT:
            target = OutboxState.SENT
            self.report.sent += 1
        elif outcome.verdict is Verdict.FAILED:
            target = OutboxState.FAILED
            self.report.failed += 1
        elif outcome.verdict is Verdict.UNCERTAIN:
            self.report.uncertain += 1
            if self.post.hold_uncertain or is_old or delay is None:
                target = OutboxState.UNCERTAIN
            else:
                not_before = now + delay
        elif _is_relays_own(outcome) and (outcome.phase in SETTING_UP or not is_old):
            self.report.deferred += 1
            counts = False
            if outcome.phase not in SETTING_UP:  # this message may be the cause: let others go first
                not_before = now + relay_pause(self.failures, outcome)
        elif delay is None or _is_relays_own(outcome):
            target, ledger = OutboxState.FAILED, "failed"
            reason = f"gave up after {claim.attempts} attempts: {reason}"
            self.report.failed += 1
        else:
            not_before = now + delay
            self.report.deferred += 1
        return Transition(
            claim.edition, source, target, now, reason, not_before,
            phase=outcome.phase, code=outcome.code, ledger=ledger, counts=counts,
        )  # fmt: skip

    async def _set_aside(self, scribe: _Scribe, claim: Claim, reason: str) -> None:
        """Settle an edition that cannot be sent as it is; an operator can retry it."""
        now = self.clock()
        self.report.failed += 1
        await scribe.record(
            Transition(claim.edition, OutboxState.CLAIMED, OutboxState.FAILED, now, reason, ledger="failed")
        )
        if self.settled:
            self.settled(claim, Outcome(Verdict.FAILED, Phase.CONNECT, Blame.MESSAGE, reason))


class _Desk:
    """Loads claimed editions with their snapshots; there are few snapshots, and each is read once."""

    def __init__(self, store: Store) -> None:
        self._editions = store.editions
        self._key = store.editions.key()
        self._snapshots: dict[str, Snapshot] = {}

    def load(self, claims: list[Claim]) -> dict[int, tuple[Edition, Snapshot]]:
        def token(subscriber: int, address: str) -> str:
            return unsubscribe_token(self._key, subscriber, address)

        loaded = self._editions.load([claim.edition for claim in claims], token)
        for _, sha256 in loaded.values():
            if sha256 not in self._snapshots:
                self._snapshots[sha256] = self._editions.snapshot(sha256)
        return {pk: (edition, self._snapshots[sha256]) for pk, (edition, sha256) in loaded.items()}


class _Scribe:
    """Group commit: transitions that are waiting when the last commit ends share the next one."""

    def __init__(self, outbox: Outbox, owner: str) -> None:
        self._outbox = outbox
        self._owner = owner
        self._waiting: list[tuple[Transition, asyncio.Future[bool]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def record(self, transition: Transition) -> bool:
        """Return whether the transition was made, once that is durable."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((transition, future))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        return await future

    async def finish(self) -> None:
        """Wait until what was asked for is written, also for those who were cancelled while they waited."""
        if self._writing is not None:
            await asyncio.wait([self._writing])

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                made = await asyncio.to_thread(
                    self._outbox.record, self._owner, [transition for transition, _ in batch]
                )
            except Exception as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
            else:
                for (_, future), done in zip(batch, made, strict=True):
                    if not future.done():
                        future.set_result(done)
        self._writing = None


async def _to_its_end(call: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs) -> Result:
    """Return what a call in a thread returns. A thread cannot be stopped, so cancellation waits for its end."""
    running = asyncio.ensure_future(asyncio.to_thread(call, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        running.exception()  # seen, so that asyncio does not complain; the caller is leaving anyway
        raise


def _is_relays_own(outcome: Outcome) -> bool:
    """Return whether an outcome says nothing about the edition that was tried, so that the attempt does not count.

    A refusal of this address or message by the relay's policy counts: were it tried again at once for ever, the
    relay would be left alone for its sake when others could go.
    """
    is_about_edition = outcome.phase in {Phase.RCPT, Phase.DATA, Phase.BODY} and outcome.code not in {None, 421}
    return outcome.blame is Blame.RELAY and not is_about_edition


def _said(outcome: Outcome) -> str:
    """Return the relay's words as the ledger keeps them: with its code, unless they begin with it."""
    return f"{outcome.code} {outcome.reply}" if outcome.code else outcome.reply


def _first(failures: BaseExceptionGroup[DigestdError]) -> DigestdError:
    error: BaseException = failures
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, DigestdError)
    return error
