"""One work told by many formats is one paper, in whatever order its records come."""

from __future__ import annotations

import itertools

import pytest
from support.world import World

from digestd.model import Paper

MAIL = """\\\\
arXiv:2401.00001
Date: Fri, 29 Dec 2023 23:59:01 GMT   (243kb,D)

Title: Nests of Birds
Authors: Ada One and Ben Two
Categories: cs.CL
DOI: 10.1000/NEST
\\\\
  We look at nests.
\\\\ ( https://arxiv.org/abs/2401.00001 ,  243kb)
"""
REPLACED = """\\\\
arXiv:2401.00001 (*cross-listing*)
replaced with revised version Mon, 8 Jan 2024 08:03:26 GMT   (25kb,D)

Title: Nests of Birds
Authors: Ada One, Ben Two
Categories: cs.CL
\\\\ ( https://arxiv.org/abs/2401.00001 ,  25kb)
"""
PAGE = "Daily Papers\n\nNests of Birds\n\nWe look at nests. They are old, and so are we, by now.\n"
RIS = "TY  - JOUR\nTI  - Nests of birds\nAU  - One, Ada\nDO  - https://doi.org/10.1000/nest\nER  - \n"
BIB = (
    "@article{a, title={{N}ests of Birds}, author={One, Ada and Two, Ben}, eprint={2401.00001v2}, eprinttype={arxiv}}\n"
)
PUBMED = "PMID- 37000001\nTI  - Nests of birds.\nFAU - One, Ada\nLID - 10.1000/nest [doi]\nSO  - J Nests.\n"
PREPRINT = (
    '{"collection": [{"doi": "10.1101/2024.01.01.573000", "title": "Trees", "authors": "Three, C.", "version": "1"}]}'
)
JOURNAL = "TY  - JOUR\nTI  - Trees\nAU  - Three, Carl\nDO  - 10.1038/trees\nER  - \n"


def stored(world: World) -> list[Paper]:
    return [one.paper for one in world.store.papers.all()]


@pytest.mark.parametrize("order", list(itertools.permutations((MAIL, REPLACED, PAGE, RIS))))
def test_mail_page_and_journal_in_any_order_are_one_paper_with_an_abstract(
    world: World, order: tuple[str, ...]
) -> None:
    for number, text in enumerate(order):
        world.drop(text, f"{number}.txt")
    (paper,) = stored(world)
    assert paper.id == "arXiv:2401.00001"
    assert paper.other_ids == ("doi:10.1000/nest",)
    assert paper.abstract
    assert paper.authors[0] in ("Ada One", "One, Ada")
    assert str(paper.published) in ("2023-12-29",)


@pytest.mark.parametrize("order", list(itertools.permutations((BIB, MAIL, PUBMED))))
def test_record_with_two_ids_ties_those_with_one_together(world: World, order: tuple[str, ...]) -> None:
    for number, text in enumerate(order):
        world.drop(text, f"{number}.txt")
    (paper,) = stored(world)
    assert (paper.id, paper.version) == ("arXiv:2401.00001", 2)
    assert set(paper.other_ids) == {"doi:10.1000/nest", "pmid:37000001"}


@pytest.mark.parametrize("order", [(PREPRINT, JOURNAL), (JOURNAL, PREPRINT)])
def test_preprint_and_journal_are_one_though_both_have_a_doi(world: World, order: tuple[str, ...]) -> None:
    for number, text in enumerate(order):
        world.drop(text, f"{number}.txt")
    (paper,) = stored(world)
    assert {paper.id, *paper.other_ids} == {"doi:10.1101/2024.01.01.573000", "doi:10.1038/trees"}


def test_replacement_without_an_abstract_overwrites_nothing_and_announces_nothing(world: World) -> None:
    assert world.drop(MAIL, "one.txt").new == 1
    report = world.drop(REPLACED, "two.txt")
    assert (report.new, report.duplicate) == (0, 1)
    (paper,) = stored(world)
    assert (paper.abstract, str(paper.published)) == ("We look at nests.", "2023-12-29")


def test_two_works_of_one_title_stay_two(world: World) -> None:
    world.drop(JOURNAL, "one.txt")
    world.drop(JOURNAL.replace("10.1038/trees", "10.1126/other"), "two.txt")
    world.drop(PREPRINT.replace("Three, C.", "Nine, N.").replace("573000", "573999"), "three.txt")
    assert len(stored(world)) == 3
