"""The pasted page of 82 papers: each title, asked for as a phrase, finds its paper and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from digestd.match.document import analyse
from digestd.match.index import Index
from digestd.match.query import parse_query
from digestd.match.wanted import Wanted
from digestd.model import Paper, WeightedQuery

ROOT = Path(__file__).parents[2]
PAGES = {
    "sample": ROOT.parent / "shared" / "samples" / "huggingface-papers-llms.txt",
    "seed": ROOT / "seeds" / "huggingface-papers-llms.txt",
}
HEAD_LINES = 5  # what stands before the first title, without blank lines


@pytest.fixture(params=PAGES)
def papers(request: pytest.FixtureRequest) -> list[Paper]:
    page = PAGES[request.param]
    if not page.exists():
        pytest.skip(f"{page.name} of the {request.param} is not beside this checkout")
    lines = [line for line in page.read_text("utf-8").splitlines() if line.strip()][HEAD_LINES:]
    return [Paper(title, title, abstract=text) for title, text in zip(lines[::2], lines[1::2], strict=True)]


def _phrase(title: str) -> str:
    return '"' + title.replace('"', " ") + '"'


def test_phrase_of_a_title_finds_its_paper_and_only_it(papers: list[Paper]) -> None:
    documents = [analyse(paper) for paper in papers]
    assert len(documents) == 82
    for paper in papers:
        for phrase in (_phrase(paper.title), _phrase(paper.title.upper()), _phrase(paper.title.replace("-", " "))):
            query = parse_query(phrase)
            assert [document.paper.title for document in documents if query.hits(document)] == [paper.title]
            assert parse_query(str(query)) == query


def test_index_of_all_titles_gives_each_reader_one_paper(papers: list[Paper]) -> None:
    index = Index((paper.title, Wanted((WeightedQuery(_phrase(paper.title)),))) for paper in papers)
    found = [[title for title, _ in index.named(index.match(analyse(paper)))] for paper in papers]
    assert found == [[paper.title] for paper in papers]
