"""Near-copies: papers that are the same work, or nearly, under another id, version or title.

Two papers are near-copies when the runs of three words in their abstracts overlap by at least a threshold (the
Jaccard index of shingles; Broder 1997), inflection and signs left aside. Titles decide nothing: a work is renamed
from one version to the next, and two works of one series have titles that differ in a word. Measured on the samples,
works that are the same overlap by 0.70 and more, companion papers of the same authors by 0.44 and less, and all
others by less than 0.06.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from math import ceil

from digestd.match.document import FIELDS, SHIFT, SIZE, Document
from digestd.model import Field

NEAR = 0.6  # between what is the same work and what is only of the same authors
_ABSTRACT = FIELDS.index(Field.ABSTRACT)
_WORDS = 3
_LEAST = 15  # shingles; a shorter abstract ("This paper has been withdrawn by the author") says too little

Shingle = tuple[str, ...]


def near_copies(documents: Iterable[Document], threshold: float = NEAR) -> Mapping[int, frozenset[int]]:
    """Return for each document that has near-copies their places among `documents`. Symmetric, not transitive.

    Exact, and yet not every pair is compared: of two sets that overlap by `threshold`, both have at least one of
    their rarest few in common (prefix filtering; Chaudhuri, Ganti and Kaushik 2006).
    """
    shingled = {place: shingles(document) for place, document in enumerate(documents)}
    shingled = {place: found for place, found in shingled.items() if len(found) >= _LEAST}
    frequency = Counter(one for found in shingled.values() for one in found)
    waiting: dict[Shingle, list[int]] = {}
    near: dict[int, set[int]] = {}
    for place, found in shingled.items():
        rarest = sorted(found, key=lambda one: (frequency[one], one))[: len(found) - ceil(threshold * len(found)) + 1]
        known = {other for one in rarest for other in waiting.get(one, ())}
        for other in known:
            if overlap(found, shingled[other]) >= threshold:
                near.setdefault(place, set()).add(other)
                near.setdefault(other, set()).add(place)
        for one in rarest:
            if frequency[one] > 1:
                waiting.setdefault(one, []).append(place)
    return {place: frozenset(others) for place, others in near.items()}


def shingles(document: Document) -> frozenset[Shingle]:
    """Return the runs of words of a paper's abstract, by their stems."""
    read = [
        (place >> SHIFT, stem)
        for stem, places in document.stems.items()
        for place in places
        if place & SIZE == 1 and document.fields[place >> SHIFT] == _ABSTRACT
    ]
    stems = [stem for _, stem in sorted(read)]
    return frozenset(zip(*(stems[start:] for start in range(_WORDS)), strict=False))


def overlap(left: frozenset[Shingle], right: frozenset[Shingle]) -> float:
    """Return how much of both is in both: 0 for nothing, 1 for all."""
    both = len(left & right)
    return both / (len(left) + len(right) - both)
