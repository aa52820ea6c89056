"""Which work a record is about: ids in every dress, titles, and what a second record adds."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestd.ingest.identity import (
    MAX_AUTHORS,
    MAX_TITLE,
    NotAPaper,
    bad_record,
    canonical_id,
    is_revision,
    keys,
    link_of,
    make_paper,
    merge,
    rank,
    same_work,
)
from digestd.match.text import clean
from digestd.model import Paper

ARXIV = "arXiv:2310.10637"
IDS_BEGIN = ("doi:10.1000/", "arXiv:", "title:", "pmid:", "arXiv:2310.1063")


@pytest.mark.parametrize(
    ("text", "found", "version"),
    [
        ("2310.10637", ARXIV, None),
        (" arXiv:2310.10637v3 ", ARXIV, 3),
        ("arxiv: 2310.10637", ARXIV, None),
        ("arXiv:2310.10637 [cs.CL]", ARXIV, None),
        ("see arXiv:2310.10637.", ARXIV, None),
        ("(arXiv:2310.10637)", ARXIV, None),
        ("oai:arXiv.org:2310.10637v3", ARXIV, 3),
        ("oai:arXiv.org:cond-mat/0603029", "arXiv:cond-mat/0603029", None),
        ("http://arxiv.org/abs/2310.10637v1", ARXIV, 1),
        ("https://www.arxiv.org/abs/2310.10637/", ARXIV, None),
        ("https://export.arxiv.org/pdf/2310.10637v2.pdf", ARXIV, 2),
        ("https://arxiv.org/html/2310.10637v2#S1", ARXIV, 2),
        ("https://arxiv.org/abs/2310.10637?context=cs", ARXIV, None),
        ("https://huggingface.co/papers/2310.10637#community", ARXIV, None),
        ("/papers/2310.10637", ARXIV, None),
        ("10.48550/arXiv.2310.10637", ARXIV, None),
        ("https://doi.org/10.48550/ARXIV.2310.10637", ARXIV, None),
        ("cond-mat/0603029v2", "arXiv:cond-mat/0603029", 2),
        ("https://arxiv.org/abs/hep-th/9901001", "arXiv:hep-th/9901001", None),
        ("math.GT/0309136", "arXiv:math/0309136", None),
        ("1506.0001", "arXiv:1506.0001", None),
        ("10.48550/arXiv.unknown", "doi:10.48550/arxiv.unknown", None),
        ("10.1000/ABC.1", "doi:10.1000/abc.1", None),
        ("doi: 10.1000/x.", "doi:10.1000/x", None),
        ("https://dx.doi.org/10.1000/X", "doi:10.1000/x", None),
        ("pmid: 012", "pmid:12", None),
        ("PMID12", "pmid:12", None),
        ("https://pubmed.ncbi.nlm.nih.gov/12/", "pmid:12", None),
        ("title:0123456789abcdef", "title:0123456789abcdef", None),
    ],
)
def test_canonical_id_of_every_dress_is_one(text: str, found: str, version: int | None) -> None:
    assert canonical_id(text) == (found, version)
    assert canonical_id(found) == (found, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "arXiv:",
        "arXiv:2310.106371",
        "arXiv:2310.106",
        "https://example.org/abs/2310.10637",
        "https://huggingface.co/models/2310.10637",
        "version 2310.10637 of it",
        "٢٣١٠.١٠٦٣٧",
        "10.1/x",
        "10.1000/",
        "10.1000/" + "x" * 301,
        "pmid:1234567890",
        "PMC123",
        "12",
        "title:0123",
        "title:0123456789ABCDEF",
        "title:0123456789abcdefg",
    ],
)
def test_canonical_id_of_what_names_no_work_is_none(text: str) -> None:
    assert canonical_id(text) is None


@given(st.text() | st.builds(str.__add__, st.sampled_from(IDS_BEGIN), st.text(st.characters(), max_size=9)))
def test_canonical_id_of_anything_is_storable_and_stays_itself(text: str) -> None:
    found = canonical_id(text)
    if found is not None:
        assert found[0].encode()
        assert clean(found[0]) == found[0]
        assert canonical_id(found[0]) == (found[0], None)
        assert rank(found[0]) in range(4)


def test_link_of_an_id_leads_to_the_work() -> None:
    assert link_of("arXiv:cond-mat/0603029") == "https://arxiv.org/abs/cond-mat/0603029"
    assert link_of("doi:10.1000/x") == "https://doi.org/10.1000/x"
    assert link_of("pmid:12") == "https://pubmed.ncbi.nlm.nih.gov/12"
    assert link_of("title:0123456789abcdef") is None


def test_make_paper_takes_the_best_id_and_its_version() -> None:
    paper = make_paper(title="T", ids=["pmid:1", "10.1000/x", "arXiv:2310.10637v4", "nothing"])
    assert (paper.id, paper.version, paper.url) == (ARXIV, 4, "https://arxiv.org/abs/2310.10637")
    assert make_paper(title="T", ids=["arXiv:2310.10637v4"], version=5).version == 5
    assert make_paper(title="T", ids=["10.1000/x"], url="https://example.org/\n").url == "https://example.org/"


def test_make_paper_without_an_id_is_known_by_title_and_first_surname() -> None:
    one = make_paper(title="On P\\'aez: H$_2$O!", authors=["Jane Doe", "B. Two"])
    for title, author in (("on páez h2o", "Doe, J."), ("On Paez -- H2O", "j. doe")):
        assert make_paper(title=title, authors=[author]).id == one.id
    assert make_paper(title="On Paez H2O", authors=["Jane Roe"]).id != one.id
    assert make_paper(title="On Paez H2O").id != one.id


def test_make_paper_cleans_what_it_is_told() -> None:
    paper = make_paper(
        title=" A\r\nBcc: x\0 \u202e\ud800 ",
        authors=["\u200b", " Ada\tOne "],
        abstract="\x1b",
        categories=["", "cs.CL"],
        source="a\nb",
    )
    assert (paper.title, paper.authors, paper.abstract) == ("A Bcc: x \ufffd", ("Ada One",), None)
    assert (paper.categories, paper.source, paper.url, paper.published) == (("cs.CL",), "a b", None, None)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"title": " \u200b"}, "the title is missing"),
        ({"title": "..."}, "the title has no letter or digit"),
        ({"title": "x" * (MAX_TITLE + 1)}, "the title is too long: 1,001, at most 1,000 are taken"),
        ({"title": "x", "abstract": "x" * 100_001}, "the abstract is too long"),
        ({"title": "x", "authors": ["A"] * (MAX_AUTHORS + 1)}, "the list of authors is too long: 10,001"),
    ],
)
def test_make_paper_beyond_a_limit_says_which(values: dict[str, object], reason: str) -> None:
    with pytest.raises(NotAPaper, match=reason):
        make_paper(**values)  # type: ignore[arg-type]


def test_make_paper_at_the_limits_is_taken() -> None:
    paper = make_paper(title="x" * MAX_TITLE, abstract="x" * 100_000, authors=["A"] * MAX_AUTHORS)
    assert len(paper.authors) == MAX_AUTHORS


def test_bad_record_shows_the_beginning_of_its_text_harmlessly() -> None:
    bad = bad_record(3, "no", "\x1b[31m" + "x" * 300)
    assert (bad.line, bad.reason, bad.excerpt) == (3, "no", "[31m" + "x" * 195)


def test_keys_are_the_id_and_the_title_with_and_without_author() -> None:
    paper = make_paper(title="T", ids=[ARXIV], authors=["A. One"])
    bare = make_paper(title="T")
    with_author = make_paper(title="T", authors=["A. One"])
    assert keys(paper) == (ARXIV, with_author.id, bare.id)
    assert keys(bare) == (bare.id,)
    assert keys(with_author) == (with_author.id, bare.id)


@pytest.mark.parametrize(
    ("known_ids", "known_authors", "new_ids", "new_authors", "same"),
    [
        ([], [], [ARXIV], ["A. One"], True),
        ([ARXIV], ["A. One"], [], [], True),
        ([ARXIV], ["A. One"], [], ["One, Ada"], True),
        ([ARXIV], ["A. One"], [], ["B. Two"], False),
        ([ARXIV], [], ["arXiv:2401.00001"], [], False),
        ([ARXIV], [], ["10.1000/x"], [], True),
        ([ARXIV], ["A. One"], ["10.1000/x"], ["B. Two"], False),
    ],
)
def test_same_work_of_one_title_goes_by_rival_ids_and_authors(
    known_ids: list[str], known_authors: list[str], new_ids: list[str], new_authors: list[str], same: bool
) -> None:
    known = make_paper(title="T", ids=known_ids, authors=known_authors)
    new = make_paper(title="T", ids=new_ids, authors=new_authors)
    assert same_work(known, keys(known), new) is same


def test_merge_keeps_what_the_new_record_does_not_say() -> None:
    known = Paper("title:0123456789abcdef", "T", ("A",), "Text.", published=date(2026, 1, 1), source="a", votes=3)
    new = Paper(ARXIV, "T", url="https://arxiv.org/abs/2310.10637", version=1, source="b")
    merged = merge(known, new)
    assert merged == Paper(
        ARXIV,
        "T",
        ("A",),
        "Text.",
        "https://arxiv.org/abs/2310.10637",
        date(2026, 1, 1),
        source="a",
        version=1,
        votes=3,
    )
    assert not is_revision(known, merged)


def test_merge_of_an_older_version_adds_an_id_and_nothing_else() -> None:
    known = Paper("doi:10.1000/x", "New", abstract="New.", version=2)
    merged = merge(known, Paper(ARXIV, "Old", abstract="Old.", version=1))
    assert (merged.id, merged.title, merged.abstract, merged.version) == (ARXIV, "New", "New.", 2)


def test_merge_of_a_worse_id_keeps_the_better_one_and_its_link() -> None:
    known = make_paper(title="T", ids=[ARXIV])
    merged = merge(known, make_paper(title="T", ids=["10.1000/x"], abstract="A."))
    assert (merged.id, merged.url, merged.abstract) == (ARXIV, "https://arxiv.org/abs/2310.10637", "A.")


@pytest.mark.parametrize(
    ("change", "revision"),
    [
        ({"title": "U"}, True),
        ({"abstract": "B."}, True),
        ({"version": 2}, True),
        ({"votes": 9}, False),
        ({"authors": ("B",)}, False),
        ({}, False),
    ],
)
def test_is_revision_when_title_abstract_or_version_changed(change: dict[str, object], revision: bool) -> None:
    told: dict[str, object] = {"id": ARXIV, "title": "T", "abstract": "A.", "version": 1}
    known = Paper(**told)  # type: ignore[arg-type]
    assert is_revision(known, merge(known, Paper(**(told | change)))) is revision  # type: ignore[arg-type]
    assert not is_revision(Paper(ARXIV, "T"), known)  # what was not known has not changed
