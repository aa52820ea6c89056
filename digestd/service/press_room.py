"""Messages made in processes beside this one: the wire then waits for no template and no signature.

A press that dies takes nobody with it: what it was given is tried again one by one, and the edition at which it
dies a second time is set aside. A press ends when its room is closed, or when this process is gone.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection
from socket import socketpair
from types import TracebackType

from digestd.config import Settings
from digestd.deliver.press import Printed
from digestd.deliver.scribe import to_its_end
from digestd.errors import DigestdError
from digestd.service import build
from digestd.service.press_process import Answer, Made, Told

STOCK = 256 * 2**20  # octets of messages that all presses together make before they are wanted, and no more of them
SHARE = 16  # than that part of the machine's memory
MOST = 4  # presses: each costs about 80 MB, and four make more than a wire carries
ROOM = 8 * 2**20  # octets of a new arena, of which memory holds what was written to; a batch of messages fits
DIED = "making its message ended the program that makes them, twice"

_PROCESS = "digestd.service.press_process"


class _PressLost(Exception):
    """The other end of a press's pipe is gone."""


class _PressProcess:
    """One press, in a process of its own."""

    def __init__(self, told: Told) -> None:
        ours, theirs = socketpair()
        with ExitStack() as undo, theirs:  # closed here, so that an end of the press is an end of the pipe
            self._pipe = Connection(ours.detach())
            undo.callback(self._pipe.close)
            self._arena = os.memfd_create("digestd-arena")
            undo.callback(os.close, self._arena)
            os.truncate(self._arena, ROOM)
            self._view = mmap.mmap(self._arena, ROOM, access=mmap.ACCESS_READ)
            undo.callback(self._view.close)
            # A new program and not a fork: a fork of a process with threads may begin with a lock held for ever.
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                [sys.executable, "-P", "-m", _PROCESS, str(theirs.fileno()), str(self._arena)],
                pass_fds=(theirs.fileno(), self._arena),
                stdin=subprocess.DEVNULL,
            )
            undo.pop_all()
        try:
            self._tell(told)
        except _PressLost:
            self.end()
            raise

    def print(self, editions: Sequence[int]) -> list[Printed]:
        """Return what the press makes of editions. Raises DigestdError in its words, and _PressLost."""
        self._tell((editions, True))
        try:
            answer: Answer = self._pipe.recv()
        except (EOFError, OSError):
            raise _PressLost from None
        if isinstance(answer, str):
            raise DigestdError(answer)
        return self._taken_up(answer)

    def expect(self, editions: Sequence[int]) -> None:
        """Let the press make messages while nobody wants one. Raises _PressLost."""
        self._tell((editions, False))

    def _tell(self, what: object) -> None:
        try:
            self._pipe.send(what)
        except OSError:
            raise _PressLost from None

    def _taken_up(self, made: Sequence[Made]) -> list[Printed]:
        """Return the messages that lie in the arena, copied: it is free again for the next ones."""
        printed: list[Printed] = []
        at = 0
        for one in made:
            if isinstance(one, str):
                printed.append(one)
                continue
            printed.append((self._seen(at + one[0])[at : at + one[0]], one[1]))
            at += one[0]
        return printed

    def _seen(self, octets: int) -> mmap.mmap:
        """Return the arena, of which that much is filled. Looked at anew only when it has grown: each page costs."""
        if len(self._view) < octets:
            self._view = mmap.mmap(self._arena, 0, access=mmap.ACCESS_READ)
        return self._view

    def end(self) -> None:
        """Let the press finish what it does, and end."""
        self._pipe.close()
        os.close(self._arena)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class PressRoom:
    """A press for each processor but the one that carries, each started when it is first wanted.

    Where messages are signed, one more.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        processors = os.cpu_count() or 1
        wanted = processors if settings.mail.dkim else processors - 1  # to sign a message takes longer than to carry it
        self._presses: list[_PressProcess | None] = [None] * max(1, min(MOST, wanted))
        self._turns = [threading.Lock() for _ in self._presses]  # an answer is for the one who asked

    def __enter__(self) -> PressRoom:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number in range(len(self._presses)):
            self._lose(number)

    @property
    def is_at_work(self) -> bool:
        """Whether a press was begun."""
        return any(self._presses)

    async def print(self, editions: Sequence[int]) -> list[Printed]:
        """Return what is made of each edition, in their order, made by all presses at once."""
        shares = self._shares(editions)
        made = await asyncio.gather(*(to_its_end(self._made, number, share) for number, share in shares))
        printed = {
            one: what
            for (_, share), part in zip(shares, made, strict=True)
            for one, what in zip(share, part, strict=True)
        }
        return [printed[edition] for edition in editions]

    def expect(self, editions: Sequence[int]) -> None:
        """Let the presses begin with the messages of editions that will be wanted; does not wait for them."""
        for number, share in self._shares(editions):
            with self._turns[number]:
                try:
                    self._press(number).expect(share)
                except _PressLost:  # whoever wants a message of these will see why
                    self._lose(number)
                except DigestdError:  # and is told this
                    return

    def _shares(self, editions: Sequence[int]) -> list[tuple[int, list[int]]]:
        """Return the number of each press, and which of the editions are for it, always the same one of each."""
        presses = len(self._presses)
        shares = ((number, [one for one in editions if one % presses == number]) for number in range(presses))
        return [(number, share) for number, share in shares if share]

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
            room = _stock() // len(self._presses)
            told: Told = self._settings.paths.database, build.signing_keys(self._settings), room
            try:
                press = self._presses[number] = _PressProcess(told)
            except OSError as error:
                raise DigestdError(f"a program that makes messages cannot be started: {error}") from error
        return press

    def _lose(self, number: int) -> None:
        press, self._presses[number] = self._presses[number], None
        if press is not None:
            press.end()


def _stock() -> int:
    return min(STOCK, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // SHARE)
