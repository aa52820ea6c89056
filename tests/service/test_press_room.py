"""Messages made in processes beside this one: the same bytes, and an end of one of them costs nobody a message."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from support.world import World, papers, reader

from digestd.config import Dkim
from digestd.deliver.press import Press, Printed
from digestd.errors import DigestdError
from digestd.service import build, press_room
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
