"""Fault: kill -9 or a power cut in a migration. It is atomic: the store has the old schema or the new one, whole."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from support.composed import composed
from support.fail_points import both, kill_at, set_to
from support.powercut import COMPILER, after_the_cut, armed, begun
from support.processes import finished
from support.smtp_script import SmtpScript

from digestd.store.migrate import Step, migrate
from digestd.store.sqlite import SCHEMA_VERSION

NEW = SCHEMA_VERSION + 2
STEPS = [
    Step(SCHEMA_VERSION + 1, "colours", "CREATE TABLE colour (name TEXT);\nINSERT INTO colour VALUES ('red');\n"),
    Step(
        NEW,
        "readers",
        "ALTER TABLE subscriber ADD COLUMN colour TEXT;\nUPDATE subscriber SET colour = 'red';\nDROP TABLE colour;\n",
    ),
]
# The command of a later digestd, whose schema is two steps further.
LATER = both(
    set_to("digestd.cli.db:bring_up", partial(migrate, version=NEW)),
    set_to("digestd.cli.db:steps", partial(list, STEPS)),
)


def schema(database: Path) -> tuple[int, bool, bool]:
    """Return the version, and whether the store has what the first and what the second step leaves."""
    with closing(sqlite3.connect(database)) as raw:
        version = raw.execute("PRAGMA user_version").fetchone()[0]
        columns = {row[1] for row in raw.execute("PRAGMA table_info(subscriber)")}
        tables = {row[0] for row in raw.execute("SELECT name FROM sqlite_schema")}
        assert raw.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert raw.execute("SELECT count(*) FROM edition").fetchone()[0] == 3
    return version, "colour" in tables, "colour" in columns


OLD_STATE, NEW_STATE = (SCHEMA_VERSION, False, False), (NEW, False, True)


async def test_kill_in_a_migration_leaves_the_old_schema_and_the_next_one_succeeds(tmp_path: Path) -> None:
    async with SmtpScript() as relay:
        config = composed(tmp_path, relay, 3)
        for place in ("digestd.store.migrate:damage", "digestd.store.migrate:refuse_what_is_not_ours"):
            status, said = await finished(config, "db", "migrate", fault=both(LATER, kill_at(place)))
            assert status == -9, said
            assert schema(tmp_path / "digestd.db") == OLD_STATE
        status, said = await finished(config, "db", "migrate", fault=LATER)
        assert (status, schema(tmp_path / "digestd.db")) == (0, NEW_STATE)
        assert f"{NEW:04} readers" in said
        status, said = await finished(config, "deliver")
        assert status == 78
        assert "written by a newer digestd" in said
        assert relay.messages == []


@pytest.mark.skipif(COMPILER is None, reason="no C compiler for the shim")
async def test_power_cut_at_every_sync_of_a_migration_leaves_one_schema_whole(tmp_path: Path) -> None:
    seen = set()
    for number in range(1, 50):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with SmtpScript() as relay:
            config = composed(folder, relay, 3)
            begun(folder, shadow := tmp_path / f"{number}.shadow")
            status, said = await finished(config, "db", "migrate", fault=both(LATER, armed(folder, shadow, number)))
            if status == 0:
                break
            assert status == -9, said
            after_the_cut(folder, shadow)
            seen.add(schema(folder / "digestd.db"))
            shutil.rmtree(folder)
    assert seen <= {OLD_STATE, NEW_STATE}
    assert OLD_STATE in seen
    assert number > 1
