"""Messages made in processes beside this one: the wire then waits for no template and no signature.

A press that dies takes nobody with it: what it was given is tried again one by one, and the edition at which it
dies a second time is set aside. A press ends when its room is closed, or when this process is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import threading
from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType

from digestd.config import Settings
from digestd.deliver.press import Press, Printed
from digestd.deliver.scribe import to_its_end
from digestd.errors import DigestdError
from digestd.service import build

MOST = 4  # presses: each costs about 80 MB, and four make more than a wire carries
DIED = "making its message ended the program that makes them, twice"

Answer = list[Printed] | str


class _PressLost(Exception):
    """The other end of a press's pipe is gone."""


class _PressProcess:
    """One press, in a process of its own."""

    def __init__(self, settings: Settings) -> None:
        context = get_context("spawn")  # a fork of a process with threads may begin with a lock held for ever
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, settings), name="digestd-press", daemon=True)
        self._process.start()
        theirs.close()  # so that an end of the press is an end of the pipe

    def print(self, editions: Sequence[int]) -> list[Printed]:
        """Return what the press makes of editions. Raises DigestdError in its words, and _PressLost."""
        try:
            self._pipe.send(list(editions))
            answer: Answer = self._pipe.recv()
        except (EOFError, OSError):
            raise _PressLost from None
        if isinstance(answer, str):
            raise DigestdError(answer)
        return answer

    def end(self) -> None:
        """Let the press finish what it does, and end."""
        self._pipe.close()
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


class PressRoom:
    """A press for each processor but the one that carries, each started when it is first wanted."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._presses: list[_PressProcess | None] = [None] * max(1, min(MOST, (os.cpu_count() or 1) - 1))
        self._turns = [threading.Lock() for _ in self._presses]  # an answer is for the one who asked

    def __enter__(self) -> PressRoom:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for press in self._presses:
            if press is not None:
                press.end()

    async def print(self, editions: Sequence[int]) -> list[Printed]:
        """Return what is made of each edition, in their order, made by all presses at once."""
        share = -(-len(editions) // len(self._presses))
        shares = [editions[start : start + share] for start in range(0, len(editions), share)] if editions else []
        made = await asyncio.gather(*(to_its_end(self._made, number, part) for number, part in enumerate(shares)))
        return [one for part in made for one in part]

    def _made(self, number: int, editions: Sequence[int]) -> list[Printed]:
        with self._turns[number]:
            return self._made_in_turn(number, editions)

    def _made_in_turn(self, number: int, editions: Sequence[int]) -> list[Printed]:
        try:
            return self._press(number).print(editions)
        except _PressLost:
            self._lose(number)
        return [one for edition in editions for one in self._made_alone(number, edition)]

    def _made_alone(self, number: int, edition: int) -> list[Printed]:
        try:
            return self._press(number).print([edition])
        except _PressLost:
            self._lose(number)
            return [DIED]

    def _press(self, number: int) -> _PressProcess:
        press = self._presses[number]
        if press is None:
            press = self._presses[number] = _PressProcess(self._settings)
        return press

    def _lose(self, number: int) -> None:
        press, self._presses[number] = self._presses[number], None
        if press is not None:
            press.end()


def _work(pipe: Connection, settings: Settings) -> None:
    """Make messages until the pipe ends. A signal that ends the program is for the one that uses the press."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    gc.disable()  # what a message is made of holds no cycles, and full collections walk over every kept card
    with contextlib.closing(build.store(settings)) as store, contextlib.suppress(EOFError, OSError):
        press = Press(store.editions, build.signers(settings))
        while True:
            editions: list[int] = pipe.recv()
            try:
                answer: Answer = press.print(editions)
            except DigestdError as error:
                answer = str(error)
            pipe.send(answer)
