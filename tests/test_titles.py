"""With one profile for each paper's own title, each reader gets that paper and no other."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from support.world import World, reader

from digestd.model import OutboxState

ROOT = Path(__file__).parents[1]
SEEDS = ROOT / "seeds" / "huggingface-papers-llms.txt"
SAMPLE = ROOT.parent / "shared" / "samples" / "huggingface-papers-llms.txt"
needs_sample = pytest.mark.skipif(not SAMPLE.exists(), reason="the real sample file is not beside this checkout")


@pytest.mark.parametrize("path", [SEEDS, pytest.param(SAMPLE, marks=needs_sample)], ids=["seeds", "sample"])
def test_reader_of_each_title_gets_that_paper_and_no_other(tmp_path: Path, path: Path) -> None:
    with closing(World(tmp_path)) as world:
        assert world.drop(path.read_text("utf-8"), "page.txt").new == 82
        titles = [stored.paper.title for stored in world.store.papers.all()]
        queries = [f'"{title.replace(chr(34), " ")}"' for title in titles]
        world.people(*(reader(f"r{number}", query) for number, query in enumerate(queries)))
        assert world.publish().editions == 82
        rows = world.store.outbox.rows(OutboxState.READY, 100)
        editions = world.store.editions.load([row.edition for row in rows], lambda *_: "")
        told = {
            edition.reader.email: [entry.paper.title for section in edition.sections for entry in section.entries]
            for edition, _ in editions.values()
        }
        assert told == {f"r{number}@example.org": [title] for number, title in enumerate(titles)}
