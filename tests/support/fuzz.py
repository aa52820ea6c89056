"""A fuzzer for every format: mutations of the golden files, with limits on time and memory. `make fuzz` runs it.

`python -m support.fuzz --seconds 600 [FORMAT…]`, with the root and `tests` on the path. Each format runs in a process
of its own. What raises anything but FileRefused, takes more than a second of processor time or grows beyond 200 MB is
written to `fuzz-findings/` and makes the run fail; each becomes a test. Where atheris is installed, `--atheris` lets it
guide the mutations by coverage.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from support.format_cases import FOLDER, cases, read

MAX_SECONDS = 1.0
MAX_MB = 200
MAX_INPUT = 200_000  # bytes; larger ones measure the machine
FINDINGS = Path("fuzz-findings")
TOKENS = [
    *(
        b"\\\\\n",
        b"arXiv:",
        b"---",
        b"<![CDATA[",
        b"]]>",
        b"<!--",
        b"-->",
        b"<!DOCTYPE x [",
        b"<!ENTITY a 'b'>",
        b"&a;",
    ),
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b"\\u0000",
        b"\\ud800",
        b"null",
        b"1e999",
        b"@string{a=",
        b"#",
        b"TY  - ",
        b"ER  - ",
    ),
    *(
        b"PMID- ",
        b"      ",
        b"](http://arxiv.org/abs/2401.00001)",
        b"|",
        b"\0",
        b"\xff\xfe",
        b"\x1f\x8b",
        b"\r",
        b"\n\n",
    ),
    *(b"From x 2024\n", b"Content-Type: multipart/mixed; boundary=a\n\n--a\n", b"=C3=", b"\xc3\x83\xc2\xa9", b"(" * 50),
]


def mutated(seed: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """Return a seed with one to six random changes."""
    content = bytearray(seed)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(content) + 1)
        kind = chance.randrange(8)
        if kind == 0:
            content[at : at + chance.randint(1, 64)] = b""
        elif kind == 1:
            content[at:at] = chance.choice(TOKENS) * chance.choice((1, 1, 1, 2, 50, 2_000))
        elif kind == 2:
            content[at : at + 1] = bytes([chance.randrange(256)])
        elif kind == 3:  # a piece again and again
            piece = bytes(content[at : at + chance.randint(1, 200)])
            content[at:at] = piece * chance.choice((1, 3, 100, 1_000))
        elif kind == 4:
            other = chance.choice(others)
            begin = chance.randrange(len(other) + 1)
            content[at:at] = other[begin : begin + chance.randint(1, 2_000)]
        elif kind == 5:
            del content[at:]
        elif kind == 6:
            lines = bytes(content).splitlines(keepends=True)
            chance.shuffle(lines)
            content = bytearray(b"".join(lines))
        else:
            content[at:at] = bytes([chance.choice(b" \t\n<>{}[]()\"'\\$@#|&;:,.-=0aA")]) * chance.choice(
                (1, 10, 1_000, 30_000)
            )
        del content[MAX_INPUT:]
    return bytes(content)


def check(content: bytes, name: str | None) -> str | None:
    """Return what is wrong with how an input is read, None when it is read well."""
    begun = time.process_time()
    try:
        read(content, name)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if (taken := time.process_time() - begun) > MAX_SECONDS:
        return f"it took {taken:.1f} s"
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000
    return f"it grew to {grown:.0f} MB" if grown > MAX_MB else None


def run(name: str, seconds: float, seed: int) -> int:
    """Fuzz one format for so long. Returns the number of findings; stops at the tenth."""
    chance = random.Random(seed)
    every = {case: (FOLDER / case).read_bytes() for case in cases()}
    seeds = [content for case, content in every.items() if case.startswith(f"{name}/")]
    tries = found = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until and found < 10:
        content = mutated(chance.choice(seeds), list(every.values()), chance)
        tries += 1
        found += _keep(name, content, check(content, chance.choice((name, None))))
    print(f"{name}: {tries:,} inputs in {seconds:.0f} s, {found} findings", flush=True)
    return found


def _keep(name: str, content: bytes, wrong: str | None) -> int:
    if wrong is None:
        return 0
    FINDINGS.mkdir(exist_ok=True)
    path = FINDINGS / f"{name}-{hashlib.sha256(content).hexdigest()[:8]}"
    path.write_bytes(content)
    print(f"{name}: {wrong}: {path}", flush=True)
    return 1


def guided(name: str, seconds: float) -> None:
    """Fuzz one format with atheris, which ends the process itself."""
    import atheris

    atheris.instrument_all()
    corpus = [str(FOLDER / name)]
    options = [f"-max_total_time={seconds:.0f}", "-timeout=10", f"-rss_limit_mb={MAX_MB * 3}", f"-max_len={MAX_INPUT}"]
    atheris.Setup([sys.argv[0], *options, *corpus], lambda content: _fail(name, content, check))
    atheris.Fuzz()


def _fail(name: str, content: bytes, tried: Callable[[bytes, str | None], str | None]) -> None:
    wrong = tried(content, name)
    if wrong and "grew" not in wrong and _keep(name, content, wrong):
        raise AssertionError(wrong)


def main() -> None:
    """Run each format in a process of its own, so that memory is measured by format."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("formats", nargs="*", default=sorted({case.partition("/")[0] for case in cases()}))
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--atheris", action="store_true")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.inside:
        (name,) = asked.formats
        if asked.atheris:
            guided(name, asked.seconds)
        sys.exit(min(1, run(name, asked.seconds, asked.seed)))
    failed = []
    for name in asked.formats:
        command = [
            sys.executable,
            "-m",
            "support.fuzz",
            "--inside",
            f"--seconds={asked.seconds}",
            f"--seed={asked.seed}",
        ]
        if subprocess.run([*command, *(["--atheris"] if asked.atheris else []), name], check=False).returncode:
            failed.append(name)
    print(f"seed {asked.seed}; failed: {', '.join(failed) or 'none'}")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
