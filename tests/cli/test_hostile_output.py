"""What comes from outside reaches no terminal as it is: file names, records, addresses, arguments, a relay's reply."""

from __future__ import annotations

import ast
import asyncio
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.command_line import Command
from support.smtp_script import SmtpScript
from support.world import reader

from digestd.cli import main
from digestd.cli.output import visible

PACKAGE = Path(__file__).parents[2] / "digestd"
EVIL = "\x1b]0;owned\x07\x1b[2J\u202e\x9b31m\u2066evil"  # a title, a cleared screen, a reordered line, a colour
NAME = f"{EVIL}.jsonl"
RECORDS = "".join(
    json.dumps(record, ensure_ascii=escaped) + "\n"
    for escaped in (True, False)
    for record in (
        {"title": f"A Robot {EVIL} {escaped}", "abstract": EVIL, "authors": [EVIL], "source": EVIL},
        {"title": EVIL * 200, "id": EVIL},
        {"title": "x", "published": EVIL},
        {"title": "y", "authors": EVIL},
        [EVIL],
    )
) + f"{{{EVIL}\n"  # fmt: skip
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]")

COMMANDS = [
    ["parse", NAME],
    ["parse", NAME, "--json"],
    ["parse", f"missing-{NAME}"],
    ["parse", NAME, "--format", EVIL],
    ["search", "robot", NAME],
    ["search", "robot", NAME, "--json"],
    ["search", f'"{EVIL}', NAME],
    ["demo", NAME, f"missing-{NAME}", "--out", f"out-{EVIL}"],
    ["demo", NAME, "--out", f"out-{EVIL}", "--json"],
    ["demo", f"missing-{NAME}"],
    ["demo", "--out", f"{NAME}"],
    ["ingest", NAME, f"missing-{NAME}"],
    ["ingest", NAME, "--json"],
    ["run-once"],
    ["run-once", "--json"],
    ["publish"],
    ["publish", "--now", EVIL],
    ["deliver"],
    ["why", f"{EVIL}@example.org", EVIL],
    ["why", "ada@example.org", EVIL],
    ["why", "ada@example.org", "A Robot"],
    ["why", "ada@example.org", "A Robot", "--json"],
    ["preview", "ada@example.org"],
    ["preview", EVIL],
    ["preview", "--html", f"missing-{EVIL}/x.html"],
    ["check"],
    ["config", "dump"],
    ["config", "dump", "--json"],
    ["config", EVIL],
    ["subscribers", "list"],
    ["subscribers", "list", "--json"],
    ["subscribers", "show", EVIL],
    ["subscribers", "show", "ada@example.org"],
    ["subscribers", "add", f"{EVIL}@example.org", "--query", "cat"],
    ["subscribers", "add", "eve@example.org", "--query", f"({EVIL}"],
    ["subscribers", "add", "eve@example.org", "--query", f"cat {EVIL}", "--name", EVIL, "--profile", EVIL],
    ["subscribers", "add", "eve@example.org", "--query", "cat", "--timezone", EVIL],
    ["subscribers", "pause", EVIL],
    ["subscribers", "export"],
    ["subscribers", "import", NAME],
    ["subscribers", "import", f"missing-{NAME}"],
    ["outbox", "list"],
    ["outbox", "list", "--state", EVIL],
    ["outbox", "show", EVIL],
    ["outbox", "retry", EVIL],
    ["db", "backup", f"missing-{EVIL}/x.db"],
    ["db", "backup", f"x-{EVIL}.db"],
    ["db", "stats"],
    ["db", "migrate"],
    [EVIL],
    [f"--{EVIL}"],
    ["--log-level", EVIL, "check"],
    ["--config", f"missing-{NAME}", "check"],
]


@pytest.fixture
def furnished(home: Path, digestd: Command) -> Command:
    """A hostile file beside hostile people, with an edition on its way."""
    (home / NAME).write_text(RECORDS)
    (home / "inbox" / NAME).write_text(RECORDS)
    (home / "inbox" / f"bad-{EVIL}.txt").write_text("hm")
    mistake = json.dumps(f"robot AND ( {EVIL}", ensure_ascii=True).replace("\\u009b", "\\u0085")
    people = reader("ada", "robot", f"graph {EVIL}".replace("\x9b", "")) + reader("ben", "x").replace('"x"', mistake)
    (home / "subscribers.toml").write_text(people.replace("Papers", json.dumps(EVIL)[1:-1]))
    digestd("ingest", NAME)
    digestd("publish")
    return digestd


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda arguments: " ".join(arguments[:2]).replace(EVIL, "EVIL"))
def test_output_of_every_command_moves_no_terminal(furnished: Command, arguments: list[str]) -> None:
    result = furnished(*arguments)
    assert result.output, arguments
    assert UNSAFE.findall(result.output) == []


@pytest.mark.parametrize(
    "line", [f'[smtp]\n"{EVIL}" = 1', '[smtp]\nhost = "\\u001b[2J"', "[smtp]\nhost = \x1b", "\x9b"]
)
def test_output_of_a_hostile_configuration_moves_no_terminal(digestd: Command, home: Path, line: str) -> None:
    (home / "digestd.toml").write_text(line)
    result = digestd("check")
    assert result.exit_code == 78
    assert UNSAFE.findall(result.output) == []


async def test_output_of_a_hostile_relay_moves_no_terminal(home: Path, furnished: Command) -> None:
    async with SmtpScript({"MAIL": f"550 5.1.0 {EVIL}"}) as relay:
        text = (home / "digestd.toml").read_text().replace("port = 1\n", f"port = {relay.port}\n")
        (home / "digestd.toml").write_text(text)
        for arguments in (["deliver"], ["outbox", "list"], ["outbox", "show", "1"], ["outbox", "show", "1", "--json"]):
            result = await asyncio.to_thread(furnished, *arguments)
            assert "evil" in result.output
            assert UNSAFE.findall(result.output) == []


def test_output_visible_writes_out_what_a_terminal_must_not_get() -> None:
    assert visible("\x1b[2J\x9b\u202e\ud800 é 한 \u200d") == "\\x1b[2J\\x9b\\u202e\\ud800 é 한 \u200d"


def test_output_as_json_is_safe_and_says_the_same(home: Path) -> None:
    people = json.dumps({"title": f"A {EVIL}"})
    (home / "a.jsonl").write_text(people + "\n")
    shown = CliRunner().invoke(main, ["search", "a", "a.jsonl", "--json"]).stdout
    assert json.loads(shown)["title"] == "A ]0;owned[2J31mevil"


def test_output_goes_through_one_place_alone() -> None:
    for path in (PACKAGE / "cli").glob("*.py"):
        if path.name != "output.py":
            called = {
                ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
            }
            assert not called & {"print", "click.echo", "click.secho", "echo", "sys.stdout.write", "sys.stderr.write"}
