"""What leaves the press is ready for the line, whatever a store holds, or says why there is none."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.world import World, papers, reader

from digestd.deliver.press import Press


@pytest.mark.parametrize(
    ("id", "reason"),
    [
        ("a\r\n.\r\nMAIL FROM:<evil@example.org>", "ValueError('a line of the headers begins with a dot')"),
        ("a\n.\nMAIL FROM:<evil@example.org>", "ValueError('a line of the headers begins with a dot')"),
        ("Grüße", "UnicodeEncodeError"),
    ],
    ids=["a line of one dot", "behind a bare line feed", "beyond ASCII"],
)
def test_press_makes_no_message_that_could_end_early(tmp_path: Path, id: str, reason: str) -> None:
    world = World(tmp_path)
    world.people(reader("ada", "robot"), reader("ben", "robot"))
    world.drop(papers("A Robot"))
    assert world.publish().editions == 2
    with closing(sqlite3.connect(world.settings.paths.database)) as connection, connection:
        connection.execute("UPDATE edition SET id = ? WHERE pk = 1", (id,))
    bad, good = Press(world.store.editions, ()).print([1, 2])
    assert isinstance(bad, str)
    assert bad.startswith(f"it cannot be rendered: {reason}")
    assert not isinstance(good, str)
    world.close()
