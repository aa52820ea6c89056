"""Queries shared and found: each distinct query is compiled once, and tried only where it may hit.

The same expression, however it is spelt, is one query with one number, counted by those who hold it. A query waits
under the two rarest of its requirements (see `plan.requirements`), a key of one and a key of the other; a paper wakes
those of which it holds both, and where it meets the other requirements too the query is evaluated in full: nothing here
decides by itself that one hits.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import product

from digestd.match.document import Document
from digestd.match.plan import Requirement, requirements
from digestd.match.query import Query, parse_query

_ALONE = ""  # in the place of a second key; no key of a document


@dataclass(slots=True)
class _Held:
    """A query in use: how many hold it, its spellings, the pairs of keys it waits under, and further requirements."""

    query: Query
    holders: int = 0
    texts: list[str] = field(default_factory=list)
    pairs: tuple[tuple[str, str], ...] = ()
    others: tuple[Requirement, ...] = ()


class Pool:
    """Distinct queries by number. Numbers of queries that nobody holds any more are given out again."""

    def __init__(self) -> None:
        self._held: list[_Held | None] = []
        self._free: list[int] = []
        self._by_text: dict[str, int] = {}
        self._by_query: dict[Query, int] = {}
        self._named: Counter[str] = Counter()  # how many queries name a key
        self._waiting: dict[str, dict[str, list[int]]] = {}  # by a key, and by a second one, or _ALONE
        self._new: list[int] = []

    def __len__(self) -> int:
        return len(self._by_query)

    def hold(self, text: str) -> int:
        """Return the number of the query that `text` spells, which it keeps until `drop`. Raises QueryError."""
        number = self._by_text.get(text)
        if number is None:
            number = self._numbered(parse_query(text))
            self._by_text[text] = number
            self[number].texts.append(text)
        self[number].holders += 1
        return number

    def drop(self, number: int) -> None:
        """Give back what one `hold` gave."""
        held = self[number]
        held.holders -= 1
        if held.holders:
            return
        for text in held.texts:
            del self._by_text[text]
        del self._by_query[held.query]
        for required in requirements(held.query.plan):
            self._named.subtract(required)
            for key in required:
                if not self._named[key]:
                    del self._named[key]
        for first, second in held.pairs:
            waiting = self._waiting[first]
            waiting[second].remove(number)
            if not waiting[second]:
                del waiting[second]
            if not waiting:
                del self._waiting[first]
        self._held[number] = None
        self._free.append(number)

    def points(self, document: Document) -> dict[int, float]:
        """Return the queries that hit a paper, by number, and what each hit is worth (see `rank.points`)."""
        self._place()
        keys = document.keys
        both = {*keys, _ALONE}  # a set, no frozenset: a view is then compared from its shorter side
        woken: set[int] = set()
        for first in keys & self._waiting.keys():
            waiting = self._waiting[first]
            for second in waiting.keys() & both:
                woken.update(waiting[second])
        found = {}
        for number in woken:
            held = self[number]
            if any(map(keys.isdisjoint, held.others)):
                continue
            points = held.query.points(document)
            if points is not None:
                found[number] = points
        return found

    def __getitem__(self, number: int) -> _Held:
        held = self._held[number]
        if held is None:
            raise LookupError(f"nobody holds a query of number {number}")
        return held

    def _numbered(self, query: Query) -> int:
        known = self._by_query.get(query)
        if known is not None:
            return known
        number = self._free.pop() if self._free else len(self._held)
        if number == len(self._held):
            self._held.append(None)
        self._held[number] = _Held(query)
        self._by_query[query] = number
        self._new.append(number)
        for required in requirements(query.plan):
            self._named.update(required)
        return number

    def _place(self) -> None:
        """Let each new query wait under the requirements whose keys the fewest queries name.

        Readers ask for what is written about, so a word that few ask for is in few papers; length decides between
        equals. That is why a query is placed late: when those that came with it have been counted.
        """

        def cost(required: Requirement) -> tuple[int, int, list[str]]:
            return sum(self._named[key] for key in required), -min(map(len, required)), sorted(required)

        for number in self._new:
            held = self._held[number]
            if held is not None:
                first, *others = sorted(requirements(held.query.plan), key=cost)
                others = [required for required in others if required != first]
                second = others.pop(0) if others else frozenset({_ALONE})
                held.others = tuple(others)
                held.pairs = tuple(product(first, second))
                for one, other in held.pairs:
                    self._waiting.setdefault(one, {}).setdefault(other, []).append(number)
        self._new.clear()
