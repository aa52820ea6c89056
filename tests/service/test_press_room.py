"""Messages made in processes beside this one: the same bytes, and an end of one of them costs nobody a message."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from support.world import World, papers, reader

from digestd.config import Dkim
from digestd.deliver.press import Press, Printed
from digestd.errors import DigestdError
from digestd.service import build, press_process, press_room
from digestd.service.press_process import Stock
from digestd.service.press_room import DIED, PressRoom


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    made.people(*(reader(f"r{number}", "robot") for number in range(5)))
    made.drop(papers("A Robot"))
    assert made.publish().editions == 5
    yield made
    made.close()


async def test_press_room_whose_arena_is_too_small_lets_it_grow(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(press_room, "ROOM", 100)
    editions = [1, 2, 3, 4, 5]
    with PressRoom(world.settings) as room:
        assert await room.print(editions[:1]) == Press(world.store.editions, ()).print(editions[:1])
        assert await room.print(editions) == Press(world.store.editions, ()).print(editions)


async def test_press_room_prints_the_same_bytes_as_this_process(world: World) -> None:
    editions = [1, 2, 3, 4, 5]
    here = Press(world.store.editions, ()).print(editions)
    with PressRoom(world.settings) as room:
        assert await room.print(editions) == here
        assert await room.print([]) == []
        first = room._presses[0]
        assert first is not None
        assert first._process.pid is not None
        os.kill(first._process.pid, signal.SIGKILL)  # in the middle of everything
        assert await room.print(editions) == here
        pids = [press._process.pid for press in room._presses if press]
    assert all(not Path(f"/proc/{pid}").exists() for pid in pids)


async def test_press_room_signs_as_this_process(world: World, tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    mail = world.settings.mail.model_copy(update={"dkim": (Dkim(selector="s1", key_file=file),)})
    settings = world.settings.model_copy(update={"mail": mail})
    here = Press(world.store.editions, build.signers(settings)).print([1, 2])
    assert all(not isinstance(one, str) and one[0].startswith(b"DKIM-Signature: ") for one in here)
    with PressRoom(settings) as room:
        assert await room.print([1, 2]) == here


@pytest.mark.parametrize(("processors", "unsigned", "signed"), [(1, 1, 1), (2, 1, 2), (3, 2, 3), (64, 4, 4)])
def test_press_room_has_one_press_more_where_messages_are_signed(
    world: World, monkeypatch: pytest.MonkeyPatch, processors: int, unsigned: int, signed: int
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: processors)
    monkeypatch.setattr(press_room.build, "signing_keys", lambda settings: ())
    settings = world.settings
    keyed = settings.model_copy(update={"mail": settings.mail.model_copy(update={"dkim": (object(),)})})
    assert [len(PressRoom(one)._presses) for one in (settings, keyed)] == [unsigned, signed]


async def test_press_room_with_several_presses_returns_messages_in_the_order_asked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    here = Press(world.store.editions, ()).print([4, 1, 5, 2, 3])
    with PressRoom(world.settings) as room:
        room.expect([1, 2, 3])
        assert await room.print([4, 1, 5, 2, 3]) == here
        assert all(room._presses)


async def test_press_room_whose_press_ends_while_it_makes_what_is_expected_prints_all_the_same(world: World) -> None:
    with PressRoom(world.settings) as room:
        room.expect([1, 2])
        assert room.is_at_work
        assert room._presses[0] is not None
        os.kill(room._presses[0]._process.pid, signal.SIGKILL)
        room._presses[0]._process.wait()
        room.expect([3])  # finds out
        assert not room.is_at_work
        assert await room.print([1, 2, 3]) == Press(world.store.editions, ()).print([1, 2, 3])


async def test_press_room_that_cannot_start_a_press_says_why_when_a_message_is_wanted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*args: object, **more: object) -> None:
        raise BlockingIOError(11, "no more processes")

    monkeypatch.setattr(press_room.subprocess, "Popen", refused)
    with PressRoom(world.settings) as room:
        room.expect([1])
        files = len(list(Path("/proc/self/fd").iterdir()))
        with pytest.raises(DigestdError, match="cannot be started: .*no more processes"):
            await room.print([1])
        assert len(list(Path("/proc/self/fd").iterdir())) == files


@pytest.mark.parametrize(("machine", "stock"), [(2**30, 2**26), (2**40, press_room.STOCK)])
def test_press_room_lays_in_no_more_than_a_sixteenth_of_a_small_machine(
    monkeypatch: pytest.MonkeyPatch, machine: int, stock: int
) -> None:
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": machine // 4096, "SC_PAGE_SIZE": 4096}.__getitem__)
    assert press_room._stock() == stock


class Noting:
    """A press that notes what it is asked for; messages of ten octets, and none of edition 13."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def each(self, editions: Sequence[int]) -> Iterator[Printed]:
        self.asked.append(list(editions))
        return ((b"%010d" % edition, str(edition)) if edition != 13 else "spoilt" for edition in editions)


def stock(room: int, *expected: int) -> tuple[Stock, Noting]:
    press = Noting()
    made = Stock(cast("Press", press), room)
    made.expect(expected)
    return made, press


def numbers(made: Iterator[Printed]) -> list[int]:
    return [int(one[1]) for one in made]


def test_stock_makes_what_is_expected_once_and_gives_it_in_the_order_asked() -> None:
    made, press = stock(1000, 1, 2, 3)
    made.lay_in()
    assert press.asked == [[1, 2, 3]]
    made.expect([4])
    assert numbers(made.each([4, 3, 9, 1])) == [4, 3, 9, 1]
    assert press.asked == [[1, 2, 3], [4, 9]]
    assert not made.is_wanting  # 4 was made meanwhile
    assert numbers(made.each([1])) == [1]  # tried again: made anew
    assert press.asked[2:] == [[1]]


def test_stock_lays_in_a_few_at_a_time_and_no_more_than_there_is_room_for() -> None:
    few = press_process.TOGETHER
    made, press = stock(10 * few + 1, *range(100, 100 + 10 * few))
    while made.is_wanting:
        made.lay_in()
    assert press.asked == [list(range(100, 100 + few)), list(range(100 + few, 100 + 2 * few))]


def test_stock_keeps_why_there_is_no_message_and_counts_no_octets_for_it() -> None:
    made, press = stock(1, 13)
    made.lay_in()
    made.expect([14])
    assert made.is_wanting
    assert list(made.each([13])) == ["spoilt"]
    assert press.asked == [[13], []]


class Line:
    """A pipe over which two editions are expected, and wanted when one of them is made."""

    def __init__(self) -> None:
        self.orders = [((1, 2), False), ((2, 1), True)]
        self.waits = [False, True]
        self.answered: list[press_process.Answer] = []

    def poll(self) -> bool:
        return self.waits.pop(0)

    def recv(self) -> press_process.Order:
        if not self.orders:
            raise EOFError
        return self.orders.pop(0)

    send = property(lambda self: self.answered.append)


def test_press_process_makes_what_is_expected_while_nobody_asks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    press, pipe = Noting(), Line()
    monkeypatch.setattr(press_process, "TOGETHER", 1)
    monkeypatch.setattr(press_process, "Press", lambda editions, signers: press)
    arena = os.memfd_create("arena")
    os.truncate(arena, 100)
    with pytest.raises(EOFError):
        press_process._make(cast("Connection", pipe), arena, world.settings.paths.database, (), 100)
    os.close(arena)
    assert press.asked == [[1], [2]]
    assert pipe.answered == [[(10, "2"), (10, "1")]]


class Poisoned:
    """A press that ends at one edition, as a library that fails hard would."""

    def __init__(self, settings: object) -> None:
        self.has_ended = False

    def print(self, editions: Sequence[int]) -> list[Printed]:
        if self.has_ended or 3 in editions:
            self.has_ended = True
            raise press_room._PressLost
        return [(b"%d" % edition, "") for edition in editions]

    def end(self) -> None:
        pass


async def test_press_room_with_a_poison_edition_sets_it_aside_and_prints_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(press_room, "_PressProcess", Poisoned)
    with PressRoom(world.settings) as room:
        assert await room.print([1, 2, 3, 4, 5]) == [(b"1", ""), (b"2", ""), DIED, (b"4", ""), (b"5", "")]


async def test_press_room_whose_store_cannot_be_opened_says_so_and_blames_no_edition(world: World) -> None:
    paths = world.settings.paths.model_copy(update={"database": world.settings.paths.inbox / "no.db"})
    room = PressRoom(world.settings.model_copy(update={"paths": paths}))
    with room, pytest.raises(DigestdError, match=r"no\.db"):
        await room.print([1, 2])


def test_press_process_imports_no_cryptography_for_mail_that_is_not_signed() -> None:
    says = "import sys, digestd.service.press_process; print(*{'cryptography', 'asyncio', 'pydantic'} & {*sys.modules})"
    ran = subprocess.run([sys.executable, "-P", "-c", says], capture_output=True, text=True, check=True)
    assert ran.stdout == "\n"
