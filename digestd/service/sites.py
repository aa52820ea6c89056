"""The daemon's web sites: the pages of the readers, and those of the operator on a port of their own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from urllib.parse import urlsplit

import structlog

from digestd.model import Snapshot
from digestd.service import build
from digestd.service.notify import handed_over
from digestd.service.rounds import Rounds
from digestd.service.standing import Standing
from digestd.web.app import Site
from digestd.web.operator.pages import OperatorSite
from digestd.web.render import Renderer
from digestd.web.server import serve_web

log = structlog.get_logger("digestd")


class Sites:
    """Both sites over the rounds in use, which a reload makes others."""

    def __init__(
        self, rounds: Callable[[], Rounds], standing: Standing, signed_up: Callable[[], None],
        woken: Callable[[], None],
    ) -> None:  # fmt: skip
        """`signed_up` is called when somebody did, `woken` when the operator did what may have work follow."""
        self._rounds = rounds
        self._standing = standing
        self._signed_up = signed_up
        self._woken = woken
        self._readers = Site(rounds().store, rounds().clock, standing.probes())
        self._operator: OperatorSite | None = None
        self._has_readers = False

    def show(self, pages: Renderer) -> None:
        """Answer with these pages from now on, and with what the settings in use say of them."""
        settings = self._rounds().settings
        opening = build.opening(settings, self._snapshot, self._signed_up)
        path = urlsplit(settings.mail.public_url).path
        self._readers.show(pages, opening, path, learning=settings.matching.learning)
        if self._operator is not None:
            self._operator.show(pages)

    def papers_came(self) -> None:
        """Have new papers ready for the pages, where readers are answered."""
        if self._has_readers:
            self._readers.papers_came()

    async def serve_readers(self, stop: asyncio.Event) -> None:
        """Answer the links of the mails, where a port is set for it. Raises ConfigError when that is taken."""
        settings = self._rounds().settings
        host, port, given = settings.web.host, settings.web.port, handed_over(os.environ)
        if port is None and given is None:
            return
        self.show(await asyncio.to_thread(build.pages, settings))
        self._has_readers = True
        self.papers_came()

        def ready(bound: int) -> None:
            log.info("web-serving", host=host, port=bound)

        await serve_web(self._readers, host, port or 0, stop, ready, given)

    async def serve_operator(self, stop: asyncio.Event) -> None:
        """Answer the operator, where a port is set for it. Raises ConfigError when that is taken."""
        operator, rounds = self._rounds().settings.operator, self._rounds()
        if operator.port is None:
            return
        self._operator = await asyncio.to_thread(
            build.operator_site,
            lambda: self._rounds().settings, rounds.store, rounds.clock, self._standing.troubles, self._woken,
        )  # fmt: skip

        def ready(bound: int) -> None:
            log.info("operator-serving", host=operator.host, port=bound)

        await serve_web(self._operator, operator.host, operator.port, stop, ready)

    def _snapshot(self) -> Snapshot:
        """Return the templates and the sender in use, also after a reload."""
        rounds = self._rounds()
        return rounds.snapshot or build.snapshot(rounds.settings)
