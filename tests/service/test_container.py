"""The container file and the compose example, read as an engine would: there is none here to build them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
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
    assert ("USER", "digestd") in last
    assert ("ENTRYPOINT", '["digestd"]') in last
    assert ("CMD", '["serve"]') in last
    assert any("--require-hashes" in value for name, value in said if name == "RUN")
    for name, value in said:
        if name == "COPY" and not value.startswith("--from"):
            assert all((ROOT / part).exists() for part in value.split()[:-1]), value


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


def test_operations_name_commands_that_there_are() -> None:
    from digestd.cli import COMMANDS

    text = (ROOT / "docs" / "operations.md").read_text()
    assert set(re.findall(r"`digestd ([a-z-]+)", text)) <= COMMANDS.keys()
    blocks = "".join(re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    assert set(re.findall(r"\bdigestd ([a-z]+) ", blocks)) <= COMMANDS.keys()
