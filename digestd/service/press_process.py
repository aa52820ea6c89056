"""One press in a process of its own: `python -m digestd.service.press_process PIPE ARENA`, numbers of open files.

It is told the store and the signing keys, then numbers of editions, again and again. Their messages go into the
arena, a file in memory that both processes hold: a pipe would carry each through the kernel in pieces. Those that
are not wanted yet are laid in stock. This module imports little, because that is the time until the first message.
"""

from __future__ import annotations

import gc
import mmap
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from digestd.deliver.press import Press, Printed
from digestd.errors import DigestdError
from digestd.store.editions import SqliteEditions
from digestd.store.sqlite import Connections

if TYPE_CHECKING:
    from digestd.publish.dkim import Signer

TOGETHER = 32  # messages laid in at a time: three milliseconds

Key = tuple[str, str, bytes]  # the domain, the selector, and the private key in PEM
Told = tuple[Path, tuple[Key, ...], int]  # the last is how many octets of messages may lie in stock
Order = tuple[Sequence[int], bool]  # numbers of editions, and whether their messages are wanted now
Made = tuple[int, str] | str  # a message's octets in the arena, behind those before it, and its SHA-256; or why none
Answer = list[Made] | str


def main(pipe: Connection, arena: int) -> None:
    """Make messages until the pipe ends. A signal that ends the program is for the one that uses the press."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    gc.disable()  # what a message is made of holds no cycles, and full collections walk over every kept card
    with suppress(EOFError, OSError):
        told: Told = pipe.recv()
        try:
            _make(pipe, arena, *told)
        except DigestdError as error:  # of the store: said to whoever asks next, and the next press tries again
            pipe.recv()
            pipe.send(str(error))


def _make(pipe: Connection, arena: int, database: Path, keys: tuple[Key, ...], room: int) -> None:
    with closing(Connections(database, thorough=False)) as connections, mmap.mmap(arena, 0) as view:
        stock = Stock(Press(SqliteEditions(connections), _signers(keys)), room)
        while True:
            if stock.is_wanting and not pipe.poll():
                with suppress(DigestdError):  # said to whoever wants them
                    stock.lay_in()
                continue
            order: Order = pipe.recv()
            editions, are_wanted = order
            if not are_wanted:
                stock.expect(editions)
                continue
            try:
                answer: Answer = laid_down(stock.each(editions), view)
            except DigestdError as error:
                answer = str(error)
            pipe.send(answer)


def _signers(keys: tuple[Key, ...]) -> tuple[Signer, ...]:
    if not keys:
        return ()
    from digestd.publish.dkim import Signer  # a tenth of all that is imported, for what only some sign

    return tuple(Signer.of_pem(*key) for key in keys)


class Stock:
    """Messages of a press, of which up to `room` octets are made before they are wanted."""

    def __init__(self, press: Press, room: int) -> None:
        self._press = press
        self._room = room
        self._coming: dict[int, None] = {}  # in the order in which they will be wanted
        self._made: dict[int, Printed] = {}

    def expect(self, editions: Sequence[int]) -> None:
        """Take note of editions whose messages will be wanted."""
        self._coming |= dict.fromkeys(editions)

    @property
    def is_wanting(self) -> bool:
        """Whether there is something to be made, and room for it."""
        return bool(self._coming) and self._room > 0

    def lay_in(self) -> None:
        """Make the next messages: no more than somebody could wait for. Raises StoreError as the press does."""
        editions = list(islice(self._coming, TOGETHER))
        for edition in editions:
            del self._coming[edition]
        for edition, printed in zip(editions, self._press.each(editions), strict=True):
            self._made[edition] = printed
            if not isinstance(printed, str):
                self._room -= len(printed[0])

    def each(self, editions: Sequence[int]) -> Iterator[Printed]:
        """Yield what is made of each edition, in their order, as the press does; what lay here is taken away."""
        made = self._press.each([edition for edition in editions if edition not in self._made])
        for edition in editions:
            self._coming.pop(edition, None)
            printed = self._made.pop(edition, None)
            yield next(made) if printed is None else printed


def laid_down(printed: Iterable[Printed], arena: mmap.mmap) -> list[Made]:
    """Write the messages into the arena from its beginning, and return what is to be said of each.

    One after the other, so that each is made in the memory of the one before. The arena grows as it must.
    """
    said: list[Made] = []
    at = 0
    for one in printed:
        if isinstance(one, str):
            said.append(one)
            continue
        message, sha256 = one
        end = at + len(message)
        if end > len(arena):
            arena.resize(2 * end)
        arena[at:end] = message
        said.append((len(message), sha256))
        at = end
    return said


if __name__ == "__main__":
    main(Connection(int(sys.argv[1])), int(sys.argv[2]))
    os._exit(0)  # all is closed, and to free each kept card by itself takes a while in which somebody waits
