"""The query language as a tree of values, and its canonical text.

Terms are the leaves: Words, Prefix, Exact, Loose. `written` gives text that parses back to an equal tree; the
text inside a term is plain text without the signs that TeX or the language would read again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from digestd.model import Field

# What needs no quotation marks. `AND` alone would be an operator, `x:y` a field, `x*` a prefix.
_BARE = re.compile(r"(?!(?:AND|OR|NOT|NEAR(?:/\d*)?)\Z)[^\W_][\w.+#/,'-]*")


@dataclass(frozen=True, slots=True)
class Words:
    """A word or a phrase: these words in this order, whatever their case, accents and inflection."""

    text: str


@dataclass(frozen=True, slots=True)
class Prefix:
    """Any word that begins so; of several tokens (`GPT-4*`), the last one begins so."""

    text: str


@dataclass(frozen=True, slots=True)
class Exact:
    """Exactly this spelling and case, between the borders of words."""

    text: str


@dataclass(frozen=True, slots=True)
class Loose:
    """All these words within `distance` words, in any order."""

    text: str
    distance: int


@dataclass(frozen=True, slots=True)
class Near:
    """Two terms, or groups of alternatives, at most `distance` words apart; neighbours are 1 apart."""

    left: Node
    right: Node
    distance: int


@dataclass(frozen=True, slots=True)
class Within:
    """A node whose terms are looked for in one field, except where an inner Within names another."""

    field: Field
    node: Node


@dataclass(frozen=True, slots=True)
class Not:
    """Papers that the node does not hit."""

    node: Node


@dataclass(frozen=True, slots=True)
class And:
    """All of the nodes, at least two."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of the nodes, at least two."""

    nodes: tuple[Node, ...]


Term = Words | Prefix | Exact | Loose
Node = Term | Near | Within | Not | And | Or


def both(nodes: list[Node]) -> Node:
    """Return the conjunction of one or more nodes; one in brackets is no level of its own."""
    flat = tuple(inner for node in nodes for inner in (node.nodes if isinstance(node, And) else (node,)))
    return flat[0] if len(flat) == 1 else And(flat)


def either(nodes: list[Node]) -> Node:
    """Return the alternative of one or more nodes."""
    flat = tuple(inner for node in nodes for inner in (node.nodes if isinstance(node, Or) else (node,)))
    return flat[0] if len(flat) == 1 else Or(flat)


def opposite(node: Node) -> Node:
    """Return what hits where `node` does not."""
    return node.node if isinstance(node, Not) else Not(node)


def within(field: Field, node: Node) -> Node:
    """Return `node` in a field; a field inside is nearer to the term and stays."""
    return node if isinstance(node, Within) else Within(field, node)


def needs_a_term(node: Node) -> bool:
    """Whether every way to satisfy `node` needs a term that stands in the paper.

    `NOT a OR b` does not: any paper without `a` would do. `NOT (NOT a OR b)` does: it is `a AND NOT b`.
    """
    return _needs(node, holds=True)


def _needs(node: Node, *, holds: bool) -> bool:
    # De Morgan: where a conjunction must fail, it is an alternative of failures, and the other way round.
    match node:
        case Not(inner):
            return _needs(inner, holds=not holds)
        case Within(_, inner):
            return _needs(inner, holds=holds)
        case And(nodes) | Or(nodes):
            needs = [_needs(inner, holds=holds) for inner in nodes]
            return any(needs) if isinstance(node, And) is holds else all(needs)
        case _:
            return holds


def written(node: Node) -> str:
    """Return the canonical text of `node`."""
    match node:
        case Words(text):
            return _quoted_where_needed(text)
        case Prefix(text):
            return f"{text}*"
        case Exact(text):
            return f"={_quoted_where_needed(text)}"
        case Loose(text, distance):
            return f'"{text}"~{distance}'
        case Near(left, right, distance):
            return f"{_operand(left)} NEAR/{distance} {_operand(right)}"
        case Within(field, inner):
            return f"{field}:{_operand(inner)}"
        case Not(inner):
            return f"-{_operand(inner)}"
        case And(nodes):
            return " ".join(f"({written(inner)})" if isinstance(inner, Or) else written(inner) for inner in nodes)
        case Or(nodes):
            return " OR ".join(written(inner) for inner in nodes)


def _operand(node: Node) -> str:
    return f"({written(node)})" if isinstance(node, Near | Not | And | Or) else written(node)


def _quoted_where_needed(text: str) -> str:
    return text if _BARE.fullmatch(text) else f'"{text}"'
