"""The units: sound to systemd's own eye, tightly shut, and true to the program."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from digestd.errors import BAD_CONFIGURATION

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "config" / "systemd"
SERVICES = ("digestd.service", "digestd-once.service")
ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="needs systemd-analyze, of Debian's package systemd")


def installed(folder: Path) -> Path:
    """Return the units as installed, with a program that is there."""
    for unit in UNITS.glob("digestd*.*"):
        if unit.suffix in {".service", ".socket", ".timer"}:
            (folder / unit.name).write_text(unit.read_text().replace("/opt/digestd/bin/digestd", sys.executable))
    return folder


def analyze(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    assert ANALYZE
    environment = {**os.environ, "SYSTEMD_UNIT_PATH": f"{folder}:"}
    return subprocess.run([ANALYZE, *arguments], env=environment, capture_output=True, text=True, check=False)


def parsed(name: str) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(UNITS / name)
    return unit


@pytest.mark.peer
@needs_systemd
def test_units_are_sound(tmp_path: Path) -> None:
    units = sorted(str(unit) for unit in installed(tmp_path).iterdir())
    assert len(units) == 4
    result = analyze(tmp_path, "verify", "--man=no", *units)
    assert (result.stderr, result.returncode) == ("", 0), "on unknown keys it speaks and returns 0"


@pytest.mark.peer
@needs_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_service_is_shut_tightly(name: str, tmp_path: Path) -> None:
    result = analyze(tmp_path, "security", "--offline=yes", "--no-pager", str(installed(tmp_path) / name))
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", result.stdout)
    assert found, result.stdout + result.stderr
    assert float(found[1]) <= 1.5


def test_service_is_true_to_the_program() -> None:
    service = parsed("digestd.service")["Service"]
    assert service["Type"] == "notify"
    assert int(service["RestartPreventExitStatus"]) == BAD_CONFIGURATION
    assert service["LoadCredential"] == "digestd_smtp_password"
    assert int(service["TimeoutStopSec"]) > 30
    assert "WatchdogSec" in service


def test_one_shot_is_shut_as_the_daemon_is() -> None:
    daemon, once = parsed("digestd.service")["Service"], parsed("digestd-once.service")["Service"]
    first = list(daemon).index("AmbientCapabilities")
    assert {key: once.get(key) for key in list(daemon)[first:]} == {key: daemon[key] for key in list(daemon)[first:]}


def test_install_puts_every_file_in_place(tmp_path: Path) -> None:
    command = ["make", "-s", "install-systemd", f"DESTDIR={tmp_path}", "PROGRAM=/usr/bin/digestd"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    there = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert there == {
        *(f"etc/systemd/system/{name}" for name in (*SERVICES, "digestd.socket", "digestd-once.timer")),
        "etc/sysusers.d/digestd.conf",
        "etc/tmpfiles.d/digestd.conf",
        "etc/digestd/digestd.toml",
        "etc/digestd/subscribers.toml",
    }
    unit = (tmp_path / "etc/systemd/system/digestd.service").read_text()
    assert "ExecStart=/usr/bin/digestd --config /etc/digestd/digestd.toml serve" in unit
    config = (tmp_path / "etc/digestd/digestd.toml").read_text()
    assert '\ninbox = "/var/lib/digestd/inbox"' in config
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "etc/digestd").iterdir()}
    assert modes == {0o640}, "either may hold what is nobody's business"
    (tmp_path / "etc/digestd/digestd.toml").write_text("mine")
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    assert (tmp_path / "etc/digestd/digestd.toml").read_text() == "mine", "what an operator wrote stays"
