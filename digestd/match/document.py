"""A paper made ready for queries: its fields as one sequence of tokens, and where each stem stands in it.

Texts that a phrase must not cross (two fields, two authors, two categories) are parted by a token that
equals nothing and by a gap in the word numbers that no NEAR can bridge.
"""

from __future__ import annotations

import re
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from digestd.match.text import MAX_JOINED, Border, Token, fold, plain, readings, tokens
from digestd.model import Field, Paper, Span

# Tokens of a document from one on: the first, shifted, and how many; so places sort by where they begin. A query has
# at most 1,000 characters, and so less than 1,024 tokens. Below zero: -1 is the first of `code_spans`.
Place = int

MAX_READ = 100_000  # characters of a field: thirty long abstracts; five megabytes would take a gigabyte and 20 seconds
MAX_DISTANCE = 100  # words; what is further apart is in the same paper, and no nearer than that
SHIFT = 10
SIZE = (1 << SHIFT) - 1
FIELDS = tuple(Field)  # a token's field is a number
CATEGORY = FIELDS.index(Field.CATEGORY)  # the field of places below zero
_GAP = MAX_DISTANCE + 1
_WALL = Token("", "", 0, 0)

# `cs.CL`, `hep-th`: names that are asked for as a whole. `Cell Biology` is text like any other.
_CODE = re.compile(r"\S*[^\W_][.-]\S+")

_GLUED, _JOINABLE = 1, 2  # what is remembered of a token's border


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """An analysed paper, in arrays: thousands of them are held at once.

    `texts` holds the plain text of each field, which spans index (authors and categories joined with ", ");
    `words`, `starts`, `ends`, `fields` (numbers of FIELDS) and `numbers` are parallel, a value for each token: what
    it says, the characters it covers, its field, and the number of its word (`GPT4` is two tokens and one word).
    `stems` says where each stem stands, one place for each token it begins at, the shortest, and `longer` where it
    stands from the same token in a longer reading; `beginnings` at which tokens words begin with two letters (by
    their `prefix_key`), `codes` where a category stands by its whole name and by the part before the dot.
    """

    paper: Paper
    texts: Mapping[Field, str]
    words: tuple[str, ...]
    starts: Sequence[int]
    ends: Sequence[int]
    fields: bytes
    numbers: Sequence[int]
    borders: bytes
    signs: Mapping[int, str]
    stems: Mapping[str, tuple[Place, ...]]
    longer: Mapping[str, tuple[Place, ...]]
    beginnings: Mapping[str, tuple[int, ...]]
    codes: Mapping[str, tuple[Place, ...]]
    code_spans: tuple[Span, ...]

    @property
    def keys(self) -> frozenset[str]:
        """All that can be asked of an index: see `stem_key`, `prefix_key` and `code_key`. Made anew each time."""
        named = (code_key(name) for name in self.codes)
        begun = (code_key(name[:2] + "*") for name in self.codes)
        return frozenset((*self.stems, *self.beginnings, *named, *begun))

    def span(self, place: Place) -> Span:
        """Return the characters that the tokens of `place` cover."""
        if place < 0:
            return self.code_spans[-1 - place]
        start = place >> SHIFT
        return Span(FIELDS[self.fields[start]], self.starts[start], self.ends[start + (place & SIZE) - 1])

    def distance(self, left: Place, right: Place) -> int | None:
        """Return how many words lie from one place to the other (neighbours: 1); None where they overlap."""
        first, second = min(left, right), max(left, right)
        end, start = (first >> SHIFT) + (first & SIZE), second >> SHIFT
        return None if start < end else self.numbers[start] - self.numbers[end - 1]

    def sizes(self, stem: str, start: int) -> Iterator[int]:
        """Yield of how many tokens the readings from one on are that have this stem, shortest first."""
        for places in (self.stems.get(stem, ()), self.longer.get(stem, ())):
            at = bisect_left(places, start << SHIFT)
            while at < len(places) and places[at] >> SHIFT == start:
                yield places[at] & SIZE
                at += 1

    def sizes_beginning(self, letters: str, start: int) -> Iterator[int]:
        """Yield of how many tokens the readings from one on are that begin with these letters, shortest first."""
        word = self.words[start]
        for size in range(1, MAX_JOINED + 1):
            if word.startswith(letters):
                yield size
            if not self.borders[start + size - 1] & _JOINABLE:
                return
            word += self.words[start + size]  # where these are no letters, it begins with nothing more than before

    def goes_on(self, token: int) -> bool:
        """Whether the word of a token goes on behind it: `RAG` in `RAG2` does."""
        return token >= 0 and bool(self.borders[token] & _GLUED)


def analyse(paper: Paper) -> Document:
    """Return `paper` made ready for queries; its texts are taken as clean, of each field MAX_READ characters."""
    texts: dict[Field, str] = {}
    found: list[Token] = []
    fields = bytearray()
    codes: dict[str, list[Place]] = {}
    code_spans: list[Span] = []
    for number, (field, parts) in enumerate(_parts(paper)):
        offset = 0
        for part in parts:
            if field is Field.CATEGORY and is_code(part):
                code_spans.append(Span(field, offset, offset + len(part)))
                for name in {code(part), code(part.partition(".")[0])}:
                    codes.setdefault(name, []).append(-len(code_spans))
            else:
                found += [*tokens(part, offset), _WALL]
                fields += bytes([number]) * (len(found) - len(fields))
            offset += len(part) + len(", ")
        texts[field] = ", ".join(parts)
    stems, longer, beginnings = _places(found)
    return Document(
        paper=paper,
        texts=texts,
        words=tuple(sys.intern(token.word) for token in found),  # the same few thousand in all papers
        starts=array("I", (token.start for token in found)),
        ends=array("I", (token.end for token in found)),
        fields=bytes(fields),
        numbers=array("I", _numbers(found)),
        borders=bytes(map(_border, found)),
        signs={at: token.sign for at, token in enumerate(found) if token.sign},
        stems={name: tuple(places) for name, places in stems.items()},
        longer={name: tuple(places) for name, places in longer.items()},
        beginnings={key: tuple(starts) for key, starts in beginnings.items()},
        codes={name: tuple(places) for name, places in codes.items()},
        code_spans=tuple(code_spans),
    )


def is_code(category: str) -> bool:
    """Whether a category is a name such as `cs.CL` or `hep-th` that only matches as a whole."""
    return _CODE.fullmatch(category) is not None


def code(text: str) -> str:
    """Return a category's name without case."""
    return fold(text)[0]


def stem_key(stem: str) -> str:
    """Return the key of the documents in which a stem stands."""
    return stem


def prefix_key(word: str) -> str:
    """Return the key of the documents in which a word begins with the same two letters."""
    return word[:2] + "*"


def code_key(name: str) -> str:
    """Return the key of the documents in a category; `name` is its code, or two letters and a star."""
    return "=" + name


def _parts(paper: Paper) -> Iterator[tuple[Field, list[str]]]:
    yield Field.TITLE, _read((paper.title,))
    yield Field.ABSTRACT, _read((paper.abstract or "",))
    yield Field.AUTHOR, _read(paper.authors)
    yield Field.CATEGORY, _read(paper.categories)
    yield Field.SOURCE, _read((paper.source,))


def _read(parts: tuple[str, ...]) -> list[str]:
    """Return the plain texts of a field's parts, of MAX_READ characters in all."""
    found, left = [], MAX_READ
    for part in parts:
        if left <= 0:
            break
        found.append(plain(part[:left]))
        left -= len(part)
    return found


def _places(
    found: list[Token],
) -> tuple[dict[str, list[Place]], dict[str, list[Place]], dict[str, dict[int, None]]]:
    stems: dict[str, list[Place]] = {}
    longer: dict[str, list[Place]] = {}
    beginnings: dict[str, dict[int, None]] = {}
    for start, token in enumerate(found):
        if token is _WALL:
            continue
        for reading in readings(found, start):
            places = stems.setdefault(reading.stem, [])
            # "model's" read as one has the stem of `model`: the shortest reading from a token is the place.
            if places and places[-1] >> SHIFT == start:
                places = longer.setdefault(reading.stem, [])
            places.append(start << SHIFT | reading.size)
            beginnings.setdefault(sys.intern(prefix_key(reading.word)), {})[start] = None
    return stems, longer, beginnings


def _border(token: Token) -> int:
    glued = _GLUED if token.border is Border.GLUED and not token.sign else 0
    return glued | (_JOINABLE if token.joinable else 0)


def _numbers(found: list[Token]) -> Iterator[int]:
    number = 0
    for token in found:
        yield number
        number += _GAP if token is _WALL else 0 if token.border is Border.GLUED else 1
