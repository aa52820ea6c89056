"""Fault: a backup is put back, or the machine is cloned. Nothing is sent until `outbox release`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from support.office_files import configured
from support.processes import finished, run
from support.serving import serving
from support.smtp_script import SmtpScript
from support.world import MONDAY, World, papers, reader

from digestd.errors import StoreHeld
from digestd.model import OutboxState
from digestd.store import mark
from digestd.store.backup import back_up
from digestd.store.open import SqliteStore


def composed(folder: Path) -> Path:
    """Make a store with an edition that waits. Returns its file."""
    with closing(World(folder)) as world:
        world.people(reader("ada", "robot"))
        world.drop(papers("A Robot"))
        assert world.publish().editions == 1
        return world.settings.paths.database


def overwritten(copy: Path, database: Path) -> None:
    database.write_bytes(copy.read_bytes())


def renamed_into_place(copy: Path, database: Path) -> None:
    shutil.copy2(copy, database.with_name("again"))
    database.with_name("again").rename(database)


@pytest.mark.parametrize("restore", [overwritten, renamed_into_place], ids=lambda f: f.__name__)
@pytest.mark.parametrize("maker", ["db backup", "cp"])
async def test_restored_backup_does_not_send_until_outbox_release(
    tmp_path: Path, maker: str, restore: Callable[[Path, Path], None]
) -> None:
    database, copy = composed(tmp_path), tmp_path / "copy.db"
    async with SmtpScript() as relay:
        config = configured(tmp_path, relay.port)
        if maker == "cp":
            shutil.copy2(database, copy)
        else:
            await run(config, "db", "backup", str(copy))
        await run(config, "deliver")
        assert len(relay.messages) == 1
        restore(copy, database)
        for command in ("deliver", "run-once"):
            status, said = await finished(config, command)
            assert status == 1
            assert "nothing is sent from this store" in said
            assert "`digestd outbox release`" in said
        assert len(relay.messages) == 1
        await run(config, "outbox", "release")
        await run(config, "deliver")
        assert len(relay.messages) == 2
        assert relay.messages[0].octets == relay.messages[1].octets


def test_restored_backup_is_held_even_when_nothing_was_sent_since(tmp_path: Path) -> None:
    database, copy = composed(tmp_path), tmp_path / "copy.db"
    back_up(database, copy)
    overwritten(copy, database)
    with closing(SqliteStore(database)) as store:
        assert store.outbox.held() == "it is older than what was last sent from it"


async def test_restored_backup_is_held_in_serve_and_said_and_goes_on_once_released(tmp_path: Path) -> None:
    database, copy = composed(tmp_path), tmp_path / "copy.db"
    shutil.copy2(database, copy)
    async with SmtpScript() as relay:
        config = configured(tmp_path, relay.port)
        await run(config, "deliver")
        overwritten(copy, database)
        async with serving(config) as served:
            await served.says("error=store-held")
            await run(config, "outbox", "release")
            await served.until(lambda: len(relay.messages) == 2)
            assert await served.stopped() == 0


async def test_cloned_machine_does_not_send_until_outbox_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "machine-id").write_text("1" * 32 + "\n")
    monkeypatch.setattr(mark, "MACHINE_ID", tmp_path / "machine-id")
    database = composed(tmp_path)
    with closing(SqliteStore(database)) as store:
        assert store.outbox.held() is None
        (tmp_path / "machine-id").write_text("2" * 32 + "\n")
        assert store.outbox.held() == "it was last used on another machine"
        with pytest.raises(StoreHeld, match="another machine"), store.outbox.exclusive():
            pass
        assert store.outbox.counts()[OutboxState.READY] == 1
        store.outbox.adopt()
        with store.outbox.exclusive():
            pass
        (tmp_path / "machine-id").unlink()  # a machine without an id is not taken for another one
        assert store.outbox.held() is None


async def test_cloned_folder_does_not_send_until_outbox_release(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    composed(first)
    shutil.copytree(first, second)
    async with SmtpScript() as relay:
        status, said = await finished(configured(second, relay.port), "deliver")
        assert (status, relay.messages) == (1, [])
        assert "its file is a copy" in said
        await run(configured(first, relay.port), "deliver")
        assert len(relay.messages) == 1


def test_store_that_came_without_its_mark_is_held(tmp_path: Path) -> None:
    database = composed(tmp_path)
    for content in (None, "", "{", '{"tokens": 1, "inode": "x", "machine": ""}', "[]"):
        path = mark.mark_file(database)
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_text(content)
        with closing(SqliteStore(database)) as store:
            assert store.outbox.held() == "its mark is missing: it was copied to here"


def test_store_takes_a_new_token_in_each_run_that_sends_and_in_no_other(tmp_path: Path) -> None:
    database = composed(tmp_path)
    path = mark.mark_file(database)
    seen = [json.loads(path.read_text())["tokens"]]
    with closing(SqliteStore(database)) as store:
        for limit in (0, 10, 10):
            with store.outbox.exclusive():
                store.outbox.claim("me", MONDAY, limit)
                seen.append(json.loads(path.read_text())["tokens"])
            seen.append(json.loads(path.read_text())["tokens"])
    assert all(len(tokens) == 1 for tokens in seen)
    assert [len({tuple(tokens) for tokens in seen[:number]}) for number in range(1, 8)] == [1, 1, 1, 2, 3, 3, 3]


@pytest.mark.parametrize("step", ["before the commit", "after the commit"])
def test_kill_while_the_token_turns_holds_nothing_back(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mark names the old and the new token until the new one is committed."""
    database = composed(tmp_path)

    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    store = SqliteStore(database)
    if step == "after the commit":
        monkeypatch.setattr(store.outbox._instance, "confirm", killed)
    else:
        turn = store.outbox._instance.turn
        monkeypatch.setattr(store.outbox._instance, "turn", lambda connection: killed(turn(connection)))
    with pytest.raises(Killed), store.outbox.exclusive():
        store.outbox.claim("me", MONDAY, 10)
    store.close()
    assert len(json.loads(mark.mark_file(database).read_text())["tokens"]) == 2
    with closing(SqliteStore(database)) as again:
        assert again.outbox.held() is None
