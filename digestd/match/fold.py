"""Near-copies: papers that are the same work, or nearly, under another id, version or title.

Two papers are near-copies when the runs of three words in their abstracts overlap by at least a threshold (the
Jaccard index of shingles; Broder 1997), inflection and signs left aside. Titles decide nothing: a work is renamed
from one version to the next, and two works of one series have titles that differ in a word. Measured on the samples,
works that are the same overlap by 0.70 and more, companion papers of the same authors by 0.44 and less, and all
others by less than 0.06.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil

import numpy as np
from numpy.typing import NDArray

from digestd.match.document import FIELDS, SHIFT, SIZE, Document
from digestd.model import Field

NEAR = 0.6  # between what is the same work and what is only of the same authors
_ABSTRACT = FIELDS.index(Field.ABSTRACT)
_WORDS = 3
_BITS = 21  # of a word's number, three in a run; past two million words, more than are read, runs begin to look alike
_LEAST = 15  # shingles; a shorter abstract ("This paper has been withdrawn by the author") says too little

Shingles = NDArray[np.uint64]  # each once, ascending: a thousand papers have 200,000, too many to be objects


def near_copies(documents: Iterable[Document], threshold: float = NEAR) -> Mapping[int, frozenset[int]]:
    """Return for each document that has near-copies their places among `documents`. Symmetric, not transitive.

    Exact, and yet not every pair is compared: of two sets that overlap by `threshold`, both have at least one of
    their rarest few in common (prefix filtering; Chaudhuri, Ganti and Kaushik 2006).
    """
    words: dict[str, int] = {}
    shingled = {place: _shingles(document, words) for place, document in enumerate(documents)}
    shingled = {place: found for place, found in shingled.items() if len(found) >= _LEAST}
    if not shingled:
        return {}
    every, papers = np.unique(np.concatenate(list(shingled.values())), return_counts=True)
    waiting: dict[int, list[int]] = {}
    near: dict[int, set[int]] = {}
    for place, found in shingled.items():
        frequency = papers[np.searchsorted(every, found)]
        rarest = np.lexsort((found, frequency))[: len(found) - ceil(threshold * len(found)) + 1]
        shared = found[rarest[frequency[rarest] > 1]].tolist()  # what one paper alone has leads to no other
        for other in {other for one in shared for other in waiting.get(one, ())}:
            if _overlap(found, shingled[other]) >= threshold:
                near.setdefault(place, set()).add(other)
                near.setdefault(other, set()).add(place)
        for one in shared:
            waiting.setdefault(one, []).append(place)
    return {place: frozenset(others) for place, others in near.items()}


def _shingles(document: Document, words: dict[str, int]) -> Shingles:
    """Return the runs of words of a paper's abstract, by the numbers of their stems: new ones get the next."""
    read = [
        (place >> SHIFT, words.setdefault(stem, len(words)))
        for stem, places in document.stems.items()
        for place in places
        if place & SIZE == 1 and document.fields[place >> SHIFT] == _ABSTRACT
    ]
    numbers = np.array([number for _, number in sorted(read)], np.uint64)
    runs = np.zeros(max(0, len(numbers) - _WORDS + 1), np.uint64)
    for start in range(_WORDS):
        runs = runs << np.uint64(_BITS) | numbers[start : start + len(runs)]
    return np.unique(runs)


def _overlap(left: Shingles, right: Shingles) -> float:
    """Return how much of both is in both: 0 for nothing, 1 for all."""
    both = len(np.intersect1d(left, right, assume_unique=True))
    return both / (len(left) + len(right) - both)
