"""What a benchmark tells: a figure of ours beside a reference that was measured in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Row:
    """A figure: digestd's seconds, the reference's, and how many times as fast digestd is (1: as fast)."""

    what: str
    reference: str
    seconds: float
    reference_seconds: float

    @property
    def ratio(self) -> float:
        """The reference's time over ours."""
        return self.reference_seconds / self.seconds


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that `work` takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def pair(what: str, reference: str, ours: Callable[[], object], theirs: Callable[[], object]) -> Row:
    """Measure two things in turn, and return the times of the round whose ratio is the median."""
    return median(what, reference, [(timed(ours), timed(theirs)) for _ in range(ROUNDS)])


def median(what: str, reference: str, times: list[tuple[float, float]]) -> Row:
    """Return the row of several rounds, each (ours, theirs): noise that meets both at once leaves their ratio alone."""
    ours, theirs = sorted(times, key=lambda pair: pair[1] / pair[0])[len(times) // 2]
    return Row(what, reference, ours, theirs)
