"""Which of many immediate profiles have something to be told: an index that is kept warm between rounds. Pure.

When a paper arrives, nearly all immediate profiles have nothing to do with it. Those are found at once and passed
over, and only the others are composed. The index knows profiles by the number of their content, which never changes;
before each look it is made to hold those that wait, so it cannot be out of step with the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from digestd.match.document import Document
from digestd.match.index import Index
from digestd.model import Cadence, Profile
from digestd.publish.compose import wanted

FEW = 1_000  # waiting profiles; so few are composed as they come


class Warm:
    """The contents of immediate profiles, compiled. Not for two threads at once."""

    def __init__(self) -> None:
        self._index: Index[int] = Index()

    def hold(self, specs: Iterable[int], read: Callable[[Iterable[int]], Mapping[int, Profile]]) -> None:
        """Hold these contents and no others; `read` gives those that are new here."""
        wished = set(specs)
        for spec in set(self._index.keys()) - wished:
            self._index.remove(spec)
        new = [spec for spec in wished if spec not in self._index]
        for spec, profile in read(new).items() if new else ():
            self._index.put(spec, wanted(profile, Cadence.IMMEDIATE))

    def newest_hits(self, papers: Iterable[tuple[int, Document]]) -> dict[int, int]:
        """Return, for the contents that any of the papers hits, the number of the last one; papers in order."""
        return {
            spec: number for number, document in papers for spec, _ in self._index.named(self._index.match(document))
        }
