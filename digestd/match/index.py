"""The compiled profile set: which of a million profiles a paper is for.

A profile's key leads to its *want*: what it asks for, in numbers. Equal wants are one, whoever has them. Each query
knows the wants that ask for it with one weight, as an array of numbers, so a paper's answer is put together from
whole arrays, and a change of one profile touches only those of its own queries.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from digestd.match import rank
from digestd.match.document import Document
from digestd.match.pool import Pool
from digestd.match.wanted import Wanted

Key = TypeVar("Key", bound=Hashable)
Numbers = NDArray[np.uint32]

_NOBODY = -1  # no one member: nobody yet, or several
_HEAD = struct.Struct("=dII")  # min_score, how many queries, how many exclusions


class _Want(NamedTuple):
    """What a profile asks for: queries by number with their weights, exclusions, and the least score."""

    asked: tuple[int, ...]
    weights: tuple[float, ...]
    excluded: tuple[int, ...]
    least: float

    def packed(self) -> bytes:
        """Return it in a hundred bytes, where a million of such tuples would take a gigabyte."""
        asked, excluded = len(self.asked), len(self.excluded)
        head = _HEAD.pack(self.least, asked, excluded)
        return head + struct.pack(f"={asked}I{excluded}I{asked}d", *self.asked, *self.excluded, *self.weights)

    @classmethod
    def unpacked(cls, packed: bytes) -> _Want:
        """Return the want that `packed` made."""
        least, asked, excluded = _HEAD.unpack_from(packed)
        numbers = struct.unpack_from(f"={asked + excluded}I{asked}d", packed, _HEAD.size)
        return cls(numbers[:asked], numbers[asked + excluded :], numbers[asked : asked + excluded], least)


@dataclass(frozen=True, slots=True, eq=False)
class Matching:
    """The profiles that a paper is for: their `members`, ascending, and the score of each, beside it."""

    members: Numbers
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.members)


class Index(Generic[Key]):
    """Profiles under keys of the caller's choice, each known inside by a small number, its *member*.

    `put` and `remove` change one profile in place. Raises QueryError for a query that does not parse, and changes
    nothing then; callers validate profiles before.
    """

    def __init__(self, profiles: Iterable[tuple[Key, Wanted]] = ()) -> None:
        self._pool = Pool()
        self._askers: dict[int, dict[float, array[int]]] = {}  # by query, by weight: the wants
        self._excluders: dict[int, array[int]] = {}
        self._want_numbers: dict[bytes, int] = {}
        self._wants: list[bytes | None] = []
        self._free_wants: list[int] = []
        self._least = array("d")  # by want: its min_score
        self._sole = array("q")  # by want: the member that has it, or _NOBODY
        self._shared: dict[int, array[int]] = {}  # their members, where several have it
        self._keys: list[Key | None] = []
        self._free_members: list[int] = []
        self._members: dict[Key, int] = {}
        self._want_of = array("I")  # by member
        self._sums: NDArray[np.int64] = np.zeros(0, np.int64)  # by want; all 0 between two papers
        for key, wanted in profiles:
            self.put(key, wanted)

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, key: object) -> bool:
        return key in self._members

    def keys(self) -> Iterable[Key]:
        """Return the keys of all profiles."""
        return self._members.keys()

    @property
    def queries(self) -> int:
        """How many distinct queries and exclusions there are."""
        return len(self._pool)

    def put(self, key: Key, wanted: Wanted) -> None:
        """Add a profile, or let it want something else."""
        number = self._hold(wanted)
        member = self._members.get(key)
        if member is not None:
            if self._want_of[member] == number:
                return
            self._leave(member)
            self._want_of[member] = number
        elif self._free_members:
            member = self._free_members.pop()
            self._want_of[member] = number
        else:
            member = len(self._keys)
            self._keys.append(None)
            self._want_of.append(number)
        self._keys[member] = key
        self._members[key] = member
        self._join(number, member)

    def remove(self, key: Key) -> None:
        """Take a profile out. Raises KeyError."""
        member = self._members.pop(key)
        self._leave(member)
        self._keys[member] = None
        self._free_members.append(member)

    def match(self, document: Document) -> Matching:
        """Return the profiles that a paper is for: a query hits, no exclusion does, the score is enough."""
        points = self._pool.points(document)
        wants, sums = self._scored(points)
        scores = sums / rank.SCALE
        enough = scores >= np.frombuffer(self._least, np.float64)[wants]
        return self._expanded(wants[enough], scores[enough])

    def named(self, matching: Matching) -> Iterator[tuple[Key, float]]:
        """Yield the key and the score of each profile of a matching, until the next change of the index."""
        for member, score in zip(matching.members.tolist(), matching.scores.tolist(), strict=True):
            key = self._keys[member]
            assert key is not None
            yield key, score

    def _scored(self, points: Mapping[int, float]) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """Return the wants of which a query hits and no exclusion, ascending, and their sums of parts."""
        if len(self._sums) < len(self._wants):
            self._sums = np.zeros(len(self._wants) + len(self._wants) // 8, np.int64)
        sums = self._sums
        # One addition over all wants at once: one for each query took three times as long.
        askers = [
            (holders, rank.part(weight, worth))
            for number, worth in points.items()
            for weight, holders in self._askers.get(number, {}).items()
        ]
        wants = np.frombuffer(b"".join([holders for holders, _ in askers]), np.uint32)
        steps = np.array([part for _, part in askers], np.int64)
        np.add.at(sums, wants, np.repeat(steps, [len(holders) for holders, _ in askers]))
        for number in points.keys() & self._excluders.keys():
            sums[_numbers(self._excluders[number])] = 0
        found = np.flatnonzero(sums)  # no part is 0
        answer = sums[found]
        sums[found] = 0
        return found, answer

    def _expanded(self, wants: NDArray[np.intp], scores: NDArray[np.float64]) -> Matching:
        """Return the members that have these wants."""
        members = np.frombuffer(self._sole, np.int64)[wants]
        alone = members >= 0
        parts, worth = [members[alone].astype(np.uint32)], [scores[alone]]
        for want, score in zip(wants[~alone].tolist(), scores[~alone].tolist(), strict=True):
            parts.append(_numbers(self._shared[want]))
            worth.append(np.full(len(parts[-1]), score))
        joined, beside = np.concatenate(parts), np.concatenate(worth)
        order = np.argsort(joined, kind="stable")
        return Matching(joined[order], beside[order])

    def _hold(self, wanted: Wanted) -> int:
        """Return the number of a want, which is new where nobody has it yet; `_join` must follow."""
        want = self._compiled(wanted)
        packed = want.packed()
        known = self._want_numbers.get(packed)
        if known is not None:
            for query in (*want.asked, *want.excluded):
                self._pool.drop(query)  # it holds them already
            return known
        if self._free_wants:
            number = self._free_wants.pop()
            self._wants[number], self._least[number], self._sole[number] = packed, want.least, _NOBODY
        else:
            number = len(self._wants)
            self._wants.append(packed)
            self._least.append(want.least)
            self._sole.append(_NOBODY)
        self._want_numbers[packed] = number
        for query, weight in zip(want.asked, want.weights, strict=True):
            self._askers.setdefault(query, {}).setdefault(weight, array("I")).append(number)
        for query in want.excluded:
            self._excluders.setdefault(query, array("I")).append(number)
        return number

    def _compiled(self, wanted: Wanted) -> _Want:
        held: list[int] = []
        try:
            asked: dict[int, float] = {}
            # Two spellings of one query would count twice; the heavier one speaks for both.
            for one in wanted.queries:
                number = self._pool.hold(one.query)
                held.append(number)
                asked[number] = max(one.weight, asked.get(number, one.weight))
            for text in wanted.exclude:
                held.append(self._pool.hold(text))
        except Exception:
            for number in held:
                self._pool.drop(number)
            raise
        excluded = set(held[len(wanted.queries) :])
        for number in _surplus(held, (*asked, *excluded)):
            self._pool.drop(number)
        numbers = sorted(asked)
        weights = tuple(float(asked[number]) for number in numbers)
        return _Want(tuple(numbers), weights, tuple(sorted(excluded)), wanted.min_score)

    def _join(self, want: int, member: int) -> None:
        if want in self._shared:
            self._shared[want].append(member)
        elif self._sole[want] < 0:
            self._sole[want] = member
        else:
            self._shared[want] = array("I", (self._sole[want], member))
            self._sole[want] = _NOBODY

    def _leave(self, member: int) -> None:
        number = self._want_of[member]
        sharers = self._shared.get(number)
        if sharers is not None:
            _take_out(sharers, member)
            if len(sharers) == 1:
                self._sole[number] = sharers[0]
                del self._shared[number]
            return
        packed = self._wants[number]
        assert packed is not None
        want = _Want.unpacked(packed)
        for query, weight in zip(want.asked, want.weights, strict=True):
            _discard(self._askers[query], weight, number)
            if not self._askers[query]:
                del self._askers[query]
            self._pool.drop(query)
        for query in want.excluded:
            _discard(self._excluders, query, number)
            self._pool.drop(query)
        del self._want_numbers[packed]
        self._wants[number] = None
        self._free_wants.append(number)


Slot = TypeVar("Slot", int, float)


def _discard(sets: dict[Slot, array[int]], slot: Slot, number: int) -> None:
    _take_out(sets[slot], number)
    if not sets[slot]:
        del sets[slot]


def _surplus(held: Iterable[int], needed: Iterable[int]) -> Iterator[int]:
    """Yield what is held more often than needed."""
    left = list(needed)
    for number in held:
        if number in left:
            left.remove(number)
        else:
            yield number


def _take_out(numbers: array[int], number: int) -> None:
    """Take a number out of those that stand in no order, each once."""
    place = int(np.flatnonzero(_numbers(numbers) == number)[0])
    numbers[place] = numbers[-1]
    numbers.pop()


def _numbers(numbers: array[int]) -> Numbers:
    """Return a view, which must be gone before the array changes its length."""
    return np.frombuffer(numbers, np.uint32)
