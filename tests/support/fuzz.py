"""A fuzzer for every format, with limits on time and memory: `make fuzz` runs it.

`python -m support.fuzz [--minutes 1] [FORMAT…]`, with the root and `tests` on the path, goes round the formats in
slices of processor time, each slice a process of its own (`support.fuzz_slice`). Where atheris is installed every other
slice is guided by coverage. What raises anything but FileRefused, takes more than a second of processor time or grows
beyond 200 MB is written to `fuzz-findings/` and makes the run fail; each becomes a test. `log.jsonl` beside them says
what each slice did, and a run that is begun again goes on from there.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import random
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

FINDINGS = Path("fuzz-findings")
LOG = FINDINGS / "log.jsonl"
GOLDEN = Path(__file__).parents[1] / "ingest" / "formats"


def spent(log: Path) -> dict[str, dict[str, float]]:
    """Return by format the seconds of processor time and the inputs that a log tells of."""
    total: dict[str, dict[str, float]] = defaultdict(lambda: {"seconds": 0.0, "guided": 0.0, "inputs": 0})
    for line in log.read_text().splitlines() if log.exists() else ():
        told = json.loads(line)
        one = total[told["format"]]
        one["seconds"] += told["seconds"]
        one["guided"] += told["seconds"] * told["guided"]
        one["inputs"] += told["inputs"]
    return total


def fuzz_slice(name: str, seconds: float, seed: int, *, guided: bool) -> list[str]:
    """Fuzz one format for so many seconds of processor time. Returns what was found, a sentence each."""
    current = FINDINGS / "current"
    command = [sys.executable, "-m", "support.fuzz_slice", name, f"--seconds={seconds}", f"--seed={seed}"]
    done = subprocess.run([*command, *(["--guided"] if guided else [])], capture_output=True, check=False)
    suspects = [Path(line) for line in done.stdout.decode().splitlines() if line.startswith(str(FINDINGS))]
    told = [line for line in done.stdout.decode().splitlines() if line.startswith("{")]
    if done.returncode > 0:
        sys.exit(done.stderr.decode(errors="replace")[-2_000:])
    if not told:  # killed by the kernel, or by its own alarm: the input in hand did it
        path = FINDINGS / f"{name}-{hashlib.sha256(current.read_bytes()).hexdigest()[:8]}"
        suspects.append(current.replace(path))
        told = [json.dumps({"seconds": 0.0, "inputs": 0})]
        print(done.stderr.decode(errors="replace")[-2_000:], flush=True)
    with LOG.open("a") as log:
        log.write(json.dumps({"format": name, "guided": guided, **json.loads(told[-1])}) + "\n")
    return [sentence for path in suspects if (sentence := replayed(name, path))]


def replayed(name: str, path: Path) -> str | None:
    """Return what is wrong with how a suspect is read in a process of its own that nothing instruments."""
    command = [sys.executable, "-m", "support.fuzz_slice", name, f"--replay={path}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    said = done.stdout.decode().strip()
    if done.returncode == 0:
        path.unlink()
        return None
    return f"{name}: {said or f'ended by signal {-done.returncode}'}: {path}"


def main() -> None:
    """Go round the formats until each has had its time, and say what was found."""
    every = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir())
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("formats", nargs="*", default=every)
    parser.add_argument("--minutes", type=float, default=1, help="of processor time for each format")
    parser.add_argument("--slice", type=float, default=60, help="seconds of processor time")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    asked = parser.parse_args()
    guide = importlib.util.find_spec("atheris") is not None
    if not guide:
        print("atheris is not installed (`pip install atheris`): no slice is guided by coverage", flush=True)
    FINDINGS.mkdir(exist_ok=True)
    found, turn = [], 0
    while waiting := [one for one in asked.formats if spent(LOG)[one]["seconds"] < asked.minutes * 60 - 1]:
        turn += 1
        for name in waiting:
            left = asked.minutes * 60 - spent(LOG)[name]["seconds"]
            guided = guide and (turn % 2 == 1)
            for sentence in fuzz_slice(name, min(asked.slice, left), asked.seed + turn, guided=guided):
                print(sentence, flush=True)
                found.append(sentence)
    for name in asked.formats:
        had = spent(LOG)[name]
        minutes = f"{had['seconds'] / 60:.1f} minutes, {had['guided'] / 60:.1f} of them guided"
        print(f"{name}: {had['inputs']:,.0f} inputs in {minutes}")
    print(f"seed {asked.seed}; {len(found)} findings")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
