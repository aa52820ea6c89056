"""Faults that a test puts into the process it is about to run: the package has no fail points of its own.

Each function returns what `support.processes` calls in the child before the command begins.
"""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial, wraps
from importlib import import_module
from pathlib import Path
from typing import Any

Fault = Callable[[], None]


def kill_at(place: str, call: int = 1, *, after: bool = False) -> Fault:
    """Kill the process at the n-th call of `module:name` or `module:Class.name`, before it or once it has returned."""
    return partial(_replace, place, partial(_killing, call, after))


def kill_at_mark(state: str, *, after: bool = False) -> Fault:
    """Kill the process when the first edition is about to be marked with a state, or once that is durable."""
    return partial(_replace, "digestd.store.outbox:SqliteOutbox.record", partial(_killing_at_mark, state, after))


def kill_whenever(place: str, words: str) -> Fault:
    """Kill the process whenever something whose text holds these words is given to a function."""
    return partial(_replace, place, partial(_killing_on, words))


def set_to(place: str, value: object) -> Fault:
    """Give `module:name` another value."""
    return partial(_replace, place, partial(_constant, value))


def at_most_files(count: int) -> Fault:
    """Let the process open so many more files."""
    return partial(_limit_files, count)


def wait_for_tracer() -> None:
    """Wait until strace has taken hold of this process."""
    while "TracerPid:\t0\n" in Path("/proc/self/status").read_text():
        time.sleep(0.001)


def both(first: Fault, second: Fault) -> Fault:
    """Bring about two faults."""
    return partial(_both, first, second)


def die() -> None:
    """End as a crash ends a process: nothing is flushed, nothing is closed."""
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)  # the signal may take a moment to arrive


def _both(first: Fault, second: Fault) -> None:
    first()
    second()


def _replace(place: str, change: Callable[[Any], Any]) -> None:
    module, _, name = place.partition(":")
    owner: Any = import_module(module)
    *path, last = name.split(".")
    for part in path:
        owner = getattr(owner, part)
    setattr(owner, last, change(getattr(owner, last)))


def _killing(call: int, after: bool, real: Callable[..., Any]) -> Callable[..., Any]:
    calls = 0

    @wraps(real)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call and not after:
            die()
        result = real(*args, **kwargs)
        if calls == call:
            die()
        return result

    return wrapped


def _killing_at_mark(state: str, after: bool, real: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(self: Any, owner: str, transitions: Sequence[Any]) -> Any:
        hit = any(transition.target == state for transition in transitions)
        if hit and not after:
            die()
        made = real(self, owner, transitions)
        if hit:
            die()
        return made

    return wrapped


def _killing_on(words: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if words in repr(args):
            die()
        return real(*args, **kwargs)

    return wrapped


def _constant(value: object, _real: object) -> object:
    return value


def _limit_files(count: int) -> None:
    used = len(list(Path("/proc/self/fd").iterdir()))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + count, hard))


def out_of_memory(spare: int) -> Fault:
    """Let the process take so many more bytes of address space."""
    return partial(_limit_memory, spare)


def room_with_the_ballast(full: Path) -> Fault:
    """Let the ballast that is given up be what makes room: then the file that says the disk is full goes."""
    return partial(_replace, "digestd.store.disk:Disk.give_up_ballast", partial(_making_room, full))


def blocked_log(until: Path) -> Fault:
    """Let what the process says go into a pipe that is full, and that nobody reads until a file is there."""
    return partial(_block_log, until)


def _limit_memory(spare: int) -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + spare, hard))


def _making_room(full: Path, real: Callable[..., bool]) -> Callable[..., bool]:
    def wrapped(self: Any) -> bool:
        given = real(self)
        if given:
            full.unlink(missing_ok=True)
        return given

    return wrapped


def _block_log(until: Path) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writing, True)
    os.dup2(writing, 1)
    os.dup2(writing, 2)

    def drain() -> None:
        while not until.exists():
            time.sleep(0.01)
        while os.read(reading, 65536):
            pass

    threading.Thread(target=drain, daemon=True).start()


def stalled_at(place: str, seconds: float) -> Fault:
    """Let the first call of a function block its thread, be it the event loop's, before it begins."""
    return partial(_replace, place, partial(_first_call, partial(time.sleep, seconds)))


def broken_at(place: str) -> Fault:
    """Let the first call of a function end with an error that nobody expects."""
    return partial(_replace, place, partial(_first_call, _break))


def _break() -> None:
    raise RuntimeError("broken by a test")


def _first_call(act: Callable[[], None], real: Callable[..., Any]) -> Callable[..., Any]:
    calls = 0

    @wraps(real)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 1:
            act()
        return real(*args, **kwargs)

    return wrapped
