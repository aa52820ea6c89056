"""The units under a systemd that lives: PID 1 of namespaces of its own, with a root and a cgroup of its own.

It needs root, systemd and cgroups of version 2; nothing of it touches the machine around it but a port of loopback.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import pytest
from support.smtp_script import SmtpScript
from support.world import papers, reader

ROOT = Path(__file__).parents[2]
BOOT = ROOT / "tests" / "support" / "live_systemd.sh"
LIMIT = 40.0  # seconds until a condition counts as never met
NAMESPACES = ("--mount", "--pid", "--fork", "--kill-child", "--uts", "--ipc", "--cgroup")
NEEDED = ("unshare", "nsenter", "pivot_root", "systemctl", "make", "curl")

pytestmark = [
    pytest.mark.faults,
    pytest.mark.peer,
    pytest.mark.skipif(os.getuid() != 0, reason="needs root"),
    pytest.mark.skipif(
        not all(map(shutil.which, NEEDED)) or not Path("/lib/systemd/systemd").exists(), reason="needs Debian's systemd"
    ),
]


class Machine:
    """Where that systemd runs: the child of `boot`."""

    def __init__(self, boot: asyncio.subprocess.Process) -> None:
        self._boot = boot

    async def run(self, command: str) -> str:
        """Run a command there; returns what it says."""
        return await asyncio.to_thread(self._run, command)

    def _run(self, command: str) -> str:
        first = Path(f"/proc/{self._boot.pid}/task/{self._boot.pid}/children").read_text().split()[:1]
        inside = ("nsenter", "-t", *first, "-m", "-p", "-u", "-i", "-C", "env", "-i", "PATH=/usr/sbin:/usr/bin")
        ran = subprocess.run([*inside, "bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
        return (ran.stdout + ran.stderr).strip()

    async def until(self, command: str, expected: str) -> None:
        """Run a command until it says what is expected."""
        said = ""
        try:
            async with asyncio.timeout(LIMIT):
                while expected not in (said := await self.run(command)):
                    if self._boot.returncode is not None:
                        break
                    await asyncio.sleep(0.1)
                else:
                    return
        except TimeoutError:
            pass
        raise AssertionError(f"{command}: {said}\n{await self.run('journalctl -n 40 --no-pager -o cat')}")

    async def shows(self, name: str, expected: str) -> None:
        """Wait until a property of the service is as expected."""
        await self.until(f"systemctl show digestd -P {name}", expected)


def own_group() -> Path:
    """Return a cgroup below this process's own, so that the machine's is left alone. It is to be made."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    root = next((Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"), None)
    if root is None:
        pytest.skip("needs cgroups of version 2")
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    own = next(line.removeprefix("0::/") for line in lines if line.startswith("0::"))
    return root / own / f"digestd-test-{os.getpid()}"


def removed(group: Path) -> None:
    """Remove a cgroup and those in it, as soon as the last process in them is gone."""
    end = time.monotonic() + LIMIT
    while group.exists() and time.monotonic() < end:
        for folder in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
            with suppress(OSError):
                folder.rmdir()
        with suppress(OSError):
            group.rmdir()


@asynccontextmanager
async def booted(folder: Path) -> AsyncIterator[Machine]:
    """Start it; all of it is gone at the end. Skips the test where this kernel gives no such namespaces."""
    given = (BOOT, folder, sys.base_prefix, sysconfig.get_path("purelib"), ROOT)
    with (folder.parent / "boot.log").open("w+b") as log:
        group = own_group()
        group.mkdir()
        boot = await asyncio.create_subprocess_exec(
            "bash", "-c", f'echo $$ >{group}/cgroup.procs && exec unshare "$@"', "bash",
            *NAMESPACES, "bash", *map(str, given), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            machine = Machine(boot)
            try:
                await machine.until("systemctl is-system-running", "running")
            except (AssertionError, OSError):
                log.seek(0)
                said = log.read().decode(errors="replace").strip()
                if re.search("^(mount|unshare|pivot_root): ", said, re.MULTILINE):
                    pytest.skip(said.splitlines()[-1])
                raise
            yield machine
        finally:
            with suppress(ProcessLookupError):
                boot.kill()
            await boot.wait()
            await asyncio.to_thread(removed, group)


async def test_units_under_a_live_systemd_do_all_that_they_say(tmp_path: Path) -> None:
    (root := tmp_path / "root").mkdir()
    async with SmtpScript() as relay, booted(root) as machine:
        run = machine.run
        assert "Creating user 'digestd'" in await run("cd /opt/src && make -s install-systemd")
        await run(
            f"sed -i 's|^host = .*|host = \"127.0.0.1\"\\nport = {relay.port}|' /etc/digestd/digestd.toml\n"
            f"cat >/etc/digestd/subscribers.toml <<'END'\n{reader('ada', 'robot')}\nEND\n"
            "install -D -m 600 /dev/stdin /etc/credstore/digestd_smtp_password <<<secret"
        )
        await works(machine, relay)
        await keeps_the_last_good_configuration(machine)
        await is_restarted_by_the_watchdog(machine)
        await is_woken_by_the_socket(machine)
        await does_one_round(machine, relay)


async def works(machine: Machine, relay: SmtpScript) -> None:
    assert await machine.run("systemctl start digestd") == "", "it returns when the service says that it is ready"
    await machine.shows("StatusText", "at work")
    await drop(machine, "a", "A Robot")
    await relay.until(lambda: len(relay.messages) == 1)
    said = await machine.run("journalctl -u digestd -o cat --no-pager")
    assert "event=edition-sent" in said
    assert "already exists but" not in said


async def keeps_the_last_good_configuration(machine: Machine) -> None:
    change = "sed -i 's|^{}|{}|' /etc/digestd/digestd.toml"
    await machine.run(change.format('# timezone = "UTC" ', 'timezone = "Europe/Berln" '))
    await machine.run("systemctl reload digestd")
    await machine.shows("StatusText", "line 5")
    await machine.shows("StatusText", "'Europe/Berln' is not a time zone; did you mean Europe/Berlin?")
    await machine.run(change.format("timezone = .Europe/Berln. ", '# timezone = "UTC" '))
    await machine.shows("StatusText", "at work")
    await machine.run(change.format("host = ", "hst = "))
    await machine.run("systemctl restart digestd")
    await machine.shows("ExecMainStatus", "78")
    await machine.until("systemctl show digestd -P NRestarts -P ActiveState", "0\nfailed")
    await machine.run(change.format("hst = ", "host = "))


async def is_restarted_by_the_watchdog(machine: Machine) -> None:
    folder = "/run/systemd/system/digestd.service.d"
    await machine.run(f"mkdir -p {folder}; printf '[Service]\nWatchdogSec=2\n' >{folder}/soon.conf")
    await machine.run("systemctl daemon-reload; systemctl reset-failed digestd; systemctl start digestd")
    await machine.run("kill -STOP $(systemctl show digestd -P MainPID)")
    await machine.shows("NRestarts", "1")
    await machine.shows("StatusText", "at work")
    assert "Watchdog timeout" in await machine.run("journalctl -u digestd -o cat --no-pager")
    await machine.run(f"rm -r {folder}; systemctl daemon-reload; systemctl stop digestd")
    await machine.shows("Result", "success")


async def is_woken_by_the_socket(machine: Machine) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    ask = f"curl -s -m 20 http://127.0.0.1:{port}"
    await machine.run(f"sed -i 's/8025/{port}/' /etc/systemd/system/digestd.socket; systemctl daemon-reload")
    assert await machine.run("systemctl start digestd.socket; systemctl is-active digestd") == "inactive"
    assert await machine.run(f"{ask}/healthz") == "ok"
    assert await machine.run(f"systemctl restart --no-block digestd; {ask}/healthz") == "ok", "it waits in the socket"
    await machine.shows("ActiveState", "active")


async def does_one_round(machine: Machine, relay: SmtpScript) -> None:
    await machine.run("systemctl stop digestd.socket digestd")
    await drop(machine, "b", "A Robot Again")
    assert await machine.run("systemctl start digestd-once.service") == ""
    said = await machine.run("journalctl -u digestd-once -o cat --no-pager")
    assert "b.jsonl" in said
    assert "Deactivated successfully" in said
    assert len(relay.messages) == 1, "today's edition went out before"
    assert await machine.run("systemctl start digestd-once.timer; systemctl is-active digestd-once.timer") == "active"


async def drop(machine: Machine, name: str, title: str) -> None:
    file = f"/var/lib/digestd/inbox/{name}.jsonl"
    await machine.run(f"install -m 640 -g digestd /dev/stdin {file} <<'END'\n{papers(title)}END\n")
