"""What a reader leans to, learned from what they wanted more and less of. It moves the order, never the choice.

A reader says of a paper they were sent "more like this" or "less like this". Its terms, the words of its title and
its categories, share in that, and a paper to come is moved by those of them that it holds:

    weight of a term = Σ over the opinions on papers that have it: ±0.4 / √(terms of the paper) × 2^(-days ago / 90)
    lean of a paper  = Σ of the weights of the terms it holds
    standing         = standing without it × 2^lean

A weight is between -0.5 and 0.5, so that no one word decides, and a lean between -1 and 1: a paper's standing is
doubled or halved at most. Of the terms, the 64 that weigh most are kept. All of it fades by half in 90 days. It is a
linear model (Rocchio 1971), so each term's part can be told.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from math import sqrt
from typing import NamedTuple

from digestd.match.document import code, code_key, is_code, stem_key
from digestd.match.rank import SCALE
from digestd.match.text import SMALL_WORDS, clean, plain, tokens

STEP = 0.4  # what one opinion gives to the terms of a paper, as the length of their vector
MOST_OF_A_TERM = 0.5
MOST_OF_A_PAPER = 1.0
MOST_TERMS = 64
MOST_OPINIONS = 200  # of a reader, the newest; two a day, and the oldest have faded to a half
HALF_LIFE = timedelta(days=90)
_MOST_OF_A_TITLE = 24  # terms; no title that people read has more
_LEAST = 0.005  # shown with two digits, less than this is nothing

# Titles are made with these whatever they are about.
_FILLERS = frozenset(
    """
    about across after against all analysis approach among based been before between both beyond case do does each
    effect efficient evaluating exploring first framework from general has have how improved improving into
    investigating its large learning method methods more most near new note novel one only other our out over paper
    results review some studies study such survey system systems task tasks their there these they this those
    through toward towards two under understanding using via was were what when where which while who why within
    without your
    """.split()  # noqa: SIM905 - as the small words
)

Moves = tuple[tuple[str, float], ...]  # words with what each adds to a lean, strongest first


class Wish(IntEnum):
    """What a reader wants of papers like one."""

    MORE = 1
    LESS = -1


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a reader said of a paper, and when."""

    wish: Wish
    said_at: datetime
    title: str
    categories: tuple[str, ...] = ()


class Term(NamedTuple):
    """A document's key (see `document.stem_key`), the word as a title had it, and its weight."""

    key: str
    word: str
    weight: float


@dataclass(frozen=True, slots=True)
class Leaning:
    """What was learned of a reader: terms, strongest first, as they weighed at `learned_at`."""

    terms: tuple[Term, ...]
    learned_at: datetime

    def faded(self, now: datetime) -> tuple[Term, ...]:
        """Return the terms as they weigh now; a clock that went back makes none heavier."""
        left = _left(self.learned_at, now)
        weighed = (term._replace(weight=round(term.weight * left, 4)) for term in self.terms)
        return tuple(term for term in weighed if abs(term.weight) >= _LEAST)


def learned(opinions: Iterable[Opinion], now: datetime) -> Leaning:
    """Return what opinions come to, in whatever order they are given."""
    weights: dict[str, float] = {}
    words: dict[str, tuple[datetime, str]] = {}
    for opinion in opinions:
        said = terms(opinion.title, opinion.categories)
        for key, word in said.items():
            weights[key] = weights.get(key, 0.0) + opinion.wish * STEP / sqrt(len(said)) * _left(opinion.said_at, now)
            words[key] = max(words.get(key, (opinion.said_at, word)), (opinion.said_at, word))
    # Rounded, so that the order in which they were added does not show.
    bounded = ((key, round(max(-MOST_OF_A_TERM, min(MOST_OF_A_TERM, one)), 4)) for key, one in weights.items())
    found = [Term(key, words[key][1], weight) for key, weight in bounded if abs(weight) >= _LEAST]
    return Leaning(tuple(sorted(found, key=_strongest)[:MOST_TERMS]), now)


def terms(title: str, categories: Iterable[str] = ()) -> dict[str, str]:
    """Return what a paper is about: by key, the words of its title and its categories as they are written."""
    shown = plain(clean(title))
    found: dict[str, str] = {}
    for token in tokens(shown):
        if len(token.word) > 1 and token.word.isalpha() and token.word not in SMALL_WORDS | _FILLERS:
            found.setdefault(stem_key(token.stem), shown[token.start : token.end])
        if len(found) == _MOST_OF_A_TITLE:
            break
    return found | {code_key(code(category)): category for category in categories if is_code(category)}


def moves(leaning: Iterable[Term], keys: Container[str]) -> Moves:
    """Return the words by which a paper with these keys is moved, strongest first."""
    return tuple((term.word, term.weight) for term in sorted(leaning, key=_strongest) if term.key in keys)


def lean(moved: Moves) -> float:
    """Return how far words move a paper: from -MOST_OF_A_PAPER to MOST_OF_A_PAPER."""
    return max(-MOST_OF_A_PAPER, min(MOST_OF_A_PAPER, round(sum(weight for _, weight in moved), 4)))


def moved(standing: float, by: Moves) -> float:
    """Return a standing as words move it."""
    return round(standing * 2 ** lean(by) * SCALE) / SCALE


def told(by: Moves) -> str:
    """Say by what a paper is moved: `up by agents +0.40, planning +0.12`; empty where nothing moves it."""
    whole = lean(by)
    if not by:
        return ""
    words = ", ".join(f"{word} {weight:+.2f}" for word, weight in by)
    return f"{'up' if whole > 0 else 'down' if whole < 0 else 'nowhere'} by {words}"


def _left(since: datetime, now: datetime) -> float:
    return float(2 ** (-max(timedelta(), now - since) / HALF_LIFE))


def _strongest(term: Term) -> tuple[float, str]:
    return -abs(term.weight), term.key
