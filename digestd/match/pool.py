"""Queries shared and found: each distinct query is compiled once, and tried only where it may hit.

The same expression, however it is spelt, is one query with one number, counted by those who hold it. A query waits
under the rarest of its requirements (see `plan.requirements`); a paper wakes those of which it holds a key, and where
it meets the other requirements too the query is evaluated in full: nothing here decides by itself that one hits.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from digestd.match import rank
from digestd.match.document import Document
from digestd.match.plan import Requirement, requirements
from digestd.match.query import Query, parse_query


@dataclass(slots=True)
class _Held:
    """A query in use: how many hold it, its spellings, the keys it waits under, and the other requirements."""

    query: Query
    holders: int = 0
    texts: list[str] = field(default_factory=list)
    keys: Requirement = frozenset()
    others: tuple[Requirement, ...] = ()


class Pool:
    """Distinct queries by number. Numbers of queries that nobody holds any more are given out again."""

    def __init__(self) -> None:
        self._held: list[_Held | None] = []
        self._free: list[int] = []
        self._by_text: dict[str, int] = {}
        self._by_query: dict[Query, int] = {}
        self._named: Counter[str] = Counter()  # how many queries name a key
        self._waiting: dict[str, set[int]] = {}
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
        for key in held.keys:
            self._waiting[key].discard(number)
            if not self._waiting[key]:
                del self._waiting[key]
        self._held[number] = None
        self._free.append(number)

    def points(self, document: Document) -> dict[int, float]:
        """Return the queries that hit a paper, by number, and what each hit is worth (see `rank.points`)."""
        self._place()
        keys = document.keys
        woken: set[int] = set()
        for key in keys & self._waiting.keys():
            woken |= self._waiting[key]
        found = {}
        for number in woken:
            held = self._held[number]
            if held is not None and not any(map(keys.isdisjoint, held.others)):
                places = held.query.places(document)
                if places is not None:
                    found[number] = rank.points(places)
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
        """Let each new query wait under the requirement whose keys the fewest queries name.

        Readers ask for what is written about, so a word that few ask for is in few papers; length decides between
        equals. That is why a query is placed late: when those that came with it have been counted.
        """

        def cost(required: Requirement) -> tuple[int, int, list[str]]:
            return sum(self._named[key] for key in required), -min(map(len, required)), sorted(required)

        for number in self._new:
            held = self._held[number]
            if held is not None:
                held.keys, *others = sorted(requirements(held.query.plan), key=cost)
                held.others = tuple(required for required in others if required != held.keys)
                for key in held.keys:
                    self._waiting.setdefault(key, set()).add(number)
        self._new.clear()
