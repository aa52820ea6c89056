"""The Hugging Face papers page, as text pasted or exported from a browser.

The clean form is a short head and then pairs: title, blank line, abstract. Exports add menus, votes, authors
counts and links between the lines. The page has no grammar, so lines are sorted into facts, noise and text,
and texts into titles and abstracts by their shape; what does not pair up is a bad record with its line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from digestd.errors import FileRefused
from digestd.ingest.formats import huggingface_lines as page
from digestd.ingest.formats.huggingface_lines import Kind
from digestd.ingest.identity import NotAPaper, bad_record, canonical_id, make_paper
from digestd.ingest.reading import half_written
from digestd.match.text import title_key
from digestd.model import BadRecord, Paper

NAME = "huggingface"


@dataclass(slots=True)
class _Draft:
    """What has been read of one paper so far.

    `submitted` says that who submitted it stands before its title, `counted` that the number of its authors follows:
    a text between the two is a title even without an abstract. What is `aside`, such as an organisation, is none.
    """

    line: int
    title: str
    abstract: str | None = None
    links: list[str] = field(default_factory=list)
    votes: int | None = None
    published: date | None = None
    submitted: bool = False
    counted: bool = False
    aside: bool = False

    @property
    def ids(self) -> list[str]:
        return [link for link in self.links if canonical_id(link)]


def recognise(head: str) -> bool:
    """Return whether the page's own lines stand near the beginning."""
    return page.is_head(head)


def parse(lines: Iterator[str], modified: date) -> Iterator[Paper | BadRecord]:
    """Yield the page's papers; one that stands there twice comes once, with its longer abstract.

    Raises FileRefused when the file breaks off in the middle of a title or an abstract.
    """
    reader = _Reader(modified)
    for block in page.blocks(lines):
        reader.read(block)
    drafts = _once(reader.finish())
    if not drafts and not reader.bad:
        raise FileRefused("no paper was found in it")
    for draft in drafts:
        if not draft.abstract and not draft.ids and draft.aside:
            continue
        if not draft.abstract and not draft.ids and not (draft.submitted and draft.counted):
            reader.bad.append(bad_record(draft.line, "a title without an abstract or a link", draft.title))
            continue
        try:
            yield make_paper(
                title=draft.title,
                ids=draft.ids,
                abstract=draft.abstract,
                published=draft.published or reader.published,
                source=NAME,
                votes=draft.votes,
            )
        except NotAPaper as error:
            reader.bad.append(bad_record(draft.line, str(error), draft.title))
    yield from sorted(reader.bad, key=lambda record: record.line)


class _Reader:
    """Puts the pieces of the page together, in their order, to drafts of papers."""

    def __init__(self, modified: date) -> None:
        self.published: date | None = None
        self.bad: list[BadRecord] = []
        self._modified = modified
        self._drafts: list[_Draft] = []
        self._votes: int | None = None
        self._user_follows = False
        self._submitted = False  # who submitted the next paper was told
        self._is_submitted = False  # this page tells it of its papers
        self._short: page.Piece | None = None  # whole sentences without a title before them: title or abstract
        self._last: page.Piece | None = None

    def read(self, block: Sequence[page.Line]) -> None:
        """Take the next run of lines without a blank between them."""
        pieces, self._user_follows = page.pieces(block, self._user_follows)
        for piece in pieces:
            self._last = piece
            if piece.kind is Kind.TEXT:
                self._place(piece)
            elif piece.kind is Kind.LINK and self._drafts:
                self._current.links.append(piece.text)
            elif piece.kind is Kind.USER:
                self._user(piece.text)
            elif piece.kind is Kind.AUTHORS and self._drafts:
                self._authors()
            elif piece.kind is Kind.DATE:
                self._date(piece.text)
            elif piece.kind is Kind.NUMBER and not self._waiting:
                self._votes = int(piece.text)  # a number below a title counts its comments

    def finish(self) -> list[_Draft]:
        """Return the drafts. Raises FileRefused when the last line of the file is a text that breaks off."""
        if self._short is not None:
            self._reject(self._short)
        if self._last is not None and self._last.kind is Kind.TEXT and self._last.unended:
            newest = self._drafts[-1] if self._drafts else None
            whole = newest and (page.is_ended(newest.abstract) if newest.abstract else newest.ids)
            if not whole:
                raise half_written(self._last.unended)
        return self._drafts

    @property
    def _waiting(self) -> bool:
        """Whether the newest title has no abstract yet."""
        return bool(self._drafts) and self._drafts[-1].abstract is None

    def _date(self, text: str) -> None:
        day = page.day(text, self._modified)
        if page.is_of_a_paper(text) and self._drafts:
            self._current.published = self._current.published or day
        else:
            self.published = self.published or day

    @property
    def _current(self) -> _Draft:
        """The newest draft that is a paper's."""
        return next((draft for draft in reversed(self._drafts) if not draft.aside), self._drafts[-1])

    def _user(self, name: str) -> None:
        self._submitted = True
        if self._waiting and self._drafts[-1].title == name:  # the picture before the words "Submitted by"
            self._drafts.pop()

    def _authors(self) -> None:
        """Take the number of a paper's authors: what stands between it and the paper is whose it is."""
        newest = self._drafts[-1]
        if self._waiting and not newest.submitted and len(self._drafts) > 1 and self._is_submitted:
            newest.aside = True
            newest = self._drafts[-2]
        newest.counted = True

    def _place(self, piece: page.Piece) -> None:
        """Take a text as the abstract of the title before it, or as the next title."""
        prose = page.is_prose(piece.text)
        if self._short is not None:
            short, self._short = self._short, None
            if prose:
                self._begin(short)
            else:
                self._reject(short)
        if self._waiting and (prose or piece.text.endswith(".")):
            self._drafts[-1].abstract = piece.text
        elif not prose:
            self._begin(piece)
        elif len(piece.text) < page.LONG:
            self._short = piece  # what follows tells: only a title is followed by an abstract
        else:
            self._reject(piece)

    def _begin(self, piece: page.Piece) -> None:
        links = [piece.link] if piece.link else []
        draft = _Draft(piece.line, piece.text, links=links, votes=self._votes, submitted=self._submitted)
        self._is_submitted |= self._submitted
        self._drafts.append(draft)
        self._votes, self._submitted = None, False

    def _reject(self, piece: page.Piece) -> None:
        self.bad.append(bad_record(piece.line, "an abstract without a title before it", piece.text))


def _once(drafts: list[_Draft]) -> list[_Draft]:
    """Join drafts of one title: the first place, the longest abstract, every link."""
    found: dict[str, _Draft] = {}
    for draft in drafts:
        known = found.setdefault(title_key(draft.title) or f"line {draft.line}", draft)
        if known is not draft:
            known.abstract = max(known.abstract or "", draft.abstract or "", key=len) or None
            known.links += draft.links
            known.votes = known.votes if known.votes is not None else draft.votes
            known.published = known.published or draft.published
            known.submitted, known.counted = known.submitted or draft.submitted, known.counted or draft.counted
    return list(found.values())
