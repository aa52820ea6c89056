"""Real files of people, where they stand beside this checkout: every paper, no other, and spot values of each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from digestd.ingest.stage import read_file
from digestd.model import BadRecord, Paper

SAMPLES = Path(__file__).parents[3] / "shared" / "samples"
pytestmark = pytest.mark.skipif(not SAMPLES.exists(), reason="the real sample files are not beside this checkout")


def records(name: str) -> list[Paper | BadRecord]:
    return list(read_file(SAMPLES / name, 10**9))


def papers(name: str) -> list[Paper]:
    found = records(name)
    assert [record for record in found if isinstance(record, BadRecord)] == []
    return [record for record in found if isinstance(record, Paper)]


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("arxiv-0704-half.jsonl", 501),
        ("arxiv-api-query.atom.xml", 10),
        ("arxiv-mail-math-new.OA.txt", 3),
        ("arxiv-mail-q-fin-new.CP.txt", 2),
        ("arxiv-mail-q-fin-new.ST.txt", 8),
        ("arxiv-mail-q-fin-new.txt", 16),
        ("huggingface-papers-llms.txt", 82),
    ],
)
def test_sample_holds_so_many_papers_each_with_an_id_of_its_own(name: str, count: int) -> None:
    found = papers(name)
    assert (len(found), len({paper.id for paper in found})) == (count, count)


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("arxiv-mail-*")), ids=lambda path: path.stem)
def test_sample_mail_is_what_a_second_simpler_reading_finds(path: Path) -> None:
    """Entries split at their rules by one expression each, without the parser."""
    entry = re.compile(
        r"^\\\\\narXiv:(?P<id>\S+).*?^Title: (?P<title>.*?)\nAuthors: (?P<authors>.*?)\n"
        r"Categories: (?P<categories>.*?)\n.*?^\\\\(?:\n(?P<abstract>.*?)\n\\\\)? \( https",
        re.MULTILINE | re.DOTALL,
    )
    expected = [
        (
            f"arXiv:{found['id']}",
            " ".join(found["title"].split()),
            tuple(re.split(r", | and ", " ".join(found["authors"].split()))),
            tuple(found["categories"].split()),
            " ".join(found["abstract"].split()) if found["abstract"] else None,
        )
        for found in entry.finditer(path.read_text("utf-8"))
    ]
    found = papers(path.name)
    assert [(one.id, one.title, one.authors, one.categories, one.abstract) for one in found] == expected
    assert {paper.source for paper in found} == {"arxiv"}
    assert all(paper.published for paper in found)


def test_sample_mail_keeps_comments_doi_and_day() -> None:
    found = {paper.id: paper for paper in papers("arxiv-mail-q-fin-new.ST.txt")}
    paper = found["arXiv:2303.09330"]
    assert (paper.comments, paper.other_ids) == ("24 pages, 12 figures, 4 tables", ("doi:10.3390/jrfm16020114",))
    assert str(paper.published) == "2023-03-16"
    assert found["arXiv:2011.00552"].abstract is None
    assert found["arXiv:2303.09397"].authors == ("Haritha GB", "Sahana N.B")


def test_sample_of_the_api_has_versions_links_and_names_as_they_were_meant() -> None:
    found = {paper.id: paper for paper in papers("arxiv-api-query.atom.xml")}
    paper = found["arXiv:2005.14124"]
    assert (paper.version, str(paper.published), paper.categories) == (2, "2020-05-28", ("cs.SE", "cs.CR", "cs.LG"))
    assert (paper.pdf, paper.url) == ("https://arxiv.org/pdf/2005.14124v2", "https://arxiv.org/abs/2005.14124")
    assert found["arXiv:2302.03287"].title == "ChatGPT and Software Testing Education: Promises & Perils"
    assert found["arXiv:2302.03287"].other_ids == ("doi:10.1109/icstw58534.2023.00078",)
    # the file was encoded twice on its way
    assert found["arXiv:2405.13786"].authors[:3] == ("Aurora Ramírez", "Mario Berrios", "José Raúl Romero")
    repairs: list[str] = []
    list(read_file(SAMPLES / "arxiv-api-query.atom.xml", 10**9, None, repairs))
    assert repairs == ["line 49 was encoded twice; such lines are read as they were meant"]


def test_sample_of_json_lines_is_kept_word_by_word() -> None:
    found = papers("arxiv-0704-half.jsonl")
    first = found[0]
    assert (first.id, first.authors[0], first.categories) == ("arXiv:0704.0001", "C. Bal\\'azs", ("hep-ph",))
    assert first.title == "Calculation of prompt diphoton production cross sections at Tevatron and LHC energies"
    assert all(paper.abstract and paper.authors for paper in found)
