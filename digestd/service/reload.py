"""Taking over a changed configuration: what the new one is made of, and whether anything changed at all.

A reload switches settings, snapshot and people as one. It is prepared beside the running service; what cannot be
used changes nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from digestd.config import Settings, load
from digestd.service import build
from digestd.service.rounds import Rounds
from digestd.service.sources import Sources
from digestd.web.render import Renderer

SETTLE = 1.0  # seconds that the files must be at rest: half a file of people would unsubscribe the other half


class Watcher:
    """Knows the files that the service was made of, and whether they are others now."""

    def __init__(self, config: Path, settings: Settings) -> None:
        self.sources = Sources(config, settings)
        self._signature = self.sources.signature()
        self._digest = self.sources.digest()

    def taken(self, settings: Settings) -> None:
        """Note the files as they are, which are about to be read: a change while that is done is a new one."""
        self.sources = Sources(self.sources.config, settings)
        self._signature, self._digest = self.sources.signature(), self.sources.digest()

    def follow(self, settings: Settings) -> None:
        """Look after the files that the new settings name, where they are others."""
        if set(Sources(self.sources.config, settings).files()) != set(self.sources.files()):
            self.taken(settings)

    def looks_changed(self) -> bool:
        """Return whether the files look changed, at a glance."""
        return self.sources.signature() != self._signature

    async def changed(self, settle: float = SETTLE) -> bool:
        """Return whether the files have changed and rest; waits for them to rest while they change."""
        seen = self.sources.signature()
        if seen == self._signature:
            return False
        while True:
            await asyncio.sleep(settle)
            again = self.sources.signature()
            if again == seen:
                break
            seen = again
        self._signature = seen
        digest = await asyncio.to_thread(self.sources.digest)
        return digest != self._digest


def prepare(config: Path, old: Rounds) -> tuple[Rounds, Renderer, bool]:
    """Return the rounds and the pages of the configuration as it is now, and whether only a restart takes over more.

    Raises ConfigError, with a line for each mistake, when it cannot be used.
    """
    settings = load(config)
    snapshot, pages = build.checked_snapshot(settings), build.pages(settings)
    paths = old.settings.paths.model_copy(update={"templates": settings.paths.templates})
    within = settings.model_copy(update={"paths": paths})
    return replace(old, settings=within, snapshot=snapshot), pages, _fixed(settings) != _fixed(old.settings)


def _fixed(settings: Settings) -> object:
    """Return what stays as it is until a restart: it is in use by what was opened with it."""
    web, operator = settings.web, settings.operator
    listening = (web.host, web.port, operator.host, operator.port, operator.password)
    return settings.paths.model_copy(update={"templates": None}), settings.schedule.tick_seconds, listening
