"""The query language of a profile: one expression, parsed, printed, and looked for in a paper.

docs/queries.md shows it by example; `syntax` is its tree, `parser` reads it, `plan` evaluates it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from digestd.errors import QueryError
from digestd.match.document import CATEGORY, SHIFT, Document, Place
from digestd.match.parser import parse
from digestd.match.plan import Plan, compiled, find
from digestd.match.rank import worth
from digestd.match.syntax import Node, Or, needs_a_term, written
from digestd.model import Span

MAX_LENGTH = 1_000  # characters: several whole titles, and little enough that nobody waits for it


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed expression. `str` prints its canonical text, which parses back to an equal query."""

    root: Node
    plan: Plan = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "plan", compiled(self.root))

    def __str__(self) -> str:
        return written(self.root)

    def hits(self, document: Document) -> bool:
        """Whether the query hits the paper."""
        return find(self.plan, document) is not None

    def spans(self, document: Document) -> tuple[Span, ...] | None:
        """Return where the terms that make it hit stand, in order, or None where it does not hit.

        Every place of the terms in the parts that are satisfied counts; what is left out never does. Spans are
        characters of `document.texts`: of `plain(title)` and `plain(abstract)`, and of the plain authors and
        categories joined with ", ".
        """
        found = self.places(document)
        return None if found is None else tuple(sorted(map(document.span, found)))

    def points(self, document: Document) -> float | None:
        """Return what a hit is worth (see `rank.points`), or None where the query does not hit."""
        found = self.places(document)
        if found is None:
            return None
        fields = document.fields
        return worth([fields[place >> SHIFT] if place >= 0 else CATEGORY for place in found])

    def places(self, document: Document) -> set[Place] | None:
        """Return the same as places of the document, in no order."""
        found = find(self.plan, document)
        return None if found is None else set(found)


def parse_query(text: str) -> Query:
    """Return the query that `text` spells.

    Raises QueryError with the column, from 1, of what is wrong and a sentence that says what was expected:
    also past 1,000 characters, 64 terms or 16 levels, and for a query that a paper could satisfy without
    holding any of its terms.
    """
    _limit(text, "this one")
    root = parse(text)
    if not needs_a_term(root):
        subject = "each alternative of an OR" if isinstance(root, Or) else "a query"
        raise QueryError(f"{subject} needs at least one term to look for; this one only says what to leave out", 1)
    query = Query(root)
    _limit(str(query), "this one written out in full")
    return query


def _limit(text: str, what: str) -> None:
    if len(text) > MAX_LENGTH:
        raise QueryError(f"a query has at most {MAX_LENGTH:,} characters; {what} has {len(text):,}", MAX_LENGTH + 1)
