"""`subscribers learned` shows, turns off and resets what a reader taught."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

from support.command_line import Command
from support.world import papers

from digestd.match.learn import Wish, learned
from digestd.store.open import SqliteStore

ADA = "ada@example.org"


def _taught(digestd: Command, home: Path) -> None:
    """Let Ada be sent a paper and want more like it."""
    (home / "inbox" / "papers.txt").write_text(papers("Robot Arms"))
    assert digestd("publish", "--now", "2026-11-23T09:00").exit_code == 0
    assert digestd("run-once", "--now", "2026-11-24T09:00").exit_code == 1  # the relay is down
    with closing(SqliteStore(home / "var" / "digestd.db")) as store:
        reader = store.subscribers.find(ADA).pk
        [past] = store.readers.history(reader, 9)
        assert store.leanings.say(reader, past.pk, 0, Wish.MORE, past.composed_at, learned, 9)


def _shown(digestd: Command, *options: str) -> dict[str, object]:
    result = digestd("subscribers", "learned", ADA, "--json", *options)
    assert result.exit_code == 0
    found: dict[str, object] = json.loads(result.stdout)
    return found


def test_learned_is_shown_turned_off_and_reset(digestd: Command, home: Path) -> None:
    nothing = {"email": ADA, "on": True, "opinions": 0, "words": {}}
    assert _shown(digestd) == nothing
    _taught(digestd, home)
    told = digestd("why", ADA, "Robot Arms").stdout
    assert "\nIt stood there by " in told
    assert "\\n" not in told
    shown = _shown(digestd)
    assert shown["opinions"] == 1
    assert isinstance(shown["words"], dict)
    assert shown["words"].keys() == {"Robot", "Arms"}
    table = digestd("subscribers", "learned", ADA).stdout
    assert f"{ADA} said more or less of 1 paper, which moves the order of theirs" in table
    assert "Robot" in table
    assert _shown(digestd, "--off") == shown | {"on": False}
    assert "does not move" in digestd("subscribers", "learned", ADA).stdout
    assert _shown(digestd, "--on") == shown
    assert _shown(digestd, "--reset") == nothing
    assert digestd("subscribers", "learned", "nobody@example.org").exit_code == 1


def test_learned_moves_nothing_where_the_operator_turned_it_off(digestd: Command, home: Path) -> None:
    (home / "digestd.toml").write_text((home / "digestd.toml").read_text() + "[matching]\nlearning = false\n")
    assert _shown(digestd)["on"] is False
