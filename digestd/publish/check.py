"""Whether templates work: a sample edition of each kind is rendered with them, before any reader sees them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from digestd.letters import Letter, LetterKind
from digestd.model import Cadence, Edition, Entry, LeftOut, Paper, Place, Reader, Section, Snapshot
from digestd.publish.message import build_message
from digestd.publish.render import Rendered, render


def check_templates(snapshot: Snapshot) -> dict[str, Rendered]:
    """Return sample editions rendered with the snapshot, by what they show.

    Raises TemplateError, with the template's name and line, when one does not work.
    """
    shown = {}
    for name, edition in sample_editions().items():
        shown[name] = render(edition, snapshot)
        build_message(edition, shown[name], snapshot.sender)
    for kind in LetterKind:
        if kind in (LetterKind.CONFIRM, LetterKind.WELCOME) and not snapshot.sender.public_url:
            continue  # there is no page to sign up on
        queries, taste = ("agents", '"tool use"'), (("A Sample Title", "https://arxiv.org/abs/2310.10637"),)
        said = ("2 files refused: see `digestd quarantine list`.",)
        if kind is LetterKind.MISTAKE:
            said = ("“agent AND”: expected a word after AND, at column 10",)
        rhythm = "every weekday at 08:00 (Europe/Berlin)"
        letter = Letter(kind, queries, ("medical",), rhythm, "1.sample", taste, found=said, over=said)
        edition = _edition(Cadence.IMMEDIATE)._replace(issue=f"{kind}:1", letter=letter)
        shown[kind.value] = render(edition, snapshot)
        build_message(edition, shown[kind.value], snapshot.sender)
    return shown


def sample_editions() -> dict[str, Edition]:
    """Return an edition of each kind: several sections, one, an alert, and one with nothing in it."""
    full = Paper(
        id="arXiv:2310.10637",
        title="A Sample Title with H$_2$O, <tags> & an Agent",
        authors=("Ada Example", "Ben Example", "Chen Example"),
        abstract="An agent reads papers. It costs $5 & more; see https://example.org/code.",
        url="https://arxiv.org/abs/2310.10637",
        published=date(2026, 5, 19),
        categories=("cs.CL",),
        source="sample",
        version=2,
        votes=12,
    )
    bare = Paper(id="title:0000000000000000", title="A Title Is All That Is Known of This One")
    card = Entry(full, ("agent", "title:robot*"), 3.5)
    copy = Entry(replace(bare, title="The Same Work, as Another Source Has It"), ("title",), 1.0, Place.FOLDED)
    line = Entry(bare, ("title",), 1.0, Place.TITLE)
    digest = _edition(Cadence.DAILY, Section("Agents", (card, copy, line), 7), Section("Robots", (card,), 1))
    return {
        "digest": digest._replace(already=(bare,)),
        "one section": _edition(Cadence.WEEKLY, Section("Agents", (card,), 1)),
        "alert": _edition(Cadence.IMMEDIATE, Section("Agents", (card,), 1)),
        "empty": _edition(Cadence.DAILY, Section("Agents", (), 0, LeftOut(below=2))),
    }


def _edition(cadence: Cadence, *sections: Section) -> Edition:
    issues = {Cadence.DAILY: "daily:2026-05-19", Cadence.WEEKLY: "weekly:2026-W21", Cadence.IMMEDIATE: "immediate:1"}
    reader = Reader("reader@example.org", "A. Reader", "Europe/Berlin", "1.sample")
    moment = datetime(2026, 5, 19, 6, 0, tzinfo=UTC)
    return Edition("0" * 32, issues[cadence], cadence, moment, reader, sections, considered=82)
