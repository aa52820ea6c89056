"""The frame of an edition: all that stands around its cards, laid out once for all editions of one shape.

What the templates make of an edition depends on its shape: how many cards and titles each section has, and which
words there are. What the words say changes nothing else. So a frame is rendered with a mark in the place of each word
and encoded once, and an edition only fills it in. A template that does more with a word than show it is rendered
with the words themselves: slower, and the same characters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from operator import itemgetter
from typing import NamedTuple

from markupsafe import Markup

from digestd.model import Cadence
from digestd.publish import wording
from digestd.publish.encode import Encoded, encoded
from digestd.publish.templates import FRAME_HTML, FRAME_TEXT, Templates
from digestd.publish.words import SECTION_WORDS, WORDS

# What stands for a word, a card or a title's line while a frame is laid out.
_MARK = re.compile("\ue000([0-9a-f]*)([wp])([0-9]+)\ue001")
_EMPTY_LINES = re.compile("\n{3,}")


class Shape(NamedTuple):
    """What decides a frame: which words are not empty, and how many cards and titles there are.

    `sections` counts cards and titles of each, `already` the titles of alerts.
    """

    cadence: Cadence
    sender: str
    contact: str
    has: tuple[bool, ...]
    sections: tuple[tuple[int, int], ...]
    already: int


@dataclass(frozen=True, slots=True)
class PieceView:
    """A card or a title's line as the templates see it: a place for it in each part."""

    html: Markup
    text: str


@dataclass(frozen=True, slots=True)
class SectionView:
    """A section as the templates see it. `first` is the number of its first card."""

    name: str
    summary: str
    more: str
    first: int
    cards: tuple[PieceView, ...]
    titles: tuple[PieceView, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """The frame of one part, encoded: what stands as it is, and in which order that and the values come."""

    standing: tuple[Encoded, ...]
    in_order: Callable[[Sequence[Encoded]], tuple[Encoded, ...]]

    def filled(self, values: list[Encoded]) -> tuple[Encoded, ...]:
        """Return the part with its words, cards and titles: `values`, its own from now on, by their numbers."""
        values += self.standing
        return self.in_order(values)


@dataclass(frozen=True, slots=True)
class Frame:
    """The frames of both parts."""

    html: Part
    text: Part


@lru_cache(maxsize=4096)  # a few kB each: the lines that many have in common are kept once
def frame(ready: Templates, shape: Shape) -> Frame:
    """Return the frame of all editions of a shape, where the templates only show words. Raises TemplateError."""
    marks = [_mark("", "w", number) if there else "" for number, there in enumerate(shape.has)]
    return laid_out(ready, shape, marks, marks, "")


def laid_out(ready: Templates, shape: Shape, html: Sequence[str], text: Sequence[str], secret: str) -> Frame:
    """Return the frame of one edition, whose words are `html` and `text`, as each part shows them.

    The words are those of WORDS, then those of SECTION_WORDS for each section. With its id for a `secret`, which is an
    HMAC, nobody's text can be taken for a mark. Raises TemplateError.
    """
    values = len(html) + sum(map(sum, shape.sections)) + shape.already
    in_html = _values(shape, [Markup(word) for word in html], secret)  # noqa: S704 - they are escaped
    return Frame(
        _part(str(ready.html(FRAME_HTML, **in_html)).rstrip() + "\n", len(html), values, secret),
        _part(tidy(ready.text(FRAME_TEXT, **_values(shape, text, secret))), len(text), values, secret),
    )


def _values(shape: Shape, words: Sequence[str], secret: str) -> dict[str, object]:
    """Return what the templates are given."""
    numbers, first, sections = count(), 1, []
    for at, (cards, titles) in enumerate(shape.sections):
        start = len(WORDS) + at * len(SECTION_WORDS)
        name, summary, more = words[start : start + len(SECTION_WORDS)]
        views = [_place(secret, next(numbers)) for _ in range(cards + titles)]
        sections.append(SectionView(name, summary, more, first, tuple(views[:cards]), tuple(views[cards:])))
        first += cards
    given: dict[str, object] = dict(zip(WORDS, words, strict=False))
    return given | {
        "label": wording.LABELS[shape.cadence],
        "alert": shape.cadence is Cadence.IMMEDIATE,
        "sender": shape.sender,
        "contact": shape.contact,
        "several": len(sections) > 1,
        "sections": sections,
        "already": [_place(secret, next(numbers)) for _ in range(shape.already)],
    }


def _mark(secret: str, kind: str, number: int) -> str:
    return f"\ue000{secret}{kind}{number}\ue001"


def _place(secret: str, number: int) -> PieceView:
    mark = _mark(secret, "p", number)
    return PieceView(Markup(mark), mark)  # noqa: S704 - no letter of it is foreign


def _part(laid_out: str, words: int, values: int, secret: str) -> Part:
    """Return a rendered frame cut at its marks; of so many `values` the first ones are `words`."""
    standing: list[Encoded] = []
    order: list[int] = []

    def stand(text: str) -> None:
        order.append(values + len(standing))
        standing.append(_as_it_is(text))

    start = 0
    for found in _MARK.finditer(laid_out):
        if found[1] != secret:
            continue
        if start < found.start():
            stand(laid_out[start : found.start()])
        is_word = found[2] == "w"
        order.append(int(found[3]) + (0 if is_word else words))
        start = found.end()
        if not is_word and laid_out.startswith("\n", start):
            start += 1  # a card has its line's end with it
    stand(laid_out[start:])
    stand("")  # of fewer than two, `itemgetter` makes no tuple
    return Part(tuple(standing), itemgetter(*order))


@lru_cache(maxsize=4096)
def _as_it_is(text: str) -> Encoded:
    return encoded(text)


def tidy(text: str) -> str:
    """Return `text` without blanks at line ends, with at most one empty line in a row, and one line end at its end.

    So that a template may be laid out for its own reader, and no mail depends on how.
    """
    if " \n" in text:  # an operator's template; the shipped ones leave none
        text = "\n".join(line.rstrip(" ") for line in text.split("\n"))
    if "\n\n\n" in text:
        text = _EMPTY_LINES.sub("\n\n", text)
    return text.strip("\n") + "\n"
