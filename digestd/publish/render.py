"""An edition becomes what a person reads: the subject, the text part and the HTML part.

Pure: the same edition and snapshot give the same characters, on any machine and at any time. What would make
the HTML larger than receivers show is listed by title, and past that counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import NamedTuple

from markupsafe import escape

from digestd.errors import TemplateError
from digestd.match.text import clean
from digestd.model import Cadence, Edition, Entry, Paper, Place, Section, Snapshot
from digestd.publish import wording
from digestd.publish.addresses import unsubscribe_urls
from digestd.publish.card import card, title_line
from digestd.publish.encode import Encoded, encoded, encoded_addresses, encoded_lines, joined
from digestd.publish.frame import Frame, Shape, frame, laid_out, tidy
from digestd.publish.letter import letter_parts
from digestd.publish.plaintext import underlined, wrap
from digestd.publish.templates import FRAME_HTML, Templates, templates
from digestd.publish.words import OWN

# Gmail clips at 102 kB and hides the footer with it; MAIL.md leaves room for what relays add.
LONGEST_HTML = 90_000
_MOST_ALREADY = 30  # titles of alerts at the end of a digest; they were read before

# About what a section's heading costs in HTML beside its own text. Only to guess how much has to go: what is left is
# rendered and measured again.
_HEADING_OCTETS = 200


class Rendered(NamedTuple):
    """An edition in words: one line, and the two parts of the message, encoded in pieces (`publish.encode`)."""

    subject: str
    encoded_text: tuple[Encoded, ...]
    encoded_html: tuple[Encoded, ...]

    @property
    def text(self) -> str:
        """The text part. Line ends are line feeds."""
        return joined(self.encoded_text)

    @property
    def html(self) -> str:
        """The HTML part. Line ends are line feeds."""
        return joined(self.encoded_html)


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A paper that has only its title, in both parts, encoded. `octets` is how long its HTML is before that."""

    html: Encoded
    text: Encoded
    octets: int


@dataclass(frozen=True, slots=True, eq=False)
class Card(Line):
    """One paper in both parts, and the lines that stand for it and its near-copies where a card does not fit."""

    lines: tuple[Line, ...]


class _Shown(NamedTuple):
    """What is shown of a section. `more` counts what is not."""

    section: Section
    cards: list[Card]
    titles: list[Line]
    more: int


class _Around(NamedTuple):
    """What stands around the papers of many editions: the frame, and the words in it that they have in common."""

    shape: Shape
    frame: Frame | None  # None where the templates do more with words than show them
    html: tuple[Encoded, ...]
    text: tuple[Encoded, ...]


def render(edition: Edition, snapshot: Snapshot) -> Rendered:
    """Return the subject, text and HTML of an edition, as `Renderer.render` does."""
    return Renderer(snapshot).render(edition)


class Renderer:
    """Renders editions with one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Raises TemplateError for a template that does not parse."""
        self._snapshot = snapshot
        self._ready = templates(snapshot.templates)
        self._sender = clean(snapshot.sender.from_name) or clean(snapshot.sender.from_address)
        self._contact = clean(snapshot.sender.reply_to)

    def render(self, edition: Edition) -> Rendered:
        """Return the subject, text and HTML of an edition.

        Raises TemplateError for a template of the snapshot that is missing, fails, or is alone larger than
        LONGEST_HTML; ConfigError for a `public_url` that is no web address; AddressRefused for a sender that no
        header can carry.
        """
        if edition.letter is not None:
            subject, text, html = letter_parts(edition, self._snapshot)
            return Rendered(subject, (encoded(tidy(text)),), (encoded(html.rstrip() + "\n"),))
        own = self._own_words(edition)
        shown = [_shown(self._ready, section) for section in edition.sections]
        already = [_line(self._ready, paper) for paper in edition.already[:_MOST_ALREADY]]
        rendered = self._filled(edition, own, shown, already)
        while (excess := _excess(rendered)) > 0:
            if already:
                already = []
            elif shown:
                shown = _smaller(shown, excess)
            else:
                raise TemplateError(f"{FRAME_HTML}: without any paper, {excess} octets over {LONGEST_HTML}")
            rendered = self._filled(edition, own, shown, already)
        return rendered

    def _own_words(self, edition: Edition) -> list[str]:
        """Return the words that no other edition has, the first of WORDS."""
        by_web, by_mail = unsubscribe_urls(self._snapshot.sender, edition.reader.token)
        online = f"{by_web}/editions/{edition.id}"
        subject, preheader = wording.first_lines(edition)
        return [
            subject,
            preheader,
            wording.reason(edition),
            by_web or by_mail,
            f"{by_web}/preferences" if by_web else "",
            online if by_web else "",
            f"{online}/tune" if by_web and self._is_tunable(edition) else "",
        ]

    def _is_tunable(self, edition: Edition) -> bool:
        return self._snapshot.sender.learning and any(section.entries for section in edition.sections)

    def _filled(self, edition: Edition, own: list[str], shown: Sequence[_Shown], already: Sequence[Line]) -> Rendered:
        """Return an edition with what is shown of its sections, and of what came as alerts."""
        words = [
            wording.long_date(edition),
            wording.heading(edition),
            wording.intro(edition),
            wording.already_more(len(edition.already) - len(already), has_titles=bool(already)),
        ]
        counts: list[tuple[int, int]] = []
        pieces: list[Line] = []
        for section, cards, titles, more in shown:
            words += (
                wording.profile_name(section.profile),
                wording.summary(section),
                wording.more(more, has_papers=bool(cards or titles)),
            )
            counts.append((len(cards), len(titles)))
            pieces += cards
            pieces += titles
        pieces += already
        around = _around(
            self._ready,
            edition.cadence,
            self._sender,
            self._contact,
            tuple(map(bool, own)),
            tuple(words),
            tuple(counts),
            len(already),
        )
        made = around.frame or self._laid_out(edition, around.shape, [*own, *words])
        html, text = _own(own)
        return Rendered(
            own[0],
            made.text.filled([*text, *around.text, *[piece.text for piece in pieces]]),
            made.html.filled([*html, *around.html, *[piece.html for piece in pieces]]),
        )

    def _laid_out(self, edition: Edition, shape: Shape, words: Sequence[str]) -> Frame:
        """Return the frame of an edition whose words templates look at."""
        html = [str(escape(word)) for word in words]
        text = [lay_out(word) for lay_out, word in zip(_in_text_of(shape), words, strict=True)]
        return laid_out(self._ready, shape, html, text, edition.id)


# How the text part lays out each of WORDS, and of SECTION_WORDS.
_IN_TEXT: tuple[Callable[[str], str], ...] = (str, str, wrap, str, str, str, str, str, underlined, wrap, str)
_SECTION_IN_TEXT: tuple[Callable[[str], str], ...] = (partial(underlined, line="-"), wrap, str)


def _in_text_of(shape: Shape) -> tuple[Callable[[str], str], ...]:
    return (*_IN_TEXT, *_SECTION_IN_TEXT * len(shape.sections))


def _own(words: Sequence[str]) -> tuple[list[Encoded], list[Encoded]]:
    """Return an edition's own words, encoded for the HTML and for the text part."""
    subject, preheader, reason, *urls = words
    *first, last, wrapped = encoded_lines([subject, preheader, reason, wrap(reason)])
    addresses = encoded_addresses(urls)
    text = [*first, wrapped, *addresses]
    together = f"{subject}{preheader}{reason}{urls[0]}"  # the other addresses begin with that one
    if any(map(together.__contains__, "&<>\"'")):  # most have none of these
        html = [str(escape(word)) for word in words]
        return [*encoded_lines(html[:3]), *encoded_addresses(html[3:])], text
    return [*first, last, *addresses], text


@lru_cache(maxsize=4096)  # looked up once for an edition, and not for each of its words
def _around(
    ready: Templates,
    cadence: Cadence,
    sender: str,
    contact: str,
    has_own: tuple[bool, ...],
    words: tuple[str, ...],
    sections: tuple[tuple[int, int], ...],
    already: int,
) -> _Around:
    """Return what stands around the papers of all editions with these words, which are WORDS from OWN on.

    The rest is as in `Shape`.
    """
    shape = Shape(cadence, sender, contact, (*has_own, *map(bool, words)), sections, already)
    return _Around(
        shape,
        frame(ready, shape) if ready.only_shows_words else None,
        tuple(map(_in_html, words)),
        tuple(map(_in_text, _in_text_of(shape)[OWN:], words)),
    )


# Of the words of an edition, those that many have. Its own are as many as there are readers.
@lru_cache(maxsize=4096)
def _in_html(word: str) -> Encoded:
    return encoded(str(escape(word)))


@lru_cache(maxsize=4096)
def _in_text(lay_out: Callable[[str], str], word: str) -> Encoded:
    return encoded(lay_out(word))


def _shown(ready: Templates, section: Section) -> _Shown:
    """Return a section with all that was chosen for it."""
    return _Shown(
        section,
        [_card(ready, entry.paper, entry.queries, also) for entry, also in _with_copies(section)],
        [_line(ready, entry.paper) for entry in section.entries if entry.place is Place.TITLE],
        max(0, section.matched - len(section.entries)),
    )


def _with_copies(section: Section) -> list[tuple[Entry, tuple[Paper, ...]]]:
    """Return the entries that are cards, each with the papers folded into it, which stand right behind it."""
    cards: list[tuple[Entry, tuple[Paper, ...]]] = []
    is_behind_card = False
    for entry in section.entries:
        if entry.place is Place.CARD:
            cards.append((entry, ()))
            is_behind_card = True
        elif entry.place is Place.FOLDED and is_behind_card:
            card, also = cards[-1]
            cards[-1] = card, (*also, entry.paper)
        else:
            is_behind_card = False
    return cards


def _excess(rendered: Rendered) -> int:
    """Return by how many octets the HTML is larger than LONGEST_HTML, or none or less."""
    # Encoded it has no fewer, and few editions come near.
    excess = sum(map(len, rendered.encoded_html)) - LONGEST_HTML
    return excess if excess <= 0 else len(rendered.html.encode()) - LONGEST_HTML


def _smaller(shown: Sequence[_Shown], excess: int) -> list[_Shown]:
    """Return the sections with about `excess` octets less: last cards become titles, last titles are counted.

    Cards and titles give way to one another, so that a long list leaves room for the best papers; and the
    section that takes most gives first, so that a reader's last profile is not emptied for the first one.
    """
    smaller = list(shown)
    while excess > 0 and smaller:
        cards = [sum(made.octets for made in one.cards) for one in smaller]
        titles = [sum(made.octets for made in one.titles) for one in smaller]
        if sum(cards) > sum(titles):
            at = cards.index(max(cards))
            one = smaller[at]
            *kept, last = one.cards
            smaller[at] = one._replace(cards=kept, titles=[*last.lines, *one.titles])
            excess -= last.octets - sum(line.octets for line in last.lines)
        elif any(titles):
            at = titles.index(max(titles))
            one = smaller[at]
            *lines, dropped = one.titles
            smaller[at] = one._replace(titles=lines, more=one.more + 1)
            excess -= dropped.octets
        else:  # hundreds of profiles; the introduction counts their papers
            excess -= _HEADING_OCTETS + len(smaller.pop().section.profile.encode())
    return smaller


# The same papers go to many readers, and identical queries of many people are one query. About 8 kB each.
@lru_cache(maxsize=16384)
def _card(ready: Templates, paper: Paper, queries: tuple[str, ...], also: tuple[Paper, ...]) -> Card:
    shown = card(paper, queries, also)
    html = str(ready.html("mail/card.html.j2", card=shown)).strip() + "\n"
    text = tidy(ready.text("mail/card.txt.j2", card=shown)).strip("\n") + "\n"
    lines = tuple(_line(ready, one) for one in (paper, *also))
    return Card(encoded(html), encoded(text), _octets(html), lines)


@lru_cache(maxsize=4096)
def _line(ready: Templates, paper: Paper) -> Line:
    shown = title_line(paper)
    html = str(ready.html("mail/line.html.j2", line=shown)).strip() + "\n"
    return Line(encoded(html), encoded(tidy(ready.text("mail/line.txt.j2", line=shown))), _octets(html))


def _octets(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
