"""Which words of a paper are shown as matched: a text cut into runs that are plain, marked, or a link.

The queries of an entry are evaluated again on the paper as it is shown. A query that no longer parses or no
longer hits marks nothing: marks help the eye, they decide nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from digestd.errors import QueryError
from digestd.match.document import Document, analyse
from digestd.match.query import Query, parse_query
from digestd.model import Field, Paper, Span


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of text that is shown in one way."""

    text: str
    marked: bool = False
    url: str | None = None


def spans(paper: Paper, queries: Iterable[str]) -> tuple[Span, ...]:
    """Return where the queries hit the paper, in order, over `match.text.plain` of each field."""
    document = known_document(paper)
    found: set[Span] = set()
    for text in queries:
        query = known_query(text)
        if query is not None:
            found.update(query.spans(document) or ())
    return tuple(sorted(found))


def runs(text: str, marks: Iterable[tuple[int, int]], links: Iterable[tuple[int, int, str]] = ()) -> tuple[Run, ...]:
    """Cut `text` at the borders of `marks` (start, end) and `links` (start, end, url); joined, it is `text` again.

    Marks may overlap and may reach past the end of a shortened text; links may not overlap one another.
    """
    # Each position carries what changes there, so a text with many marks is cut in one pass.
    depth: dict[int, int] = {0: 0, len(text): 0}
    opens: dict[int, str | None] = {}
    for start, end in marks:
        if start < end <= len(text):
            depth[start] = depth.get(start, 0) + 1
            depth[end] = depth.get(end, 0) - 1
    for start, end, url in links:
        opens.setdefault(end, None)
        opens[start] = url
    cuts = sorted({*depth, *opens})
    cut, level, url_here = [], 0, None
    for start, end in pairwise(cuts):
        level += depth.get(start, 0)
        url_here = opens.get(start, url_here)
        # A link stays whole: an address cut by a mark reads as one host and leads to another, as a fraud's does.
        cut.append(Run(text[start:end], level > 0 and url_here is None, url_here))
    return _joined(cut)


def of_field(found: Iterable[Span], field: Field) -> tuple[tuple[int, int], ...]:
    """Return the (start, end) of the spans that lie in `field`."""
    return tuple((span.start, span.end) for span in found if span.field is field)


def _joined(cut: Iterable[Run]) -> tuple[Run, ...]:
    # Two marks that touch are one mark to the eye, and half the markup.
    joined: list[Run] = []
    for run in cut:
        if joined and (joined[-1].marked, joined[-1].url) == (run.marked, run.url):
            run = Run(joined.pop().text + run.text, run.marked, run.url)
        joined.append(run)
    return tuple(joined)


# A day's papers and the queries of a few thousand readers: what one run of `publish` meets again and again.
@lru_cache(maxsize=512)
def known_document(paper: Paper) -> Document:
    """Return a paper analysed, once for all who ask."""
    return analyse(paper)


@lru_cache(maxsize=4096)
def known_query(text: str) -> Query | None:
    """Return the query that `text` spells, parsed once for all who ask; None where it is none."""
    try:
        return parse_query(text)
    except QueryError:
        return None
