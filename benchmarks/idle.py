"""What `serve` costs while nothing happens: memory and processor time, with 1,000 readers. `python -m benchmarks.idle`.

Memory is what is resident, beside an empty Python that has imported the same; processor time is that of a minute, with
ticks, the watching of folders and the web port in it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MORE_MEMORY = 60.0  # MB
PROCESSOR = 0.5  # per cent of a core
READERS = 1_000
SECONDS = 60.0
SETTLING = 10.0  # seconds until what a start needs is over
IMPORTS = "import digestd.service.daemon, digestd.cli.pipeline, digestd.web.app, uvicorn"


def configured(folder: Path) -> Path:
    """Write the configuration and the people; returns the configuration."""
    people = [
        f'[[subscriber]]\nemail = "r{number}@example.org"\n[[subscriber.profile]]\nname = "P"\nqueries = ["robot"]\n'
        for number in range(READERS)
    ]
    (folder / "subscribers.toml").write_text("".join(people))
    config = folder / "digestd.toml"
    config.write_text('[smtp]\nhost = "127.0.0.1"\n[mail]\nfrom_address = "papers@example.org"\n[web]\nport = 8925\n')
    return config


@contextmanager
def running(*arguments: str) -> Iterator[int]:
    """Run Python until the block ends; gives its process id. It has said a line by then."""
    with subprocess.Popen([sys.executable, *arguments], stderr=subprocess.PIPE) as process:
        assert process.stderr
        said = b""
        while b"serving" not in said:
            said = process.stderr.readline()
            assert said, "it has ended"
        try:
            yield process.pid
        finally:
            process.terminate()
            process.stderr.read()


def megabytes(pid: int) -> float:
    """Return the resident memory of a process."""
    text = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS:")) / 1024


def seconds(pid: int) -> float:
    """Return the processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure and print; ends with 1 where it is more than it may be."""
    waiting = f"{IMPORTS}, sys, time; print('serving', file=sys.stderr, flush=True); time.sleep(3600)"
    with tempfile.TemporaryDirectory(prefix="digestd-idle-") as name:
        config = configured(Path(name))
        with running("-c", waiting) as empty, running("-m", "digestd", "--config", str(config), "serve") as served:
            time.sleep(SETTLING)
            before = seconds(served)
            time.sleep(SECONDS)
            used = 100 * (seconds(served) - before) / SECONDS
            ours, theirs = megabytes(served), megabytes(empty)
    more = ours - theirs
    print(f"serve, idle: {ours:.0f} MB, {more:.0f} more than an empty Python with its imports, limit {MORE_MEMORY:.0f}")
    print(f"serve, idle: {used:.2f} % of a core over {SECONDS:.0f} s, limit {PROCESSOR}")
    sys.exit(int(more > MORE_MEMORY or used > PROCESSOR))


if __name__ == "__main__":
    main()
