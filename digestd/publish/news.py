"""The papers of one publishing, and what each profile finds among them. Pure.

Every distinct query is read, looked for and weighed once, however many profiles ask for it; a profile's papers are
then put together from what its queries hit, and equal profiles get the same answer. Papers are taken from the
newest backwards, a stretch at a time, only as far as a profile asks.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from operator import attrgetter
from typing import NamedTuple

from digestd.match import rank
from digestd.match.document import Document, analyse
from digestd.match.fold import NEAR, near_copies
from digestd.match.learn import Moves, Term, moves
from digestd.match.query import parse_query
from digestd.match.wanted import Wanted
from digestd.match.window import Hits, Window
from digestd.model import Entry, LeftOut, Place, StoredPaper

MAX_ANSWERS = 4_096  # distinct profiles whose papers are kept: shared ones come back within a batch or two
MAX_QUERIES = 200_000  # distinct queries whose places are kept; a day's take some hundred bytes each
MAX_READY = 100_000  # hits that are kept ready for the next profile with the query; some 50 MB


@dataclass(frozen=True, slots=True)
class Found:
    """A paper that a profile hit, as it stands in an edition as a card, and what it is ordered by (`rank.order`)."""

    stored: StoredPaper
    entry: Entry
    order: tuple[float, int, str, str]

    @classmethod
    def by(
        cls, stored: StoredPaper, queries: tuple[str, ...], score: float, standing: float, moved: Moves = ()
    ) -> Found:
        """Return a paper as found by these queries, the heaviest first."""
        paper = stored.paper
        entry = Entry(paper, queries, score, Place.CARD, standing, moved)
        return cls(stored, entry, rank.order(paper, standing))


class _Hit(NamedTuple):
    """What one query makes of a paper: how it alone finds it, its parts in steps (`rank.part`), and the merit."""

    found: Found
    score: int
    rare: int
    merit: float


class _Answer(NamedTuple):
    """A query's canonical text, and what it hits, in order of arrival."""

    canonical: str
    hits: tuple[_Hit, ...]


class Findings(NamedTuple):
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
        if not told:
            return _left_out(len(self.below), len(self.excluded))
        return LeftOut(
            below=sum(number not in alerted for number in self.below),
            excluded=sum(number not in alerted for number in self.excluded),
            alerted=len(alerted),
            elsewhere=sum(one.stored.pk in told and one.stored.pk not in alerted for one in self.found),
        )


_left_out = lru_cache(maxsize=64)(LeftOut)  # mostly nothing, and seldom much


class _Reach(NamedTuple):
    """The stretches beyond a number, oldest first, each with where to begin in it; and how many papers these are."""

    stretches: tuple[tuple[_Stretch, int], ...]
    looked: int


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
        self._reaches: dict[int, _Reach] = {}
        self._found = lru_cache(maxsize=MAX_ANSWERS)(self._findings)
        self._answers: dict[tuple[str, float, int], _Answer] = {}
        self._ready = 0  # hits of the answers

    @cached_property
    def first(self) -> int:
        """The number that a profile without progress begins after."""
        return self._first()

    @property
    def near(self) -> Mapping[int, frozenset[int]]:
        """The near-copies of each paper that has some among those that somebody has looked at."""
        if self._near is None:
            numbered = list(self.documents(self._begin))
            found = near_copies((document for _, document in numbered), self._threshold)
            self._near = {
                numbered[place][0]: frozenset(numbered[other][0] for other in others) for place, others in found.items()
            }
        return self._near

    def moves(self, terms: Sequence[Term], number: int) -> Moves:
        """Return by which of a reader's terms a paper is moved that somebody has looked at."""
        stretch = next(stretch for stretch in self._stretches if stretch.papers and stretch.papers[0].pk <= number)
        return moves(terms, stretch.documents[stretch.begin(number) - 1].keys)

    def documents(self, after: int) -> Iterator[tuple[int, Document]]:
        """Yield the papers that arrived after `after`, by number, in order of arrival."""
        for stretch, begin in self._after(after).stretches:
            yield from zip((stored.pk for stored in stretch.papers[begin:]), stretch.documents[begin:], strict=True)

    def findings(self, wanted: Wanted, after: int) -> Findings:
        """Return what a profile finds among the papers that arrived after `after`. Raises QueryError."""
        return self._found(wanted, after)

    def _after(self, after: int) -> _Reach:
        """Return what reaches beyond `after`."""
        reach = self._reaches.get(after)
        if reach is None:
            if after < self._begin:
                self._stretches.append(_Stretch(self._read(after, self._begin)))
                self._begin = after
                self._near = None
            beyond = ((stretch, stretch.begin(after)) for stretch in reversed(self._stretches))
            stretches = tuple((stretch, begin) for stretch, begin in beyond if begin < len(stretch.papers))
            reach = _Reach(stretches, sum(len(stretch.papers) - begin for stretch, begin in stretches))
            self._reaches[after] = reach
        return reach

    def _findings(self, wanted: Wanted, after: int) -> Findings:
        stretches, looked = self._after(after)
        if not looked:
            return Findings()
        counts: dict[str, tuple[str, int]] = {}
        by_paper: dict[int, list[_Hit]] = {}
        for one in sorted(wanted.queries, key=attrgetter("weight"), reverse=True):
            asked = (one.query, one.weight, after)
            canonical, hits = self._answers.get(asked) or self._answer(asked)
            if canonical not in counts:  # two spellings of a query would count twice; the heavier one speaks for both
                counts[canonical] = one.query, len(hits)
                for hit in hits:
                    by_paper.setdefault(hit.found.stored.pk, []).append(hit)
        excluded = {
            stretch.papers[place].pk
            for text in wanted.exclude
            for stretch, begin in stretches
            for place, _ in stretch.asked(text, begin)[1]
        }
        found: list[Found] = []
        below: list[int] = []
        taken_out: list[int] = []
        for number, hits_of in sorted(by_paper.items()):
            if number in excluded:
                taken_out.append(number)
            elif (
                whole := hits_of[0].found if len(hits_of) == 1 else _together(hits_of)
            ).entry.score < wanted.min_score:
                below.append(number)
            else:
                found.append(whole)
        return Findings(tuple(found), looked, tuple(counts.values()), tuple(below), tuple(taken_out))

    def _answer(self, asked: tuple[str, float, int]) -> _Answer:
        """Return what a query of a weight finds beyond a number, and keep it."""
        answer = self._weighed(*asked)
        self._ready += len(answer.hits)
        if self._ready > MAX_READY or len(self._answers) >= MAX_QUERIES:
            self._answers.clear()
            self._ready = len(answer.hits)
        self._answers[asked] = answer
        return answer

    def _weighed(self, text: str, weight: float, after: int) -> _Answer:
        stretches, looked = self._after(after)
        answers = [stretch.asked(text, begin) for stretch, begin in stretches]
        rarity = rank.rarity(sum(len(places) for _, places in answers), looked)
        hits = []
        for (stretch, _), (_, places) in zip(stretches, answers, strict=True):
            for place, worth in places:
                score, rare, merit = rank.part(weight, worth), rank.part(weight, worth * rarity), stretch.merits[place]
                alone = Found.by(stretch.papers[place], (text,), score / rank.SCALE, rank.raised(rare, merit))
                hits.append(_Hit(alone, score, rare, merit))
        return _Answer(answers[0][0], tuple(hits))


def _together(hits: Sequence[_Hit]) -> Found:
    """Return a paper as found by all queries that hit it, the heaviest first."""
    found, _, _, merit = hits[0]
    queries = tuple(hit.found.entry.queries[0] for hit in hits)
    score = sum(hit.score for hit in hits) / rank.SCALE
    return Found.by(found.stored, queries, score, rank.raised(sum(hit.rare for hit in hits), merit))


class _Stretch:
    """Papers that arrived one after the other, and what was asked of them."""

    def __init__(self, papers: Sequence[StoredPaper]) -> None:
        self.papers = papers
        self.documents = tuple(analyse(stored.paper) for stored in papers)
        self.merits = tuple(map(rank.merit, papers))
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
