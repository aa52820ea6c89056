"""An edition becomes what a person reads: the subject, the text part and the HTML part.

Pure: the same edition and snapshot give the same characters, on any machine and at any time. What would make
the HTML larger than receivers show is listed by title, and past that counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial

from markupsafe import escape

from digestd.errors import TemplateError
from digestd.match.text import clean
from digestd.model import Cadence, Edition, Entry, Paper, Place, Section, Snapshot
from digestd.publish import wording
from digestd.publish.addresses import unsubscribe_urls
from digestd.publish.card import card, title_line
from digestd.publish.encode import Encoded, Piece, encoded, encoded_address, encoded_lines, joined
from digestd.publish.frame import Shape, frame, laid_out, tidy
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


@dataclass(frozen=True, slots=True)
class Rendered:
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
    """A paper that has only its title, in both parts."""

    html: Piece
    text: Piece


@dataclass(frozen=True, slots=True, eq=False)
class Card:
    """One paper in both parts, and the lines that stand for it and its near-copies where a card does not fit."""

    html: Piece
    text: Piece
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class _Shown:
    """What is shown of a section. `more` counts what is not."""

    section: Section
    cards: tuple[Card, ...]
    titles: tuple[Line, ...]
    more: int


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
            return Rendered(subject, (Piece.of(tidy(text)).encoded,), (Piece.of(html.rstrip() + "\n").encoded,))
        words = self._words(edition)
        shown = [_shown(self._ready, section) for section in edition.sections]
        already = [_line(self._ready, paper) for paper in edition.already[:_MOST_ALREADY]]
        rendered = self._filled(edition, words, shown, already)
        while (excess := _excess(rendered)) > 0:
            if already:
                already = []
            elif shown:
                shown = _smaller(shown, excess)
            else:
                raise TemplateError(f"{FRAME_HTML}: without any paper, {excess} octets over {LONGEST_HTML}")
            rendered = self._filled(edition, words, shown, already)
        return rendered

    def _words(self, edition: Edition) -> list[str]:
        """Return what an edition says around its sections, in the order of WORDS but the last."""
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
            wording.long_date(edition),
            wording.heading(edition),
            wording.intro(edition),
        ]

    def _is_tunable(self, edition: Edition) -> bool:
        return self._snapshot.sender.learning and any(section.entries for section in edition.sections)

    def _filled(
        self, edition: Edition, words: Sequence[str], shown: Sequence[_Shown], already: Sequence[Line]
    ) -> Rendered:
        """Return an edition with what is shown of its sections, and of what came as alerts."""
        words = [*words, wording.already_more(len(edition.already) - len(already), has_titles=bool(already))]
        pieces: list[Card | Line] = []
        for one in shown:
            more = wording.more(one.more, has_papers=bool(one.cards or one.titles))
            words += wording.profile_name(one.section.profile), wording.summary(one.section), more
            pieces += one.cards
            pieces += one.titles
        pieces += already
        shape = Shape(
            wording.label(edition),
            edition.cadence is Cadence.IMMEDIATE,
            self._sender,
            self._contact,
            tuple(map(bool, words)),
            tuple([(len(one.cards), len(one.titles)) for one in shown]),
            len(already),
        )
        in_text = (*_IN_TEXT, *_SECTION_IN_TEXT * len(shown))
        if self._ready.only_shows_words:
            made = frame(self._ready, shape)
        else:
            html = [str(escape(word)) for word in words]
            text = [lay_out(word) for lay_out, word in zip(in_text, words, strict=True)]
            made = laid_out(self._ready, shape, html, text, edition.id)
        html_values, text_values = _own(words[:OWN])
        html_values += map(_in_html, words[OWN:])
        html_values += [piece.html.encoded for piece in pieces]
        text_values += map(_in_text, in_text[OWN:], words[OWN:])
        text_values += [piece.text.encoded for piece in pieces]
        return Rendered(words[0], made.text.filled(text_values), made.html.filled(html_values))


# How the text part lays out each of WORDS, and of SECTION_WORDS.
_IN_TEXT: tuple[Callable[[str], str], ...] = (str, str, wrap, str, str, str, str, str, underlined, wrap, str)
_SECTION_IN_TEXT: tuple[Callable[[str], str], ...] = (partial(underlined, line="-"), wrap, str)


def _own(words: Sequence[str]) -> tuple[list[Encoded], list[Encoded]]:
    """Return an edition's own words, encoded for the HTML and for the text part."""
    subject, preheader, reason, *urls = words
    *first, last, wrapped = encoded_lines([subject, preheader, reason, wrap(reason)])
    addresses = [encoded_address(url) for url in urls]
    text = [*first, wrapped, *addresses]
    together = f"{subject}{preheader}{reason}{urls[0]}"  # the other addresses begin with that one
    if any(map(together.__contains__, "&<>\"'")):  # most have none of these
        html = [str(escape(word)) for word in words]
        return [*encoded_lines(html[:3]), *map(encoded_address, html[3:])], text
    return [*first, last, *addresses], text


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
        tuple([_card(ready, entry.paper, entry.queries, also) for entry, also in _with_copies(section)]),
        tuple([_line(ready, entry.paper) for entry in section.entries if entry.place is Place.TITLE]),
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
        cards = [sum(made.html.octets for made in one.cards) for one in smaller]
        titles = [sum(made.html.octets for made in one.titles) for one in smaller]
        if sum(cards) > sum(titles):
            at = cards.index(max(cards))
            one = smaller[at]
            *kept, last = one.cards
            smaller[at] = replace(one, cards=tuple(kept), titles=(*last.lines, *one.titles))
            excess -= last.html.octets - sum(line.html.octets for line in last.lines)
        elif any(titles):
            at = titles.index(max(titles))
            one = smaller[at]
            *lines, dropped = one.titles
            smaller[at] = replace(one, titles=tuple(lines), more=one.more + 1)
            excess -= dropped.html.octets
        else:  # hundreds of profiles; the introduction counts their papers
            excess -= _HEADING_OCTETS + len(smaller.pop().section.profile.encode())
    return smaller


# The same papers go to many readers, and identical queries of many people are one query. About 8 kB each.
@lru_cache(maxsize=16384)
def _card(ready: Templates, paper: Paper, queries: tuple[str, ...], also: tuple[Paper, ...]) -> Card:
    shown = card(paper, queries, also)
    return Card(
        html=Piece.of(ready.html("mail/card.html.j2", card=shown).strip() + "\n"),
        text=Piece.of(tidy(ready.text("mail/card.txt.j2", card=shown)).strip("\n") + "\n"),
        lines=tuple(_line(ready, one) for one in (paper, *also)),
    )


@lru_cache(maxsize=4096)
def _line(ready: Templates, paper: Paper) -> Line:
    shown = title_line(paper)
    return Line(
        html=Piece.of(ready.html("mail/line.html.j2", line=shown).strip() + "\n"),
        text=Piece.of(tidy(ready.text("mail/line.txt.j2", line=shown))),
    )
