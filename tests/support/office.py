"""An office with composed editions, a scripted relay, and what a run of `deliver` needs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from support.smtp_actions import Script
from support.smtp_script import SmtpScript
from support.world import World, papers, reader

from digestd.deliver.courier import SmtpCourier
from digestd.deliver.relay import Relay
from digestd.deliver.stage import DeliverReport, Outlet, Post, deliver
from digestd.model import Origin, OutboxState, Outcome, SubscriberState
from digestd.store.base import Claim, LedgerRow, OutboxRow
from digestd.store.open import SqliteStore


class Office:
    """A world with composed editions, its relay, and what a run of `deliver` needs."""

    def __init__(self, world: World, relay: SmtpScript, connections: int, hold: bool) -> None:
        self.world = world
        self.relay = relay
        self.post = Post("office-1", "papers@example.org", hold)
        self.connections = connections
        self.couriers: list[SmtpCourier] = []
        self.told: list[tuple[Claim, Outcome]] = []

    def make_courier(self) -> SmtpCourier:
        courier = SmtpCourier(Relay(self.relay.host, self.relay.port, tls="none", local_hostname="client.example"))
        self.couriers.append(courier)
        return courier

    async def deliver(self, store: Any = None, **options: Any) -> DeliverReport:
        """Run once under a name of its own, without jitter."""
        self.post = replace(self.post, owner=f"office-{int(self.post.owner.partition('-')[2]) + 1}")
        own = [Outlet(options.pop("make_courier", self.make_courier), options.pop("connections", self.connections))]
        return await deliver(
            store or self.world.store,
            options.pop("outlets", own),
            self.post,
            lambda: self.world.now,
            lambda: 0.0,
            told=lambda claim, outcome: self.told.append((claim, outcome)),
            **options,
        )

    def rows(self) -> list[OutboxRow]:
        found = [row for state in OutboxState for row in self.world.store.outbox.rows(state, 10_000)]
        return sorted(found, key=lambda row: row.edition)

    def ledger(self, row: OutboxRow) -> list[LedgerRow]:
        return self.world.store.outbox.row(str(row.edition))[1]

    def states(self) -> dict[OutboxState, int]:
        return {state: count for state, count in self.world.store.outbox.counts().items() if count}

    def move(self, name: str, state: SubscriberState) -> None:
        self.world.store.subscribers.set_state(f"{name}@example.org", state, Origin.READER, self.world.now)


@asynccontextmanager
async def office(
    folder: Path,
    script: Script | None = None,
    *,
    people: int = 1,
    connections: int = 1,
    hold: bool = False,
    **relay: Any,
) -> AsyncIterator[Office]:
    """Open an office with an edition for each of `people`, r0@example.org and so on."""
    async with SmtpScript(script, **relay) as server:
        world = World(folder, server)
        try:
            world.people(*(reader(f"r{number}", "robot") for number in range(people)))
            world.drop(papers("A Robot"))
            assert world.publish().editions == people
            yield Office(world, server, connections, hold)
            assert world.store.outbox.counts()[OutboxState.CLAIMED] == 0, "what was claimed and not tried is given back"
        finally:
            world.close()


class Altered:
    """A store with some methods of its outbox put in front of the real ones."""

    def __init__(self, store: SqliteStore, **methods: Callable[..., Any]) -> None:
        self.papers, self.subscribers, self.editions = store.papers, store.subscribers, store.editions
        self.outbox = _Outbox(store.outbox, methods)


class _Outbox:
    def __init__(self, real: object, methods: Mapping[str, Callable[..., Any]]) -> None:
        self._real, self._methods = real, methods

    def __getattr__(self, name: str) -> Any:
        return self._methods.get(name) or getattr(self._real, name)
