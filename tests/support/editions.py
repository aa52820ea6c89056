"""Sample editions for tests: small builders with a value for everything, so that a test says only what it is about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from digestd.model import Cadence, Edition, Entry, Paper, Place, Reader, Section, Sender, Snapshot

ROOT = Path(__file__).parents[2]
SEEDS = ROOT / "seeds" / "huggingface-papers-llms.txt"
TEMPLATES = ROOT / "templates"

SENDER = Sender(
    from_address="papers@example.org",
    from_name="Paper Digest",
    reply_to="desk@example.org",
    list_id="papers.example.org",
    public_url="https://papers.example.org",
)
READER = Reader(
    email="reader@example.org", name="A. Reader", timezone="Europe/Berlin", token="17.AbCdEfGhIjKlMnOpQrStUv"
)


def shipped_templates() -> dict[str, str]:
    """Return the mail templates of the tree, by the names a snapshot has them under."""
    files = sorted((TEMPLATES / "mail").iterdir())
    return {file.relative_to(TEMPLATES).as_posix(): file.read_text(encoding="utf-8") for file in files}


def snapshot(sender: Sender = SENDER, **templates: str) -> Snapshot:
    """Return the shipped snapshot; `mail__card__html__j2="…"` puts another source under `mail/card.html.j2`."""
    changed = {_template_name(key): source for key, source in templates.items()}
    return Snapshot(templates=shipped_templates() | changed, sender=sender)


def paper(number: int = 1, **values: object) -> Paper:
    """Return a small paper; `number` makes it another one."""
    known: dict[str, object] = {
        "id": f"arXiv:2310.{number:05}",
        "title": f"Agent Study {number}: How Agents Learn",
        "authors": ("Ada One", "Ben Two"),
        "abstract": f"We study agents in setting {number}. The code is at {{https://github.com/example/study-{number}}}.",
        "url": f"https://arxiv.org/abs/2310.{number:05}",
        "published": date(2026, 11, 20),
        "source": "arxiv",
    }
    return Paper(**(known | values))  # type: ignore[arg-type]


def entry(of: Paper | None = None, *queries: str, score: float = 1.0, place: Place = Place.CARD) -> Entry:
    """Return an entry of a paper, hit by `agent` unless told otherwise."""
    return Entry(of or paper(), queries or ("agent",), score, place)


def section(*entries: Entry, profile: str = "Agents", matched: int | None = None) -> Section:
    """Return a section; `matched` is the number of its entries unless told otherwise."""
    return Section(profile, entries, len(entries) if matched is None else matched)


def edition(*sections: Section, **values: object) -> Edition:
    """Return a daily edition for one reader in Berlin, composed on Monday, 23 November 2026 at 08:00 there."""
    known: dict[str, object] = {
        "id": "0123456789abcdef0123456789abcdef",
        "issue": "daily:2026-11-23",
        "cadence": Cadence.DAILY,
        "composed_at": datetime(2026, 11, 23, 7, 0, tzinfo=UTC),
        "reader": READER,
        "sections": sections or (section(entry()),),
        "considered": 82,
    }
    return Edition(**(known | values))  # type: ignore[arg-type]


def seed_papers(limit: int | None = None) -> tuple[Paper, ...]:
    """Return the papers of the seed file, read as title and abstract in turn, without any of the project's parsers."""
    return read_pairs(SEEDS.read_text(encoding="utf-8"))[:limit]


def read_pairs(text: str) -> tuple[Paper, ...]:
    """Return the papers of a pasted page: after the head of six lines, title and abstract in turn."""
    lines = [line for line in text.split("\n") if line.strip()][5:]
    return tuple(
        Paper(
            id=f"title:{number:04}",
            title=title,
            abstract=abstract,
            published=date(2026, 5, 19),
            source="huggingface",
        )
        for number, (title, abstract) in enumerate(zip(lines[::2], lines[1::2], strict=True), start=1)
    )


def hits(papers: Sequence[Paper], *words: str) -> tuple[Paper, ...]:
    """Return the papers that hold one of the words, in any case, in title or abstract: no matcher, just enough."""
    return tuple(p for p in papers if any(w.lower() in f"{p.title} {p.abstract}".lower() for w in words))


def _template_name(key: str) -> str:
    folder, rest = key.split("__", 1)
    return f"{folder}/{rest.replace('__', '.')}"
