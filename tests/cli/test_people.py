"""People leave one store as lines and enter another as they were: nobody gains or loses a word of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.command_line import Command, command, furnish, objects
from support.world import MONDAY, reader

from digestd.cli import main
from digestd.model import Origin, SubscriberState
from digestd.store.open import SqliteStore
from digestd.subscribers.exchange import NotAPerson, person_of

LINE = {
    "email": "eve@example.org",
    "name": "Eve",
    "timezone": "UTC",
    "state": "active",
    "state_by": "operator",
    "origin": "operator",
    "profiles": [
        {
            "name": "Papers",
            "queries": [["cat", 1.0]],
            "exclude": [],
            "alert": [],
            "cadence": "daily",
            "at": "08:00",
            "days": ["mon"],
            "timezone": "UTC",
            "max_papers": 20,
            "min_score": 0.0,
            "send_empty": False,
        }
    ],
}


def line(**changed: object) -> str:
    return json.dumps({**LINE, **changed}) + "\n"


@pytest.fixture
def other(tmp_path: Path) -> Command:
    """A second digestd with the same subscribers file, whose store is empty."""
    folder = tmp_path / "other"
    folder.mkdir()
    furnish(folder)
    return command(folder)


def moved(home: Path, name: str, state: SubscriberState, by: Origin) -> None:
    store = SqliteStore(home / "var" / "digestd.db")
    store.subscribers.set_state(f"{name}@example.org", state, by, MONDAY)
    store.close()


def test_people_exported_and_imported_are_the_same_to_the_byte(digestd: Command, home: Path, other: Command) -> None:
    for name in ("eve", "fay", "guy", "hal", "ivy"):
        digestd("subscribers", "add", f"{name}@example.org", "--query", "cat", "--timezone", "Asia/Tokyo")
    moved(home, "ada", SubscriberState.UNSUBSCRIBED, Origin.READER)
    moved(home, "ben", SubscriberState.PAUSED, Origin.OPERATOR)
    moved(home, "fay", SubscriberState.PAUSED, Origin.READER)
    moved(home, "guy", SubscriberState.SUPPRESSED, Origin.OPERATOR)
    moved(home, "hal", SubscriberState.PENDING, Origin.READER)
    moved(home, "ivy", SubscriberState.UNSUBSCRIBED, Origin.READER)
    exported = digestd("subscribers", "export").stdout
    assert {row["state_by"] for row in objects(digestd("subscribers", "export"))} == {"operator", "reader"}
    (home / "people.jsonl").write_text(exported)
    (home / "other" / "subscribers.toml").write_text("")
    assert other("subscribers", "import", "people.jsonl").exit_code == 0
    (home / "other" / "subscribers.toml").write_text((home / "subscribers.toml").read_text())
    assert other("subscribers", "export").stdout == exported
    again = other("subscribers", "import", "people.jsonl")
    assert "7 subscribers imported, 0 of them new" in again.output
    assert other("subscribers", "export").stdout == exported


def test_people_imported_as_gone_are_active_at_no_moment(
    digestd: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "people.jsonl").write_text(line(state="unsubscribed", state_by="reader"))
    written: list[str] = []
    real = SqliteStore

    class Watched(real):  # type: ignore[misc, valid-type]
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self._connections._writer.set_trace_callback(written.append)

    monkeypatch.setattr("digestd.service.build.SqliteStore", Watched)
    assert digestd("subscribers", "import", "people.jsonl").exit_code == 0
    monkeypatch.undo()
    (inserted,) = [text for text in written if text.startswith("INSERT INTO subscriber") and "eve" in text]
    assert "'unsubscribed', 'reader'" in inserted
    assert not [statement for statement in written if statement.startswith("UPDATE subscriber")]


@pytest.mark.parametrize(
    ("here", "there", "state"),
    [
        (("active", Origin.OPERATOR), ("unsubscribed", "reader"), "unsubscribed"),
        (("active", Origin.OPERATOR), ("suppressed", "operator"), "suppressed"),
        (("active", Origin.READER), ("unsubscribed", "reader"), "active"),
        (("unsubscribed", Origin.READER), ("active", "operator"), "unsubscribed"),
        (("unsubscribed", Origin.READER), ("active", "reader"), "unsubscribed"),
        (("paused", Origin.OPERATOR), ("active", "operator"), "paused"),
        (("active", Origin.READER), ("suppressed", "operator"), "suppressed"),
        (("active", Origin.OPERATOR), ("unsubscribed", "operator"), "active"),
        (("pending", Origin.OPERATOR), ("unsubscribed", "reader"), "pending"),
    ],
)
def test_people_known_keep_their_state_but_a_wish_to_leave_is_taken_over(
    digestd: Command, home: Path, here: tuple[str, Origin], there: tuple[str, str], state: str
) -> None:
    digestd("subscribers", "add", "eve@example.org", "--query", "dog", "--profile", "Mine")
    moved(home, "eve", SubscriberState(here[0]), here[1])
    (home / "people.jsonl").write_text(line(state=there[0], state_by=there[1]))
    assert digestd("subscribers", "import", "people.jsonl").exit_code == 0
    shown = json.loads(digestd("subscribers", "show", "eve@example.org", "--json").stdout)
    assert (shown["state"], [one["name"] for one in shown["profiles"]]) == (state, ["Mine", "Papers"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not json", "not valid JSON: expecting value at column 1"),
        ("[]", "not an object with a person's keys"),
        (line(email="nobody"), "email: 'nobody' is not an e-mail address"),
        (line(timezone="Mars/Olympus"), "timezone: 'Mars/Olympus' is not a time zone"),
        (line(state="gone"), "state: Input should be 'pending'"),
        (line(profiles=[{**LINE["profiles"][0], "max_papers": "many"}]), "profiles.1.max_papers: "),  # type: ignore[index]
        (line(profiles=[{**LINE["profiles"][0], "queries": [["(cat", 1]]}]), "column "),  # type: ignore[index]
        (line(profiles=[{**LINE["profiles"][0], "queries": [["cat", -1]]}]), "profiles.1.queries.1.weight: "),  # type: ignore[index]
        (line(profiles=[{**LINE["profiles"][0], "at": "noon"}]), "'noon' is not an hour of the day"),  # type: ignore[index]
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_people_line_with_a_mistake_is_named_and_the_others_are_taken(
    digestd: Command, home: Path, text: str, said: str
) -> None:
    (home / "people.jsonl").write_text(text.rstrip("\n") + "\n\n" + line(email="fay@example.org"))
    result = digestd("subscribers", "import", "people.jsonl")
    assert result.exit_code == 1
    assert "people.jsonl, line 1: " in result.stderr
    assert said in result.stderr
    assert "1 subscriber imported, 1 of them new" in result.stdout
    assert digestd("subscribers", "show", "fay@example.org").exit_code == 0


def test_people_line_that_is_not_utf8_is_named() -> None:
    with pytest.raises(NotAPerson, match="not UTF-8 text at byte 3"):
        person_of(b'{"\xff')
    with pytest.raises(NotAPerson, match="name: "):
        person_of(b'{"name": "\\ud800"}')


def test_people_of_a_file_belong_to_it_after_an_import(digestd: Command, home: Path) -> None:
    (home / "people.jsonl").write_text(line(state_by="file", origin="file"))
    digestd("subscribers", "import", "people.jsonl")
    assert "unsubscribed, by file" in digestd("subscribers", "show", "eve@example.org").output
    people = (home / "subscribers.toml").read_text()
    (home / "subscribers.toml").write_text(people + reader("eve", "cat"))
    assert "active, by file" in digestd("subscribers", "show", "eve@example.org").output


def test_people_by_the_thousand_are_listed_once_each_in_order(
    digestd: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digestd.store.subscribers.PAGE", 2)
    monkeypatch.setattr("digestd.cli.subscribers.BATCH", 2)
    (home / "people.jsonl").write_text("".join(line(email=f"r{number}@example.org") for number in range(5)))
    assert "5 subscribers imported" in digestd("subscribers", "import", "people.jsonl").output
    listed = [row["email"] for row in objects(digestd("subscribers", "list", "--json"))]
    assert listed == ["ada@example.org", "ben@example.org", *(f"r{number}@example.org" for number in range(5))]
    assert CliRunner().invoke(main, ["subscribers", "import", "missing.jsonl"]).exit_code == 2
