"""An edition becomes what a person reads: the subject, the text part and the HTML part.

Pure: the same edition and snapshot give the same characters, on any machine and at any time. What would make
the HTML larger than receivers show is listed by title, and past that counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import takewhile

from markupsafe import Markup

from digestd.errors import TemplateError
from digestd.match.text import clean
from digestd.model import Cadence, Edition, Entry, Paper, Place, Section, Snapshot
from digestd.publish import wording
from digestd.publish.addresses import unsubscribe_urls
from digestd.publish.card import TitleLine, card, title_line
from digestd.publish.encode import Piece, Shared, joined
from digestd.publish.letter import letter_parts
from digestd.publish.templates import Templates, templates

# Gmail clips at 102 kB and hides the footer with it; MAIL.md leaves room for what relays add.
LONGEST_HTML = 90_000
_MOST_ALREADY = 30  # titles of alerts at the end of a digest; they were read before

# About what a title's line, or a section's heading, costs in HTML beside its own texts. Only to guess how much has
# to go: what is left is rendered and measured again.
_LINE_OCTETS = 200

_EMPTY_LINES = re.compile("\n{3,}")


# What stands in a frame for a card. The edition's id is an HMAC, so no paper's text can be taken for one.
_PLACE = re.compile("\ue000([0-9a-f]{32})\\.([0-9]+)\ue001\n?")


@dataclass(frozen=True, slots=True)
class Rendered:
    """An edition in words: one line, and the two parts of the message in pieces. Line ends are line feeds."""

    subject: str
    text_pieces: tuple[Piece, ...]
    html_pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        """The text part."""
        return joined(self.text_pieces)

    @property
    def html(self) -> str:
        """The HTML part."""
        return joined(self.html_pieces)


@dataclass(frozen=True, slots=True, eq=False)
class Card:
    """One paper in both parts, and the lines that stand for it and its near-copies where a card does not fit."""

    html: Shared
    text: Shared
    lines: tuple[TitleLine, ...]


@dataclass(frozen=True, slots=True)
class CardView:
    """A card as the templates see it: a place for it in each part. A template sets it by itself into a line."""

    html: Markup
    text: str
    card: Card


@dataclass(frozen=True, slots=True)
class SectionView:
    """A section as the templates see it. `first` is the number of its first card; `more` counts what is not shown."""

    name: str
    summary: str
    first: int
    cards: tuple[CardView, ...]
    titles: tuple[TitleLine, ...]
    more: int


def render(edition: Edition, snapshot: Snapshot) -> Rendered:
    """Return the subject, text and HTML of an edition.

    Raises TemplateError for a template of the snapshot that is missing, does not parse, fails, or is alone larger
    than LONGEST_HTML; ConfigError for a `public_url` that is no web address; AddressRefused for a sender that no
    header can carry.
    """
    if edition.letter is not None:
        subject, text, html = letter_parts(edition, snapshot)
        return Rendered(subject, (_tidy(text),), (html,))
    ready = templates(snapshot.templates)
    by_web, by_mail = unsubscribe_urls(snapshot.sender, edition.reader.token)
    subject = wording.subject(edition)
    frame: dict[str, object] = {
        "subject": subject,
        "preheader": wording.preheader(edition),
        "label": wording.label(edition),
        "alert": edition.cadence is Cadence.IMMEDIATE,
        "date": wording.long_date(edition),
        "heading": wording.heading(edition),
        "intro": wording.intro(edition),
        "several": len(edition.sections) > 1,
        "reason": wording.reason(edition),
        "sender": clean(snapshot.sender.from_name) or clean(snapshot.sender.from_address),
        "contact": clean(snapshot.sender.reply_to),
        "unsubscribe_url": by_web or by_mail,
        "preferences_url": f"{by_web}/preferences" if by_web else "",
        "online_url": f"{by_web}/editions/{edition.id}" if by_web else "",
    }
    frame |= _already(edition.already, _MOST_ALREADY)
    cards: list[Card] = []
    sections = _numbered([_view(ready, section, edition.id, cards) for section in edition.sections])
    html = ready.html("mail/edition.html.j2", sections=sections, **frame)
    while (excess := _octets(html, sections) - LONGEST_HTML) > 0:
        if frame["already"]:
            frame |= _already(edition.already, 0)
        elif not sections:
            raise TemplateError(f"mail/edition.html.j2: without any paper, {excess} octets over {LONGEST_HTML}")
        else:
            sections = _numbered(_smaller(sections, excess))
        html = ready.html("mail/edition.html.j2", sections=sections, **frame)
    text = _tidy(ready.text("mail/edition.txt.j2", sections=sections, **frame))
    return Rendered(
        subject,
        tuple(_filled(text, edition.id, [card.text for card in cards])),
        tuple(_filled(str(html), edition.id, [card.html for card in cards])),  # Markup is slow to cut
    )


def _already(papers: Sequence[Paper], most: int) -> dict[str, object]:
    """Return what came as alerts for the end of a digest: some titles, and how many more."""
    return {"already": tuple(map(_title_line, papers[:most])), "already_more": max(0, len(papers) - most)}


def _view(ready: Templates, section: Section, edition: str, cards: list[Card]) -> SectionView:
    """Return a section whose cards are places, and add the cards themselves to `cards`."""
    views = []
    for entry, also in _with_copies(section):
        place = f"\ue000{edition}.{len(cards)}\ue001"
        cards.append(_card(ready, entry.paper, entry.queries, also))
        views.append(CardView(Markup(place), place, cards[-1]))  # noqa: S704 - no letter of it is foreign
    return SectionView(
        name=wording.profile_name(section.profile),
        summary=wording.summary(section),
        first=1,
        cards=tuple(views),
        titles=tuple(_title_line(entry.paper) for entry in section.entries if entry.place is Place.TITLE),
        more=max(0, section.matched - len(section.entries)),
    )


def _with_copies(section: Section) -> Iterator[tuple[Entry, tuple[Paper, ...]]]:
    """Yield the entries that are cards, each with the papers folded into it."""
    for number, entry in enumerate(section.entries):
        if entry.place is Place.CARD:
            behind = takewhile(lambda other: other.place is Place.FOLDED, section.entries[number + 1 :])
            yield entry, tuple(other.paper for other in behind)


def _filled(frame: str, edition: str, cards: Sequence[Shared]) -> Iterator[Piece]:
    """Yield the pieces of a part: the frame's own text, and a card at each of its places."""
    start = 0
    for found in _PLACE.finditer(frame):
        number = int(found[2])
        if found[1] != edition or number >= len(cards):
            continue
        if start < found.start():
            yield frame[start : found.start()]
        # A shared piece has a line end behind it; where the template has none, the text alone goes in.
        yield cards[number] if found[0].endswith("\n") else cards[number].text.removesuffix("\n")
        start = found.end()
    yield frame[start:]


def _numbered(sections: Sequence[SectionView]) -> tuple[SectionView, ...]:
    numbered, first = [], 1
    for section in sections:
        numbered.append(replace(section, first=first))
        first += len(section.cards)
    return tuple(numbered)


def _smaller(sections: Sequence[SectionView], excess: int) -> list[SectionView]:
    """Return the sections with about `excess` octets less: last cards become titles, last titles are counted.

    Cards and titles give way to one another, so that a long list leaves room for the best papers; and the
    section that takes most gives first, so that a reader's last profile is not emptied for the first one.
    """
    smaller = list(sections)
    while excess > 0 and smaller:
        cards = [sum(view.card.html.octets for view in section.cards) for section in smaller]
        titles = [sum(map(_line_octets, section.titles)) for section in smaller]
        if sum(cards) > sum(titles):
            at = cards.index(max(cards))
            section = smaller[at]
            *kept, last = section.cards
            smaller[at] = replace(section, cards=tuple(kept), titles=(*last.card.lines, *section.titles))
            excess -= last.card.html.octets - sum(map(_line_octets, last.card.lines))
        elif any(titles):
            at = titles.index(max(titles))
            section = smaller[at]
            *lines, dropped = section.titles
            smaller[at] = replace(section, titles=tuple(lines), more=section.more + 1)
            excess -= _line_octets(dropped)
        else:  # hundreds of profiles; the introduction counts their papers
            excess -= _LINE_OCTETS + len(smaller.pop().name.encode())
    return smaller


def _octets(frame: str, sections: Sequence[SectionView]) -> int:
    cards = (view for section in sections for view in section.cards)
    return len(frame.encode()) + sum(view.card.html.octets - len(view.text.encode()) - 1 for view in cards)


def _line_octets(line: TitleLine) -> int:
    return _LINE_OCTETS + len(line.title.encode()) + len(line.url.encode())


# The same papers go to many readers, and identical queries of many people are one query. About 8 kB each.
@lru_cache(maxsize=16384)
def _card(ready: Templates, paper: Paper, queries: tuple[str, ...], also: tuple[Paper, ...]) -> Card:
    shown = card(paper, queries, also)
    return Card(
        html=Shared.of(ready.html("mail/card.html.j2", card=shown).strip()),
        text=Shared.of(_tidy(ready.text("mail/card.txt.j2", card=shown)).strip("\n")),
        lines=tuple(map(_title_line, (paper, *also))),
    )


@lru_cache(maxsize=4096)
def _title_line(paper: Paper) -> TitleLine:
    return title_line(paper)


def _tidy(text: str) -> str:
    """Return `text` without blanks at line ends, with at most one empty line in a row, and one line end at its end.

    So that a template may be laid out for its own reader, and no mail depends on how.
    """
    if " \n" in text:  # an operator's template; the shipped ones leave none
        text = "\n".join(line.rstrip(" ") for line in text.split("\n"))
    return _EMPTY_LINES.sub("\n\n", text).strip("\n") + "\n"
