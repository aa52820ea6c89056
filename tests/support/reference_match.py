"""The meaning of the query language, told a second time: slowly, by trying everything.

It shares the tokens (their letters, stems and borders) with the package and nothing else: no plan, no index, no
position tables. Each term is tried on every stretch of every text, in all readings of both.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, product

from digestd.match.syntax import And, Exact, Loose, Near, Node, Not, Or, Prefix, Within, Words
from digestd.match.text import MAX_JOINED, SMALL_WORDS, Border, Token, fold, plain, stem, tokens
from digestd.model import Field, Paper, Span

DEFAULT = (Field.TITLE, Field.ABSTRACT, Field.AUTHOR, Field.CATEGORY)


@dataclass(frozen=True)
class Text:
    """One title, abstract, author, category or source; `offset` is where it begins in its field.

    `known` remembers its groups: a paper is asked many queries.
    """

    field: Field
    text: str
    offset: int
    tokens: tuple[Token, ...]
    known: dict[int, list[Group]] = dataclasses.field(default_factory=dict, compare=False)

    def groups(self, first: int) -> list[Group]:
        if first not in self.known:
            self.known[first] = _groups(self.tokens, first)
        return self.known[first]


@dataclass(frozen=True, order=True)
class Place:
    """Tokens `first` to before `last` of one text."""

    text: int
    first: int
    last: int


class Reference:
    """A paper that can be asked whether a tree hits it, and where."""

    def __init__(self, paper: Paper) -> None:
        self.texts: list[Text] = []
        self.codes: list[tuple[str, int]] = []
        for field, parts in (
            (Field.TITLE, (paper.title,)),
            (Field.ABSTRACT, (paper.abstract or "",)),
            (Field.AUTHOR, paper.authors),
            (Field.CATEGORY, paper.categories),
            (Field.SOURCE, (paper.source,)),
        ):
            offset = 0
            for part in map(plain, parts):
                if field is Field.CATEGORY and " " not in part and re.search(r"\w[.-]", part):
                    self.codes.append((part, offset))
                else:
                    self.texts.append(Text(field, part, offset, tuple(tokens(part))))
                offset += len(part) + 2

    def spans(self, root: Node) -> tuple[Span, ...] | None:
        """Return the sorted spans of the terms that make `root` hit, or None."""
        return tuple(sorted(self._collected(root, DEFAULT, (), True))) if self._hits(root, DEFAULT, ()) else None

    def _hits(self, node: Node, fields: tuple[Field, ...], beside: tuple[Joined, ...]) -> bool:
        match node:
            case Within(field, inner):
                return self._hits(inner, (field,), ())
            case Not(inner):
                return not self._hits(inner, fields, ())
            case And(nodes):
                return all(self._hits(inner, fields, _neighbours(nodes, at)) for at, inner in enumerate(nodes))
            case Or(nodes):
                return any(self._hits(inner, fields, ()) for inner in nodes)
            case _:
                return bool(self._leaf(node, fields, beside))

    def _collected(self, node: Node, fields: tuple[Field, ...], beside: tuple[Joined, ...], holds: bool) -> set[Span]:
        """Return the spans of the terms by which `node` holds, or fails; it is known to do so."""
        match node:
            case Within(field, inner):
                return self._collected(inner, (field,), (), holds)
            case Not(inner):
                return self._collected(inner, fields, (), not holds)
            case And(nodes) | Or(nodes):
                found = set()
                for at, inner in enumerate(nodes):
                    others = _neighbours(nodes, at) if isinstance(node, And) else ()
                    if self._hits(inner, fields, others) is holds:
                        found |= self._collected(inner, fields, others, holds)
                return found
            case _:
                return self._leaf(node, fields, beside) if holds else set()

    def _leaf(self, node: Node, fields: tuple[Field, ...], beside: tuple[Joined, ...]) -> set[Span]:
        if isinstance(node, Near):
            return {self._span(place) for place in self._near(node, fields)}
        if isinstance(node, Loose):
            return {self._span(place) for place in self._loose(node, fields)}
        spans = {self._span(place) for place in self._places(node, fields)}
        if not spans:
            for other in beside:
                spans |= {self._span(place) for place in self._places(other, fields)}
        return spans | self._in_codes(node, fields)

    def _places(self, node: Node | Joined, fields: tuple[Field, ...]) -> set[Place]:
        """Return the shortest place from each token on where a term stands."""
        match node:
            case Within(field, inner):
                return self._places(inner, (field,))
            case Or(nodes):
                return set().union(*(self._places(inner, fields) for inner in nodes))
        found = set()
        for number, text in enumerate(self.texts):
            if text.field in fields:
                for first in range(len(text.tokens)):
                    # Every token of a term is at most MAX_JOINED of the text.
                    longest = MAX_JOINED * (1 if isinstance(node, Joined) else len(_tokens(node.text)))
                    ends = range(first + 1, min(first + longest, len(text.tokens)) + 1)
                    last = next((end for end in ends if _stands(node, text, first, end)), None)
                    if last is not None:
                        found.add(Place(number, first, last))
        return found

    def _near(self, node: Near, fields: tuple[Field, ...]) -> set[Place]:
        found = set()
        for left, right in product(self._places(node.left, fields), self._places(node.right, fields)):
            first, second = sorted((left, right))
            if first.text == second.text and first.last <= second.first:
                numbers = _word_numbers(self.texts[first.text].tokens)
                if numbers[second.first] - numbers[first.last - 1] <= node.distance:
                    found |= {left, right}
        return found

    def _loose(self, node: Loose, fields: tuple[Field, ...]) -> set[Place]:
        words = [word for word in node.text.split() if _tokens(word)]
        each = [(_roots(word), self._places(Words(word), fields)) for word in words]
        found = set()
        for number, text in enumerate(self.texts):
            numbers = _word_numbers(text.tokens)
            for low in set(numbers):
                inside = [
                    (roots, {one for one in places if one.text == number and numbers[one.first] >= low
                            and numbers[one.last - 1] <= low + node.distance})
                    for roots, places in each
                ]  # fmt: skip
                if all(len(places) >= sum(roots == other for other, _ in inside) for roots, places in inside):
                    found |= set().union(*(places for _, places in inside))
        return found

    def _in_codes(self, node: Node, fields: tuple[Field, ...]) -> set[Span]:
        found = set()
        if Field.CATEGORY in fields and isinstance(node, Words | Prefix | Exact):
            wanted = fold(node.text)[0]
            for written, offset in self.codes:
                names = [written, written.split(".")[0]]
                hit = (
                    any(fold(name)[0].startswith(wanted) for name in names) if isinstance(node, Prefix)
                    else node.text in names if isinstance(node, Exact)
                    else wanted in [fold(name)[0] for name in names]
                )  # fmt: skip
                if hit:
                    found.add(Span(Field.CATEGORY, offset, offset + len(written)))
        return found

    def _span(self, place: Place) -> Span:
        text = self.texts[place.text]
        start, end = text.tokens[place.first].start, text.tokens[place.last - 1].end
        return Span(text.field, text.offset + start, text.offset + end)


def _neighbours(nodes: tuple[Node, ...], at: int) -> tuple[Joined, ...]:
    """Return the words beside a word of a conjunction, each pair written together."""
    found = []
    for left, right in (pair for number, pair in enumerate(pairwise(nodes)) if number in (at - 1, at)):
        if isinstance(left, Words) and isinstance(right, Words):
            first, second = _tokens(left.text), _tokens(right.text)
            letters = len(first) == len(second) == 1 and (first[0].word + second[0].word).isalpha()
            if letters and first[0].word not in SMALL_WORDS and not first[0].sign:
                found.append(Joined(stem(first[0].word + second[0].word), second[0].sign))
    return tuple(found)


@dataclass(frozen=True)
class Joined:
    """Two words of a conjunction written as one."""

    stem: str
    sign: str


Group = tuple[int, str, str, str]  # tokens read as one word: how many, their letters, the stem, the sign


@lru_cache(maxsize=10_000)
def _tokens(text: str) -> tuple[Token, ...]:
    return tuple(tokens(text))


def _groups(sequence: tuple[Token, ...], first: int) -> list[Group]:
    """Return the groups that a reading may begin with at a token."""
    found = []
    for size in range(1, min(MAX_JOINED, len(sequence) - first) + 1):
        group = sequence[first : first + size]
        if size == 1 or (all(map(_leads_on, group[:-1])) and all(token.word.isalpha() for token in group)):
            word = "".join(token.word for token in group)
            found.append((size, word, group[0].stem if size == 1 else stem(word), group[-1].sign))
    return found


@lru_cache(maxsize=10_000)
def _term(text: str) -> list[list[Group]]:
    return [_groups(_tokens(text), first) for first in range(len(_tokens(text)))]


def _roots(word: str) -> frozenset[tuple[tuple[str, str], ...]]:
    """Return what makes two words one and the same: `LLM` and `LLMs` are."""
    return frozenset(_rooted(_term(word), 0))


def _rooted(term: list[list[Group]], first: int) -> Iterator[tuple[tuple[str, str], ...]]:
    if first == len(term):
        yield ()
    for size, _, root, sign in term[first] if first < len(term) else ():
        yield from (((root, sign), *rest) for rest in _rooted(term, first + size))


def _leads_on(token: Token) -> bool:
    small = token.border is Border.BLANK and token.word in SMALL_WORDS
    return token.border in (Border.HYPHEN, Border.BLANK) and not token.sign and not small


def _stands(node: Node | Joined, text: Text, first: int, last: int) -> bool:
    stretch = text.tokens[first:last]
    if isinstance(node, Exact):
        wanted = _tokens(node.text)
        start, end = stretch[0].start - wanted[0].start, stretch[-1].end + len(node.text) - wanted[-1].end
        if start < 0 or text.text[start:end] != node.text or len(stretch) != len(wanted):
            return False
        before = text.text[stretch[0].start - 1 : stretch[0].start]
        after = text.text[stretch[-1].end : stretch[-1].end + 1]
        return not before.isalnum() and (not after.isalnum() or bool(stretch[-1].sign))
    term = [[(1, "", node.stem, node.sign)]] if isinstance(node, Joined) else _term(node.text)
    reached, seen = [(0, first)], set()
    while reached:
        here, there = reached.pop()
        if here == len(term):
            if there == last:
                return True
            continue
        for (size, word, root, sign), (other_size, other_word, other_root, other_sign) in product(
            term[here], text.groups(there) if there < last else ()
        ):
            begun = isinstance(node, Prefix) and here + size == len(term)
            same = other_word.startswith(word) if begun else root == other_root
            after = (here + size, there + other_size)
            if same and sign in ("", other_sign) and after[1] <= last and after not in seen:
                seen.add(after)
                reached.append(after)
    return False


def _word_numbers(sequence: tuple[Token, ...]) -> list[int]:
    numbers, number = [], 0
    for token in sequence:
        numbers.append(number)
        number += token.border is not Border.GLUED
    return numbers
