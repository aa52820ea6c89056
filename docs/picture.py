"""Make the pictures of an edition: docs/edition.png for the README, and screenshots to look at.

Run by `make picture`. The edition is composed here from the seed papers and rendered by the project's own code; the
browser is a headless Chromium (Debian: `apt install chromium`), driven by playwright. Screenshots at 360 and
700 pixels, light and dark, go to the folder given as the first argument, or nowhere.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from digestd.match.document import analyse
from digestd.match.query import parse_query
from digestd.model import Cadence, Edition, Entry, Paper, Place, Reader, Section, Sender, Snapshot
from digestd.publish.render import render

ROOT = Path(__file__).parents[1]
SEEDS = ROOT / "seeds" / "huggingface-papers-llms.txt"
TEMPLATES = ROOT / "templates"
PICTURE = ROOT / "docs" / "edition.png"
HEAD_LINES = 5  # of the pasted page, before the first title

# What the reader follows, and how much a hit counts.
QUERIES = {'"language agent"': 3.0, "agent AND (benchmark OR evaluation)": 2.0, "title:robot*": 1.5, "tool": 0.5}

# What a source with more to say than the pasted page tells of one paper.
BENCH = "ScienceAgentBench"
BENCH_AUTHORS = (
    *("Ziru Chen", "Shijie Chen", "Yuting Ning", "Qianheng Zhang", "Boshi Wang", "Botao Yu", "Yifei Li"),
    *("Zeyi Liao", "Chen Wei", "Zitong Lu", "Vishal Dey", "Mingyi Xue", "Frazier N. Baker", "Benjamin Burns"),
    *("Daniel Adu-Ampratwum", "Xuhui Huang", "Xia Ning", "Song Gao", "Yu Su", "Huan Sun"),
)
SENDER = Sender(
    "papers@example.org", "Paper Digest", "desk@example.org", "papers.example.org", "https://papers.example.org"
)


def seed_papers() -> list[Paper]:
    """Return the papers of the seed file, read as title and abstract in turn."""
    lines = [line for line in SEEDS.read_text(encoding="utf-8").splitlines() if line.strip()][HEAD_LINES:]
    return [
        Paper(f"title:{number}", title, abstract=abstract, published=date(2026, 5, 19), source="huggingface")
        for number, (title, abstract) in enumerate(zip(lines[::2], lines[1::2], strict=True))
    ]


def sample_edition() -> Edition:
    """Return the edition of a reader who follows agents and robots, with four papers as cards."""
    entries: list[Entry] = []
    papers = seed_papers()
    for paper in papers:
        document = analyse(paper)
        if hit := tuple(query for query in QUERIES if parse_query(query).hits(document)):
            if paper.title.startswith(BENCH):
                paper = replace(paper, id="arXiv:2410.05080", authors=BENCH_AUTHORS, source="arxiv")
            entries.append(Entry(paper, hit, sum(QUERIES[query] for query in hit)))
    entries.sort(key=lambda entry: -entry.score)
    shown = tuple(
        replace(entry, place=Place.CARD if number < 4 else Place.TITLE) for number, entry in enumerate(entries[:7])
    )
    return Edition(
        id="0" * 32,
        issue="daily:2026-05-20",
        cadence=Cadence.DAILY,
        composed_at=datetime(2026, 5, 20, 6, 0, tzinfo=UTC),
        reader=Reader("reader@example.org", "A. Reader", "Europe/Berlin", "17.AbCdEfGhIjKlMnOpQrStUv"),
        sections=(Section("Agents", shown, len(entries)),),
        considered=len(papers),
    )


def mail_templates() -> dict[str, str]:
    """Return the shipped mail templates by the names a snapshot has them under."""
    files = sorted((TEMPLATES / "mail").iterdir())
    return {file.relative_to(TEMPLATES).as_posix(): file.read_text(encoding="utf-8") for file in files}


def photograph(
    browser: Browser, page: Path, target: Path, width: int, height: int, scheme: str, scale: int = 1
) -> None:
    """Write the first `height` pixels of a page, `width` wide, in a `light` or `dark` colour scheme."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        device_scale_factor=scale,
    )
    tab = context.new_page()
    tab.goto(page.as_uri())
    tab.screenshot(path=target)
    context.close()


def main() -> None:
    """Render, and photograph."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("docs/picture.py: no Chromium found; on Debian: apt install chromium")
    html = render(sample_edition(), Snapshot(mail_templates(), SENDER)).html
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page = Path(folder) / "edition.html"
        page.write_text(html, encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        photograph(browser, page, PICTURE, 720, 900, "light", scale=2)
        if len(sys.argv) > 1:
            looks = Path(sys.argv[1])
            looks.mkdir(parents=True, exist_ok=True)
            for width in (360, 700):
                for scheme in ("light", "dark"):
                    photograph(browser, page, looks / f"edition-{width}-{scheme}.png", width, 1600, scheme)
        browser.close()


if __name__ == "__main__":
    main()
