"""A paper made ready for queries: its fields as one sequence of tokens, and where each stem stands in it.

Texts that a phrase must not cross (two fields, two authors, two categories) are parted by a token that
equals nothing and by a gap in the word numbers that no NEAR can bridge.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from digestd.match.text import Border, Reading, Token, fold, plain, readings, tokens
from digestd.model import Field, Paper, Span

Range = tuple[int, int]  # tokens of a document, from the first to before the second

MAX_READ = 100_000  # characters of a field: thirty long abstracts; five megabytes would take a gigabyte and 20 seconds
MAX_DISTANCE = 100  # words; what is further apart is in the same paper, and no nearer than that
_GAP = MAX_DISTANCE + 1
_WALL = Token("", "", 0, 0)

# `cs.CL`, `hep-th`: names that are asked for as a whole. `Cell Biology` is text like any other.
_CODE = re.compile(r"\S*[^\W_][.-]\S+")


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """An analysed paper.

    `texts` holds the plain text of each field, which spans index (authors and categories joined with ", ");
    `tokens`, `fields`, `numbers` and `readings` are parallel: each token, its field, the number of its word
    (`GPT4` is two tokens and one word), and the ways to read it with those that follow. `stems` says where each
    stem begins and ends, `beginnings` at which tokens words begin with two letters (by their `prefix_key`),
    `codes` where a category stands by its whole name and by the part before the dot. `keys` is all that can be
    asked of an index: see `stem_key`, `prefix_key` and `code_key`.
    """

    paper: Paper
    texts: Mapping[Field, str]
    tokens: tuple[Token, ...]
    fields: tuple[Field, ...]
    numbers: tuple[int, ...]
    readings: tuple[tuple[Reading, ...], ...]
    stems: Mapping[str, tuple[Range, ...]]
    beginnings: Mapping[str, tuple[int, ...]]
    codes: Mapping[str, tuple[Span, ...]]
    keys: frozenset[str]

    def span(self, place: Range) -> Span:
        """Return the characters that the tokens of `place` cover."""
        start, end = place
        return Span(self.fields[start], self.tokens[start].start, self.tokens[end - 1].end)

    def distance(self, left: Range, right: Range) -> int | None:
        """Return how many words lie from one place to the other (neighbours: 1); None where they overlap."""
        first, second = sorted((left, right))
        return None if second[0] < first[1] else self.numbers[second[0]] - self.numbers[first[1] - 1]


def analyse(paper: Paper) -> Document:
    """Return `paper` made ready for queries; its texts are taken as clean, of each field MAX_READ characters."""
    texts: dict[Field, str] = {}
    found: list[Token] = []
    fields: list[Field] = []
    codes: dict[str, list[Span]] = {}
    for field, parts in _parts(paper):
        offset = 0
        for part in parts:
            if field is Field.CATEGORY and is_code(part):
                span = Span(field, offset, offset + len(part))
                for name in {code(part), code(part.partition(".")[0])}:
                    codes.setdefault(name, []).append(span)
            else:
                found += [*tokens(part, offset), _WALL]
                fields += [field] * (len(found) - len(fields))
            offset += len(part) + len(", ")
        texts[field] = ", ".join(parts)
    ways = tuple(() if token is _WALL else tuple(readings(found, at)) for at, token in enumerate(found))
    stems = _stems(ways)
    beginnings = _beginnings(ways)
    return Document(
        paper=paper,
        texts=MappingProxyType(texts),
        tokens=tuple(found),
        fields=tuple(fields),
        numbers=tuple(_numbers(found)),
        readings=ways,
        stems=MappingProxyType({name: tuple(places) for name, places in stems.items()}),
        beginnings=MappingProxyType({key: tuple(starts) for key, starts in beginnings.items()}),
        codes=MappingProxyType({name: tuple(spans) for name, spans in codes.items()}),
        keys=frozenset(
            {stem_key(name) for name in stems}
            | beginnings.keys()
            | {code_key(name) for name in codes}
            | {code_key(name[:2] + "*") for name in codes}
        ),
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


def _stems(ways: tuple[tuple[Reading, ...], ...]) -> dict[str, list[Range]]:
    stems: dict[str, list[Range]] = {}
    for start, way in enumerate(ways):
        for reading in way:
            places = stems.setdefault(reading.stem, [])
            # "model's" read as one has the stem of `model`: the shortest reading from a token is the place.
            if not places or places[-1][0] != start:
                places.append((start, start + reading.size))
    return stems


def _beginnings(ways: tuple[tuple[Reading, ...], ...]) -> dict[str, set[int]]:
    beginnings: dict[str, set[int]] = {}
    for start, way in enumerate(ways):
        for reading in way:
            beginnings.setdefault(prefix_key(reading.word), set()).add(start)
    return beginnings


def _numbers(found: list[Token]) -> Iterator[int]:
    number = 0
    for token in found:
        yield number
        number += _GAP if token is _WALL else 0 if token.border is Border.GLUED else 1
