"""What a reader wants more and less of, said on pages of their own. Synchronous: it is called in a thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from urllib.parse import parse_qs

from digestd.errors import NotFound
from digestd.match.learn import MOST_OPINIONS, Term, Wish, learned, told
from digestd.model import Edition, Place
from digestd.publish.card import title_line
from digestd.store.base import Said, Store, StoredSubscriber
from digestd.web.subscription import Subscriptions

SHOWN = 20  # learned words on a page; the weaker ones are counted
_MAX_FIELDS = 4


@dataclass(frozen=True, slots=True)
class Pressed:
    """What a form of these pages sends: an action, and the paper it is about by its place in the edition."""

    action: str
    place: int


def pressed(body: bytes) -> Pressed:
    """Return what was pressed; a body that is no such form pressed nothing."""
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=_MAX_FIELDS)
    except ValueError:
        fields = {}
    place = fields.get("paper", [""])[0]
    return Pressed(fields.get("action", [""])[0], int(place) if place.isdecimal() and len(place) < 6 else -1)


@dataclass(frozen=True, slots=True)
class Line:
    """A paper of an edition: its place there, its title and link, what the reader said of it, and what moved it."""

    place: int
    title: str
    url: str
    folded: bool
    wish: str
    moved: str


@dataclass(frozen=True)
class Learned:
    """How things stand with a reader: the words that move their papers, strongest first, as they weigh now."""

    stored: StoredSubscriber
    said: Said
    now: datetime

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """The words with their weights."""
        return self.said.leaning.faded(self.now) if self.said.leaning else ()

    @property
    def words(self) -> tuple[tuple[str, str], ...]:
        """The strongest of them, each with its weight as it is shown."""
        return tuple((term.word, f"{term.weight:+.2f}".replace("-", "\u2212")) for term in self.terms[:SHOWN])

    @property
    def more(self) -> int:
        """How many words are not among those shown."""
        return max(0, len(self.terms) - SHOWN)


@dataclass(frozen=True, slots=True)
class Tuned:
    """An edition to be tuned: its sections by name, each with its papers in order."""

    edition: Edition
    sections: tuple[tuple[str, tuple[Line, ...]], ...]
    learned: Learned


class Tuning:
    """What the readers of a store say of their papers. All raise NotFound for a token that opens nothing."""

    def __init__(self, store: Store, clock: Callable[[], datetime], subscriptions: Subscriptions) -> None:
        self._store = store
        self._clock = clock
        self._subscriptions = subscriptions

    def learned(self, token: str) -> Learned:
        """Return how things stand with a reader."""
        stored = self._subscriptions.opened(token)
        return Learned(stored, self._store.leanings.said(stored.pk), self._clock())

    def tuned(self, token: str, id: str) -> Tuned:
        """Return an edition with what its reader said of it. Raises NotFound for one that is not theirs."""
        now = self.learned(token)
        number = self._store.readers.edition(now.stored.pk, id)
        loaded = self._store.editions.load([number], lambda subscriber, address: token)
        if number not in loaded:
            raise NotFound(f"no edition {id}")
        edition, _ = loaded[number]
        wishes = self._store.leanings.wishes(now.stored.pk, number)
        sections, first = [], 0
        for section in edition.sections:
            lines = []
            for place, entry in enumerate(section.entries, first):
                line = title_line(entry.paper)
                wish = wishes[place].name.lower() if place in wishes else ""
                folded = entry.place is Place.FOLDED
                lines.append(Line(place, line.title, line.url, folded, wish, told(entry.moved)))
            first += len(lines)
            sections.append((section.profile, tuple(lines)))
        return Tuned(edition, tuple(sections), now)

    def say(self, token: str, id: str, place: int, wish: Wish | None) -> bool:
        """Note what a reader wants of papers like the one at a place; None takes it back. Returns whether it is new."""
        pk = self._subscriptions.opened(token).pk
        number = self._store.readers.edition(pk, id)
        return self._store.leanings.say(pk, number, place, wish, self._clock(), learned, MOST_OPINIONS)

    def switch(self, token: str, *, active: bool) -> None:
        """Let what was learned move the reader's papers, or not."""
        self._store.leanings.switch(self._subscriptions.opened(token).pk, self._clock(), active=active)

    def reset(self, token: str) -> None:
        """Forget what the reader said and what was learned of it."""
        self._store.leanings.reset(self._subscriptions.opened(token).pk)
