"""Some papers made ready for many queries: the papers stay, the queries pass by.

The other way round from an index: for an hour's digests the papers of a day are few and the queries many, and
none of them need be kept, compiled, once it has been looked for. A query is tried on the papers that hold a key of
its rarest requirement, and evaluated in full there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from digestd.match.document import Document
from digestd.match.plan import Requirement, requirements
from digestd.match.query import Query

Hits = tuple[tuple[int, float], ...]  # place of a paper, and the points of the query there; in order of place


class Window:
    """A sequence of analysed papers, each known by its place in it."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self.documents: Sequence[Document] = tuple(documents)
        self._holding: dict[str, list[int]] = {}
        for place, document in enumerate(self.documents):
            for key in document.keys:
                self._holding.setdefault(key, []).append(place)

    def hits(self, query: Query) -> Hits:
        """Return where the query hits, and what each hit is worth (see `rank.points`)."""
        rarest = min(requirements(query.plan), key=self._size)
        places = sorted({place for key in rarest for place in self._holding.get(key, ())})
        found = ((place, query.points(self.documents[place])) for place in places)
        return tuple((place, points) for place, points in found if points is not None)

    def _size(self, required: Requirement) -> int:
        return sum(len(self._holding.get(key, ())) for key in required)
