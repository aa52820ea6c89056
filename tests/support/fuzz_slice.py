"""One slice of fuzzing, in the process that `support.fuzz` starts: one format, so many seconds of processor time.

Inputs are mutations of the golden files; guided by coverage they are smaller, and what reaches new code is mutated
further. Suspects are written to `fuzz-findings/` and named on standard output, the last line says what was done.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

from support.fuzz import FINDINGS, GOLDEN

MAX_SECONDS = 1.0
MAX_MB = 200
MAX_INPUT = 200_000  # bytes; larger ones measure the machine
MAX_GUIDED = 16_000  # bytes; under instrumentation everything takes several times as long
MAX_FOUND = 5
_LINES = (b"arXiv:", b"---", b"TY  - ", b"ER  - ", b"PMID- ", b"      ", b"From x 2024\n", b"\r", b"\n\n", b"> ")
_MARKUP = (b"\\\\\n", b"<![CDATA[", b"]]>", b"<!--", b"-->", b"<!DOCTYPE x [", b"<!ENTITY a 'b'>", b"&a;", b"&#0;")
_JSON = (b"{", b"}", b"[", b"]", b'"', b"\\u0000", b"\\ud800", b"null", b"1e999", b"NaN", b"9" * 5_000, b"{}", b'""')
_OTHER = (b"@string{a=", b"#", b"](http://arxiv.org/abs/2401.00001)", b"|", b"\0", b"\xff\xfe", b"\x1f\x8b", b"(" * 50)
_MAIL = (b"Content-Type: multipart/mixed; boundary=a\n\n--a\n", b"=C3=", b"\xc3\x83\xc2\xa9", b"=?utf-8?q?a?=")
TOKENS = (*_LINES, *_MARKUP, *_JSON, *_OTHER, *_MAIL)

Reader = Callable[[bytes, "str | None"], str]


def mutated(seed: bytes, others: list[bytes], chance: random.Random, size: int) -> bytes:
    """Return a seed with one to six random changes, of `size` bytes at most."""
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
        del content[size:]
    return bytes(content)


class Slice:
    """What is tried, and when the slice is over."""

    def __init__(self, read: Reader, name: str, seconds: float, max_mb: float) -> None:
        self.inputs = self.found = 0
        self._read, self._name, self._seconds, self._max_mb = read, name, seconds, max_mb
        self._current = os.open(FINDINGS / "current", os.O_CREAT | os.O_RDWR | os.O_TRUNC)

    def try_one(self, content: bytes, name: str | None) -> None:
        """Try one input; it is kept when it looks bad. Ends the process when the slice is over."""
        os.pwrite(self._current, content, 0)  # whatever ends this process, the input in hand is known
        os.ftruncate(self._current, len(content))
        self.inputs += 1
        if wrong(self._read, content, name, self._max_mb):
            self.found += 1
            path = FINDINGS / f"{self._name}-{hashlib.sha256(content).hexdigest()[:8]}"
            path.write_bytes(content)
            print(path, flush=True)
            with contextlib.suppress(OSError):  # proc(5): begin to measure the peak of memory anew
                Path("/proc/self/clear_refs").write_text("5")
        if time.process_time() > self._seconds or self.found >= MAX_FOUND:
            print(json.dumps({"seconds": round(time.process_time(), 1), "inputs": self.inputs}), flush=True)
            os._exit(0)  # libFuzzer has no other end for a function of ours


def wrong(read: Reader, content: bytes, name: str | None, max_mb: float) -> str | None:
    """Return what is wrong with how an input is read, None when it is read well."""
    begun = time.process_time()
    try:
        read(content, name)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if (taken := time.process_time() - begun) > MAX_SECONDS:
        return f"it took {taken:.1f} s"
    grown = peak_mb()
    return f"it grew to {grown:.0f} MB" if grown > max_mb else None


def peak_mb() -> float:
    """Return the largest size this process had in memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000


def reader(*, guided: bool) -> Reader:
    """Return what reads an input; guided, with everything of ours instrumented."""
    if not guided:
        from support.format_cases import read

        return read
    import atheris

    with atheris.instrument_imports(include=["digestd", "email", "html", "json"]):
        from support import format_cases

        from digestd.ingest import formats

        formats.known()
    return format_cases.read


def main() -> None:
    """Fuzz one format until its time is over, or replay one input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--guided", action="store_true")
    parser.add_argument("--replay", type=Path)
    asked = parser.parse_args()
    read = reader(guided=asked.guided)
    if asked.replay:
        resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
        said = [wrong(read, asked.replay.read_bytes(), name, MAX_MB) for name in (asked.name, None)]
        print(next(filter(None, said), ""))
        sys.exit(any(said))
    limit = int(asked.seconds) + 60  # what does not end is ended by the kernel
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
    golden = {path: path.read_bytes() for path in sorted(GOLDEN.glob("*/*")) if path.suffix != ".expected"}
    others = list(golden.values())
    seeds = [content for path, content in golden.items() if path.parent.name == asked.name]
    if not asked.guided:
        one = Slice(read, asked.name, asked.seconds, MAX_MB)
        chance = random.Random(asked.seed)
        while True:
            one.try_one(mutated(chance.choice(seeds), others, chance, MAX_INPUT), chance.choice((asked.name, None)))
    _guided(Slice(read, asked.name, asked.seconds, peak_mb() + MAX_MB), asked.name, asked.seed, seeds, others)


def _guided(one: Slice, name: str, seed: int, seeds: list[bytes], others: list[bytes]) -> None:
    import atheris

    corpus = FINDINGS / "corpus" / name  # grows from slice to slice
    corpus.mkdir(parents=True, exist_ok=True)
    for content in seeds:
        (corpus / hashlib.sha256(content).hexdigest()[:16]).write_bytes(content)

    def mutate(content: bytes, size: int, number: int) -> bytes:
        if number % 2:
            return bytes(atheris.Mutate(content, size))
        return mutated(content, others, random.Random(number), size)

    limits = [f"-max_len={MAX_GUIDED}", "-timeout=100", "-rss_limit_mb=4000", f"-seed={seed + 1}"]
    atheris.Setup(
        [sys.argv[0], *limits, str(corpus)], lambda content: one.try_one(content, name), custom_mutator=mutate
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
