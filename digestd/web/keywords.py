"""Keywords as one types them, `agents, "tool use", -medical`, become queries and exclusions, and back again. Pure.

An entry ends at a comma, a semicolon or a line's end outside quotes and brackets; one that begins with a minus says
what to leave out. Each entry is an expression of the query language, so whoever knows that may use all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from digestd.errors import QueryError
from digestd.match.query import parse_query
from digestd.match.text import clean
from digestd.model import Profile, WeightedQuery

MAX_LENGTH = 4_000  # characters
MAX_ENTRIES = 50
_LONGEST_NAME = 60
_SHOWN = 60  # characters of an entry in an error


@dataclass(frozen=True, slots=True)
class Keywords:
    """What was typed, understood as far as it goes. `mistakes` are sentences, in the order of the entries."""

    queries: tuple[str, ...]
    exclude: tuple[str, ...]
    mistakes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of a profile of these: its first words."""
        words = [query.strip('"=') for query in self.queries[:3]]
        name = ", ".join(words)
        return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1].rstrip(" ,") + "…"


def read_keywords(text: str) -> Keywords:
    """Return what a person typed. Whatever cannot be used is a mistake, and the rest is read all the same."""
    if len(text) > MAX_LENGTH:
        return Keywords((), (), (f"That is {len(text):,} characters; at most {MAX_LENGTH:,} are read.",))
    queries: dict[str, None] = {}
    exclude: dict[str, None] = {}
    mistakes: list[str] = []
    entries = [entry for raw in _entries(text) if (entry := clean(raw).strip())]
    if len(entries) > MAX_ENTRIES:
        mistakes.append(f"There are {len(entries)} search words; at most {MAX_ENTRIES} can be followed.")
    for entry in entries[:MAX_ENTRIES]:
        without = entry.startswith("-")
        query = entry[1:].strip() if without else entry
        try:
            parse_query(query)
        except QueryError as error:
            shown = entry if len(entry) <= _SHOWN else entry[: _SHOWN - 1] + "…"
            mistakes.append(f"“{shown}”, character {error.column + without}: {error.problem}.")
        else:
            (exclude if without else queries).setdefault(query)
    if not queries and not mistakes:
        what = "Besides what to leave out, name" if exclude else "Name"
        mistakes.append(f"{what} at least one word or phrase to look for.")
    return Keywords(tuple(queries), tuple(exclude), tuple(mistakes))


def written_keywords(profile: Profile) -> str:
    """Return a profile's queries and exclusions as a person types them; `read_keywords` gives them back."""
    entries = [*(query.query for query in profile.queries), *(f"-{query}" for query in profile.exclude)]
    return ", ".join(entries)


def weighted(queries: tuple[str, ...], known: Profile | None) -> tuple[WeightedQuery, ...]:
    """Return queries with the weights they have in a known profile."""
    weights = {query.query: query.weight for query in known.queries} if known else {}
    return tuple(WeightedQuery(query, weights.get(query, 1.0)) for query in queries)


def _entries(text: str) -> Iterator[str]:
    start, depth, quoted = 0, 0, False
    for place, sign in enumerate(text):
        if sign in "\r\n" or (sign in ",;" and not quoted and depth == 0):
            yield text[start:place]
            start, depth, quoted = place + 1, 0, False
        elif sign in '"“”„':
            quoted = not quoted
        elif not quoted and sign in "()":
            depth = max(0, depth + (1 if sign == "(" else -1))
    yield text[start:]
