"""The papers of one publishing, and what each profile finds among them. Pure.

Every distinct query is read and looked for once, however many profiles ask for it; a profile's papers are then put
together from the places where its queries hit, and equal profiles get the same answer. Papers are taken from the
newest backwards, a stretch at a time, only as far as a profile asks.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache

from digestd.match import rank
from digestd.match.document import Document, analyse
from digestd.match.fold import NEAR, near_copies
from digestd.match.learn import Moves, Term, moves
from digestd.match.query import parse_query
from digestd.match.wanted import Wanted
from digestd.match.window import Hits, Window
from digestd.model import LeftOut, Match, StoredPaper

MAX_ANSWERS = 4_096  # distinct profiles whose papers are kept: shared ones come back within a batch or two
MAX_QUERIES = 200_000  # distinct queries whose places are kept; a day's take some hundred bytes each


@dataclass(frozen=True, slots=True)
class Found:
    """A paper that a profile hit, where it stands among the others (see `rank.standing`), and what moved it there."""

    stored: StoredPaper
    match: Match
    standing: float
    moved: Moves = ()


@dataclass(frozen=True, slots=True)
class Findings:
    """What a profile finds among the papers after its horizon, in order of arrival.

    `looked` is how many papers these are; `hits` says of how many of them each of its queries hits. By number, `below`
    are those with a score under its `min_score`, `excluded` those that its exclusions take out.
    """

    found: tuple[Found, ...] = ()
    looked: int = 0
    hits: tuple[tuple[str, int], ...] = ()
    below: tuple[int, ...] = ()
    excluded: tuple[int, ...] = ()

    def left_out(self, told: Collection[int], alerted: Collection[int]) -> LeftOut:
        """Return how many papers are left out, as this person is `told` of some of them, `alerted` of some of those."""
        return LeftOut(
            below=sum(number not in alerted for number in self.below),
            excluded=sum(number not in alerted for number in self.excluded),
            alerted=len(alerted),
            elsewhere=sum(one.stored.pk in told and one.stored.pk not in alerted for one in self.found) if told else 0,
        )


class News:
    """The papers up to number `newest`; `read(after, upto)` gives those of a stretch in order of arrival.

    `first` tells, when somebody asks, the number that a profile without progress begins after. Papers whose abstracts
    overlap by `near` are near-copies. `quiet_since` is when the last one came, if that was long before.
    """

    def __init__(
        self,
        read: Callable[[int, int], Sequence[StoredPaper]],
        newest: int,
        first: Callable[[], int],
        near: float = NEAR,
        quiet_since: datetime | None = None,
    ) -> None:
        self.newest = newest
        self.quiet_since = quiet_since
        self._read = read
        self._first = first
        self._begin = newest
        self._threshold = near
        self._near: dict[int, frozenset[int]] | None = None
        self._stretches: list[_Stretch] = []  # the newest first
        self._answer = lru_cache(maxsize=MAX_ANSWERS)(self._findings)

    @cached_property
    def first(self) -> int:
        """The number that a profile without progress begins after."""
        return self._first()

    def count(self, after: int) -> int:
        """Return how many papers arrived after `after`."""
        return sum(len(stretch.papers) - begin for stretch, begin in self._after(after))

    def near(self, number: int) -> frozenset[int]:
        """Return the near-copies of a paper among those that somebody has looked at."""
        if self._near is None:
            numbered = list(self.documents(self._begin))
            found = near_copies((document for _, document in numbered), self._threshold)
            self._near = {
                numbered[place][0]: frozenset(numbered[other][0] for other in others) for place, others in found.items()
            }
        return self._near.get(number, frozenset())

    def moves(self, terms: Sequence[Term], number: int) -> Moves:
        """Return by which of a reader's terms a paper is moved that somebody has looked at."""
        stretch = next(stretch for stretch in self._stretches if stretch.papers and stretch.papers[0].pk <= number)
        return moves(terms, stretch.documents[stretch.begin(number) - 1].keys)

    def documents(self, after: int) -> Iterator[tuple[int, Document]]:
        """Yield the papers that arrived after `after`, by number, in order of arrival."""
        for stretch, begin in self._after(after):
            yield from zip((stored.pk for stored in stretch.papers[begin:]), stretch.documents[begin:], strict=True)

    def findings(self, wanted: Wanted, after: int) -> Findings:
        """Return what a profile finds among the papers that arrived after `after`. Raises QueryError."""
        return self._answer(wanted, after)

    def _after(self, after: int) -> list[tuple[_Stretch, int]]:
        """Return the stretches that reach beyond `after`, oldest first, each with where to begin in it."""
        if after < self._begin:
            self._stretches.append(_Stretch(self._read(after, self._begin)))
            self._begin = after
            self._near = None
        beyond = ((stretch, stretch.begin(after)) for stretch in reversed(self._stretches))
        return [(stretch, begin) for stretch, begin in beyond if begin < len(stretch.papers)]

    def _findings(self, wanted: Wanted, after: int) -> Findings:
        found: list[Found] = []
        below: list[int] = []
        taken_out: list[int] = []
        stretches = self._after(after)
        looked = sum(len(stretch.papers) - begin for stretch, begin in stretches)
        asked = sorted(wanted.queries, key=lambda query: -query.weight)
        answers = [[stretch.asked(one.query, begin) for stretch, begin in stretches] for one in asked]
        hits: dict[str, int] = {}
        heaviest: dict[str, int] = {}
        for number, answer in enumerate(answers):
            for canonical, _ in answer[:1]:
                # Two spellings of one query would count twice; the heavier one speaks for both.
                if heaviest.setdefault(canonical, number) == number:
                    hits[asked[number].query] = sum(len(places) for _, places in answer)
        for at, (stretch, begin) in enumerate(stretches):
            excluded = {place for text in wanted.exclude for place, _ in stretch.asked(text, begin)[1]}
            parts: dict[int, list[rank.Part]] = {}
            hit: set[int] = set()
            for number in heaviest.values():
                one = asked[number]
                rarity = rank.rarity(hits[one.query], looked)
                for place, worth in answers[number][at][1]:
                    if place not in excluded:
                        parts.setdefault(place, []).append(rank.Part(one.query, one.weight, worth, rarity))
                    else:
                        hit.add(place)
            taken_out += (stretch.papers[place].pk for place in sorted(hit))
            for place in sorted(parts):
                score = rank.score(parts[place])
                if score >= wanted.min_score:
                    stored = stretch.papers[place]
                    match = Match(tuple(part.query for part in parts[place]), score)
                    found.append(Found(stored, match, rank.standing(parts[place], stored)))
                else:
                    below.append(stretch.papers[place].pk)
        return Findings(tuple(found), looked, tuple(hits.items()), tuple(below), tuple(taken_out))


class _Stretch:
    """Papers that arrived one after the other, and what was asked of them."""

    def __init__(self, papers: Sequence[StoredPaper]) -> None:
        self.papers = papers
        self.documents = tuple(analyse(stored.paper) for stored in papers)
        self._window = Window(self.documents)
        self._known: dict[str, tuple[str, Hits]] = {}

    def begin(self, after: int) -> int:
        """Return the place of the first paper that arrived after `after`."""
        return bisect_right(self.papers, after, key=lambda stored: stored.pk)

    def asked(self, text: str, begin: int) -> tuple[str, Hits]:
        """Return a query's canonical text, and its hits from place `begin` on. Raises QueryError."""
        known = self._known.get(text)
        if known is None:
            query = parse_query(text)
            known = str(query), self._window.hits(query)
            if len(self._known) >= MAX_QUERIES:
                self._known.clear()
            self._known[text] = known
        canonical, hits = known
        return (canonical, hits[bisect_right(hits, (begin, 0.0)) :]) if begin else known
