"""Mutation testing of `match/`: mutmut's mutants, each tried by the tests in a fork of an interpreter that is warm.

`python -m support.mutants FILE… [--out SURVIVORS] [--only TEXT]`, see `make mutants`. mutmut by itself starts pytest
anew for each mutant, which takes hours here; this takes its operators and puts one changed function at a time in place
of the one that the collected tests already call, and runs those of them that call it: what killed another mutant of it
first, then the quick ones. Like mutmut, it leaves constants of a module and the borders of types alone. What survives
is printed as a diff; docs/mutants.md explains those that stay.
"""

from __future__ import annotations

import argparse
import difflib
import functools
import gc
import importlib
import os
import resource
import signal
import sys
import types
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

LEAST_SECONDS = 2.0  # of processor time for one test; a mutant that takes longer, and SLOWER times as long, is killed
SLOWER = 10.0
KILLED = 1

Mutant = tuple[str, str, str]  # where it is in its module (`Class.name`), the diff, the mutated source


def mutants(file: Path) -> Iterator[Mutant]:
    """Yield every mutant that mutmut's operators make of the functions of a file."""
    import libcst  # type: ignore[import-not-found]  # with mutmut, installed by hand
    from mutmut.mutation.file_mutation import MutationVisitor  # type: ignore[import-not-found]
    from mutmut.mutation.mutators import mutation_operators  # type: ignore[import-not-found]
    from mutmut.mutation.pragma_handling import IgnoredCode  # type: ignore[import-not-found]

    source = file.read_text(encoding="utf-8")
    visitor = MutationVisitor(mutation_operators, IgnoredCode(set(), set(), set()))
    module = libcst.MetadataWrapper(libcst.parse_module(source)).visit(visitor)
    names = dict(_named(module))
    for mutation in visitor.mutations:
        name = names.get(mutation.contained_by_top_level_function)
        if name is None:
            continue
        changed = module.deep_replace(mutation.original_node, mutation.mutated_node).code
        if changed != source:
            yield name, _difference(source, changed), changed


def _named(module: Any) -> Iterator[tuple[Any, str]]:
    for statement in module.body:
        if type(statement).__name__ == "FunctionDef":
            yield statement, statement.name.value
        elif type(statement).__name__ == "ClassDef":
            for inner in statement.body.body:
                if type(inner).__name__ == "FunctionDef":
                    yield inner, f"{statement.name.value}.{inner.name.value}"


def _difference(before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return "\n".join(line for line in lines if not line.startswith(("---", "+++")))


def install(module: types.ModuleType, name: str, source: str) -> None:
    """Let the function of a name do what it does in a changed source, wherever it was imported to."""
    changed = types.ModuleType(module.__name__)
    changed.__file__ = module.__file__
    sys.modules[module.__name__] = changed  # dataclasses look their module up
    try:
        exec(compile(source, str(module.__file__), "exec"), changed.__dict__)
    finally:
        sys.modules[module.__name__] = module
    ours, theirs = _function(module, name), _function(changed, name)
    ours.__code__, ours.__defaults__, ours.__kwdefaults__ = theirs.__code__, theirs.__defaults__, theirs.__kwdefaults__


def _function(module: types.ModuleType, name: str) -> Any:
    found: Any = module
    for part in name.split("."):
        found = vars(found)[part]
    while True:  # out of a property, a class method, a memo
        inner = getattr(found, "fget", None) or getattr(found, "__func__", None) or getattr(found, "__wrapped__", None)
        if inner is None:
            return found.func if isinstance(found, functools.cached_property) else found
        found = inner


class Trial:
    """A pytest plugin that runs the collected tests once for each mutant instead of once."""

    def __init__(self, files: list[Path], only: str) -> None:
        self.files = files
        self.only = only
        self.failed = False
        self.took: dict[str, float] = {}
        self.called: dict[str, set[tuple[str, str]]] = {}  # by test: the files and names of the functions it ran
        self.killers: dict[tuple[str, str], Counter[str]] = {}  # by file and function
        self.survivors: list[str] = []
        self.counts: dict[str, Counter[str]] = {}

    def pytest_collection(self) -> None:
        from hypothesis import Phase, settings  # not before pytest has its hook for assertions in place

        # Derandomized, so that a mutant that survives once does so again; not shrunk, as one failure is enough.
        settings.register_profile("mutants", database=None, derandomize=True, phases=(Phase.explicit, Phase.generate))
        settings.load_profile("mutants")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failed |= report.failed
        self.took[report.nodeid] = self.took.get(report.nodeid, 0.0) + report.duration

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._learn(session)
        gc.collect()
        gc.freeze()
        for file in self.files:
            counts = self.counts.setdefault(file.name, Counter())
            module = importlib.import_module(".".join(file.with_suffix("").parts))
            for number, (name, difference, source) in enumerate(mutants(file), 1):
                if self.only not in f"{name} {difference}":
                    continue
                became = self._tried(session, module, name, source)
                counts[became] += 1
                if became == "survived":
                    self.survivors.append(f"{file.name} {name} #{number}\n{difference}\n")
                    print(self.survivors[-1], flush=True)
            print(f"{file.name}: {counts.total()} mutants, {dict(counts)}", flush=True)
        return True

    def _learn(self, session: pytest.Session) -> None:
        """Run the tests once as they are: how long each takes, and what it calls."""
        following: list[pytest.Item | None] = [*session.items[1:], None]
        for item, after in zip(session.items, following, strict=True):
            called = self.called.setdefault(item.nodeid, set())

            def note(
                frame: types.FrameType, _event: str, _about: object, called: set[tuple[str, str]] = called
            ) -> None:
                called.add((frame.f_code.co_filename, frame.f_code.co_qualname.partition(".<locals>")[0]))

            _forget()
            sys.settrace(note)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            sys.settrace(None)
        if self.failed:
            raise pytest.UsageError("the tests fail without any mutant")

    def _tried(self, session: pytest.Session, module: types.ModuleType, name: str, source: str) -> str:
        where = (str(module.__file__), name)
        killers = self.killers.setdefault(where, Counter())
        items = [item for item in session.items if where in self.called[item.nodeid]]
        if not items:
            return "survived"
        items.sort(key=lambda item: (-killers[item.nodeid], self.took[item.nodeid]))
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
            with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a device
                os.dup2(nowhere.fileno(), 1)
                os.dup2(nowhere.fileno(), 2)
                os._exit(self._judged(items, module, name, source, writing))
        os.close(writing)
        with open(reading, encoding="utf-8") as told:  # noqa: PTH123 - a pipe
            begun = told.read().splitlines()
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status) and os.WEXITSTATUS(status) != KILLED:
            return "survived" if os.WEXITSTATUS(status) == 0 else "unfit"
        killers.update(begun[-1:])
        return "killed by time" if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF else "killed"

    def _judged(self, items: list[pytest.Item], module: types.ModuleType, name: str, source: str, telling: int) -> int:
        items[0].config.pluginmanager.unregister(name="terminalreporter")
        try:
            install(module, name, source)
        except BaseException:
            return 2  # does not even import: no test is needed for that
        _forget()
        try:
            for place, item in enumerate(items):
                os.write(telling, f"{item.nodeid}\n".encode())
                signal.setitimer(signal.ITIMER_PROF, max(LEAST_SECONDS, SLOWER * self.took[item.nodeid]))
                following = items[place + 1] if place + 1 < len(items) else None
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                if self.failed:
                    return KILLED
        except BaseException:
            return KILLED
        return 0


def _forget() -> None:
    """Empty the memos of the functions: what one test has remembered must not hide what another one calls."""
    for known in [one for one in sys.modules if one.startswith("digestd.")]:
        for value in vars(sys.modules[known]).values():
            if isinstance(value, functools._lru_cache_wrapper):
                value.cache_clear()


def main() -> None:
    """Try the mutants of each file named, and write what survives."""
    options = argparse.ArgumentParser()
    options.add_argument("files", nargs="+", type=Path)
    options.add_argument("--out", type=Path)
    options.add_argument("--only", default="")
    options.add_argument("--tests", default="tests/match")
    given = options.parse_args()
    trial = Trial(given.files, given.only)
    switches = ["-q", "-p", "no:xdist", "--timeout=0", "-p", "no:randomly", "-p", "no:cacheprovider"]
    code = pytest.main([*switches, *given.tests.split(",")], plugins=[trial])
    if given.out:
        given.out.write_text("\n".join(trial.survivors) + "\n", encoding="utf-8")
    sys.exit(code)


if __name__ == "__main__":
    main()
