"""The query language read by recursive descent: text in, tree out, errors with their column in the query's own text.

    alternative  = conjunction {"OR" conjunction}
    conjunction  = factor {["AND"] factor}
    factor       = {"NOT" | "-"} near
    near         = primary ["NEAR/" number primary]
    primary      = [field ":"] ("(" alternative ")" | term)

Only brackets nest, and they are counted, so that no text exhausts the stack.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NoReturn

from digestd.errors import QueryError
from digestd.match.document import MAX_DISTANCE
from digestd.match.plan import loose_words
from digestd.match.syntax import (
    Exact,
    Loose,
    Near,
    Node,
    Or,
    Prefix,
    Term,
    Within,
    Words,
    both,
    either,
    opposite,
    within,
)
from digestd.match.text import clean, plain, tokens
from digestd.model import Field

MAX_TERMS = 64
MAX_LEVELS = 16
MIN_PREFIX = 2  # letters; a shorter one hits nearly every paper

_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ufeff\u200b]+")
_OPERATOR = re.compile(r"(?:AND|OR|NOT|NEAR(?:/(\d*))?)(?=[\s()\"“”„]|\Z)")
_FIELD = re.compile(r"([^\W\d_]+):")
# A word ends at a blank, bracket or quotation mark, but `P\"aez` and `Schr\"{o}dinger` are one.
_WORD = re.compile(r"(?:\\\"(?=[^\W\d_]|\{)|[^\s\x00-\x1f\x7f-\x9f()\"“”„])+")
_QUOTED = re.compile(r"[\"“”„]((?:\\\"(?=[^\W\d_]|\{)|[^\"])*)\"")
_CURLY = re.compile(r"[“”„]([^\"“”„]*)[\"“”]")  # as a telephone types them
_SLACK = re.compile(r"~(\d*)")
# What TeX or the language would read again; the text of a term is printed without.
_SIGNS = re.compile(r"[\\${}^~\"`]+")
_NOT_IN_A_PREFIX = re.compile(r"[\s()“”„*:;,=]+")


@dataclass(frozen=True, slots=True)
class _Piece:
    """An operator, a sign or the first part of a term, with the column it begins at."""

    kind: str
    column: int
    text: str = ""
    number: int = 0


def parse(text: str) -> Node:
    """Return the tree of a query. Raises QueryError."""
    return _Parser(text).query()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._terms = 0
        self._levels = 0

    def query(self) -> Node:
        if self._peek().kind == "end":
            self._fail("the query is empty; write at least one word to look for", 1)
        node = self._alternative()
        rest = self._peek()
        if rest.kind == ")":
            self._fail("this bracket closes nothing", rest.column)
        assert rest.kind == "end"
        return node

    def _alternative(self) -> Node:
        nodes = [self._conjunction()]
        while self._peek().kind == "OR":
            operator = self._next()
            nodes.append(self._conjunction(after=operator))
        return either(nodes)

    def _conjunction(self, after: _Piece | None = None) -> Node:
        nodes = [self._factor(after)]
        while (piece := self._peek()).kind not in ("OR", ")", "end"):
            nodes.append(self._factor(self._next() if piece.kind == "AND" else None))
        return both(nodes)

    def _factor(self, after: _Piece | None) -> Node:
        excluded = False
        while self._peek().kind in ("NOT", "-"):
            after = self._next()
            excluded = not excluded
        node = self._near(after)
        return opposite(node) if excluded else node

    def _near(self, after: _Piece | None) -> Node:
        left_column = self._peek().column
        left = self._primary(after)
        if self._peek().kind != "NEAR":
            return left
        operator = self._next()
        if not 1 <= operator.number <= MAX_DISTANCE:
            self._fail(f"NEAR needs a number of words from 1 to {MAX_DISTANCE}, as in NEAR/5", operator.column)
        right_column = self._peek().column
        right = self._primary(operator)
        for node, column in ((left, left_column), (right, right_column)):
            if not _has_places(node):
                self._fail("NEAR stands between two words, phrases, or groups of alternatives (a OR b)", column)
        if self._peek().kind == "NEAR":
            self._fail('NEAR joins two terms; for more, write "one two three"~5', self._peek().column)
        return Near(left, right, operator.number)

    def _primary(self, after: _Piece | None) -> Node:
        piece = self._peek()
        if piece.kind == "field":
            self._next()
            if self._peek().kind in ("field", "-", "NOT"):
                problem = f"expected a word, a phrase or a group after {piece.text}:; a sign goes before the field"
                self._fail(problem, self._peek().column)
            return within(Field(piece.text), self._primary(piece))
        if piece.kind == "(":
            return self._group()
        if piece.kind == "term":
            return self._term()
        return self._expected(piece, after)

    def _group(self) -> Node:
        opening = self._next()
        self._levels += 1
        if self._levels > MAX_LEVELS:
            self._fail(f"brackets may be {MAX_LEVELS} levels deep; this one is deeper", opening.column)
        if self._peek().kind == ")":
            self._fail("expected a word, a phrase or a group inside of these brackets", opening.column)
        node = self._alternative() if self._peek().kind != "end" else None
        if node is None or self._peek().kind != ")":
            self._fail("this bracket is never closed", opening.column)
        self._next()
        self._levels -= 1
        return node

    def _expected(self, piece: _Piece, after: _Piece | None) -> NoReturn:
        if after is not None:
            name = f"{after.text}:" if after.kind == "field" else "the minus" if after.kind == "-" else after.kind
            self._fail(f"expected a word, a phrase or a group after {name}", piece.column)
        self._fail(f"expected a word, a phrase or a group before {piece.kind}", piece.column)

    # Terms: the characters themselves.

    def _term(self) -> Term:
        self._skip_blanks()
        column = self._at + 1
        self._terms += 1
        if self._terms > MAX_TERMS:
            self._fail(f"a query has at most {MAX_TERMS} terms; this one begins the next", column)
        exact = self._text[self._at] == "="
        self._at += exact
        if self._at < len(self._text) and self._text[self._at] in '"“”„':
            return self._phrase(column, exact=exact)
        word = _WORD.match(self._text, self._at)
        if word is None:
            self._fail("expected a word or a phrase directly after =", column)
        self._at = word.end()
        if exact:
            return Exact(self._looked_for(word[0], column))
        return self._word(word[0], column)

    def _word(self, word: str, column: int) -> Term:
        if ":" in word:
            self._fail_field(word, column)
        star = word.find("*")
        if star < 0:
            return Words(self._looked_for(word, column))
        if star < len(word) - 1:
            problem = "a star stands at the end of a word, as in robot*; to look for the sign, use quotation marks"
            self._fail(problem, column + star)
        text = _NOT_IN_A_PREFIX.sub("-", self._looked_for(word[:-1], column)).lstrip("-.+#'/&%")
        if sum(len(token.word) for token in tokens(text)) < MIN_PREFIX:
            self._fail(f"a word before a star needs at least {MIN_PREFIX} letters, as in ro*", column)
        return Prefix(text)

    def _phrase(self, column: int, *, exact: bool) -> Term:
        opening = self._at
        pattern = _QUOTED if self._text[opening] == '"' else _CURLY
        quoted = pattern.match(self._text, opening)
        if quoted is None:
            self._fail("this quotation mark is never closed", opening + 1)
        self._at = quoted.end()
        text = self._looked_for(quoted[1], column)
        slack = _SLACK.match(self._text, self._at)
        if slack is None:
            return Exact(text) if exact else Words(text)
        self._at = slack.end()
        if exact:
            self._fail("an exact phrase stands as it is written; leave out the = or the ~", column)
        if not 1 <= _number(slack[1]) <= MAX_DISTANCE:
            problem = f'expected a number of words from 1 to {MAX_DISTANCE} after ~, as in "one two"~5'
            self._fail(problem, slack.start() + 1)
        if len(loose_words(text)) < 2:
            self._fail('only words can be near one another: write at least two, as in "one two"~5', column)
        return Loose(text, _number(slack[1]))

    def _looked_for(self, written: str, column: int) -> str:
        text = clean(_SIGNS.sub(" ", plain(clean(written))))
        if not tokens(text):
            self._fail("there is no letter or digit to look for in this", column)
        return text

    # Pieces: one ahead, never stored, so that a term is read where it stands.

    def _peek(self) -> _Piece:
        before = self._at
        piece = self._next()
        self._at = before
        return piece

    def _next(self) -> _Piece:
        self._skip_blanks()
        text, at = self._text, self._at
        column = at + 1
        if at == len(text):
            return _Piece("end", column)
        if text[at] in "()":
            self._at += 1
            return _Piece(text[at], column)
        operator = _OPERATOR.match(text, at)
        if operator is not None:
            self._at = operator.end()
            kind = operator[0].partition("/")[0]
            return _Piece(kind, column, number=_number(operator[1]))
        if text[at] == "-":
            self._at += 1
            if at + 1 == len(text) or _BLANK.match(text, at + 1) or text[at + 1] in "-)":
                self._fail("a minus stands directly before the one thing it leaves out, as in -survey", column)
            return _Piece("-", column)
        field = _FIELD.match(text, at)
        if field is not None and field[1].lower() in tuple(Field):
            self._at = field.end()
            return _Piece("field", column, field[1].lower())
        return _Piece("term", column)

    def _skip_blanks(self) -> None:
        blank = _BLANK.match(self._text, self._at)
        self._at = blank.end() if blank else self._at

    def _fail_field(self, word: str, column: int) -> NoReturn:
        name = word.partition(":")[0][:40]
        if not name:
            self._fail("a colon stands directly behind the name of a field, as in title:survey", column)
        nearest = get_close_matches(name.lower(), tuple(Field), n=1)
        if nearest:
            self._fail(f'there is no field "{name}"; did you mean {nearest[0]}:?', column)
        fields = ", ".join(f"{field}:" for field in Field)
        problem = f'there is no field "{name}", only {fields}; a text with a colon goes into quotation marks'
        self._fail(problem, column)

    def _fail(self, problem: str, column: int) -> NoReturn:
        raise QueryError(problem, column)


def _has_places(node: Node) -> bool:
    match node:
        case Within(_, inner):
            return _has_places(inner)
        case Or(nodes):
            return all(map(_has_places, nodes))
        case _:
            return isinstance(node, Words | Prefix | Exact)


def _number(digits: str | None) -> int:
    return int(digits) if digits else 0
