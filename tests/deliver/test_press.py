"""What leaves the press is ready for the line, whatever a message holds, or says why there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.world import World, papers, reader

from digestd.deliver import press
from digestd.deliver.press import Press


@pytest.mark.parametrize(
    ("message", "printed"),
    [
        (b"a: b\r\n\r\n.\r\nMAIL FROM:<evil@example.org>\r\n", b"a: b\r\n\r\n..\r\nMAIL FROM:<evil@example.org>\r\n"),
        ("a: b\r\n\r\nGrüße\r\n".encode(), "it cannot be rendered: ValueError('the message is not ASCII')"),
    ],
    ids=["a line of one dot", "beyond ASCII"],
)
def test_press_makes_what_may_go_over_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: bytes, printed: bytes | str
) -> None:
    world = World(tmp_path)
    world.people(reader("ada", "robot"))
    world.drop(papers("A Robot"))
    assert world.publish().editions == 1
    monkeypatch.setattr(press, "build_message", lambda *_: message)
    [made] = Press(world.store.editions, ()).print([1])
    assert (made if isinstance(made, str) else made[0]) == printed
    world.close()
