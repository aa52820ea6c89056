"""Digest files into papers: formats, detection, limits, and what is refused."""

from __future__ import annotations

import json
import os
from datetime import date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestd.errors import FileRefused
from digestd.ingest import reading
from digestd.ingest.formats import detect, huggingface_page, json_lines, named
from digestd.ingest.stage import read_file
from digestd.model import BadRecord, Paper

ROOT = Path(__file__).parents[2]
SEEDS = ROOT / "seeds" / "huggingface-papers-llms.txt"
SAMPLE = ROOT.parent / "shared" / "samples" / "huggingface-papers-llms.txt"
LIMIT = 10**9
HEAD = "Get trending papers in your email inbox!\n\nMay 19\n\n"
PROSE = "We present a thing that works. It is tested on many data sets, and does well."

needs_sample = pytest.mark.skipif(not SAMPLE.exists(), reason="the real sample file is not beside this checkout")


def written(tmp_path: Path, content: str | bytes, name: str = "digest.txt") -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    return path


def papers(path: Path, format_name: str | None = None) -> list[Paper]:
    return [record for record in read_file(path, LIMIT, format_name) if isinstance(record, Paper)]


def parsed(text: str, modified: date = date(2026, 11, 23)) -> list[Paper | BadRecord]:
    return list(huggingface_page.parse(iter(text.splitlines(keepends=True)), modified))


@pytest.mark.parametrize("path", [SEEDS, pytest.param(SAMPLE, marks=needs_sample)], ids=["seeds", "sample"])
def test_huggingface_page_every_title_and_abstract_is_exact(path: Path) -> None:
    body = [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()][5:]
    records = list(read_file(path, LIMIT))
    assert [(paper.title, paper.abstract) for paper in records] == list(zip(body[::2], body[1::2], strict=True))
    assert len({paper.id for paper in records}) == 82
    assert {(paper.published.month, paper.published.day, paper.source) for paper in records} == {(5, 19, "huggingface")}


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: "".join(f"  {line}\n" for line in text.splitlines()),
        lambda text: "".join(f"{line}\n" for line in text.splitlines() if line.strip()),
        lambda text: text.replace("\n\n", "\n\n-\n\n").replace("new\n", "Hugging Face\nModels\nDatasets\n\nnew\n", 1),
        lambda text: text.rstrip("\n"),
    ],
    ids=["CRLF", "BOM", "indented", "no blank lines", "votes and menus", "no last newline"],
)
def test_huggingface_page_other_exports_hold_the_same_papers(tmp_path: Path, change: object) -> None:
    text = SEEDS.read_text("utf-8")
    changed = papers(written(tmp_path, change(text)))  # type: ignore[operator]
    expected = papers(SEEDS)
    assert [(paper.title, paper.abstract) for paper in changed] == [(one.title, one.abstract) for one in expected]


def test_huggingface_page_dirty_export_yields_its_papers_and_no_other(tmp_path: Path) -> None:
    path = Path(__file__).with_name("formats") / "huggingface" / "trending.txt"
    first, second = papers(path)
    assert first == Paper(
        id="arXiv:2401.01234",
        title="A Wonderful Title: With Wrapped Line",
        abstract=first.abstract,
        url="https://arxiv.org/abs/2401.01234",
        published=first.published,
        source="huggingface",
        votes=123,
    )
    assert first.abstract is not None
    assert first.abstract.startswith("We present a wonderful thing")
    assert (second.id, second.title) == ("arXiv:2402.00001", "Another Title Over Two Lines Without Brackets")
    assert second.abstract is not None
    assert second.abstract.startswith("A full abstract of many words")
    (bad,) = [record for record in read_file(path, LIMIT) if isinstance(record, BadRecord)]
    assert (bad.line, bad.excerpt) == (61, "Lone title here")


def test_huggingface_page_two_abstracts_for_one_title_are_named_by_line() -> None:
    paper, bad = parsed(f"{HEAD}A Title\n\n{PROSE}\n\n{PROSE} Again.\n")
    assert isinstance(paper, Paper)
    assert bad == BadRecord(9, "an abstract without a title before it", f"{PROSE} Again.")


def test_huggingface_page_abstract_wrapped_over_lines_is_one() -> None:
    wrapped = "We present a thing that works very well on each\nof the many data sets that we tried it on, and it does\nso fast.\n"  # noqa: E501
    (paper,) = parsed(f"{HEAD}A Title\n\n{wrapped}")
    assert isinstance(paper, Paper)
    assert paper.abstract == wrapped.strip().replace("\n", " ")


def test_huggingface_page_link_that_names_the_paper_is_its_id() -> None:
    (paper,) = parsed(f"{HEAD}A Title\n\nhttps://huggingface.co/papers/2310.10637\n\n{PROSE}\n")
    assert isinstance(paper, Paper)
    assert paper.id == "arXiv:2310.10637"


@pytest.mark.parametrize(
    ("line", "modified", "expected"),
    [
        ("May 19", date(2026, 11, 23), date(2026, 5, 19)),
        ("Dec 31", date(2026, 11, 23), date(2025, 12, 31)),
        ("Nov 23", date(2026, 11, 23), date(2026, 11, 23)),
        ("Feb 29", date(2026, 11, 23), date(2024, 2, 29)),
        ("Published on May 19, 2021", date(2026, 11, 23), date(2021, 5, 19)),
        ("Feb 30", date(2026, 11, 23), None),
    ],
)
def test_huggingface_page_date_is_the_newest_that_is_not_in_the_future(
    line: str, modified: date, expected: date | None
) -> None:
    (paper,) = parsed(f"Daily Papers\n\n{line}\n\nA Title\n\n{PROSE}\n", modified)
    assert isinstance(paper, Paper)
    assert paper.published == expected


def test_huggingface_page_every_prefix_is_read_in_part_or_refused() -> None:
    whole = f"{HEAD}First Title\n\n{PROSE}\n\nSecond Title\n\n{PROSE} It ends with a link https://example.org/x\n"
    titles = {"First Title", "Second Title"}
    for length in range(len(whole)):
        try:
            records = parsed(whole[:length])
        except FileRefused as error:
            assert "half-written" in str(error) or "no paper was found" in str(error)
            continue
        for record in records:
            if isinstance(record, Paper):
                assert record.title in titles
                assert record.abstract is not None
                assert record.abstract in whole


def test_json_lines_bad_records_are_named_and_the_others_kept(tmp_path: Path) -> None:
    lines = [
        '{"title": "Good", "authors": ["A. One"], "published": "2026-05-19T10:00:00", "extra": 1}',
        '{"titel": 1}',
        "{bad",
        "[1]",
        '{"title": "x", "authors": "one"}',
        '{"title": "x", "version": -1}',
        '{"title": "x", "published": "yesterday"}',
        '{"title": 5}',
        '{"title": "..."}',
        '{"title": "x", "version": ' + "1" * 5000 + "}",
        "[" * 100_000,
        '{"title": "' + "x" * 2000 + '"}',
        "",
        '{"title": "Last"}',
    ]
    records = list(read_file(written(tmp_path, "\n".join(lines) + "\n"), LIMIT))
    good = [record for record in records if isinstance(record, Paper)]
    bad = [record for record in records if isinstance(record, BadRecord)]
    assert [(paper.title, paper.published) for paper in good] == [("Good", date(2026, 5, 19)), ("Last", None)]
    assert [record.line for record in bad] == list(range(2, 13))
    assert all(len(record.excerpt) <= 200 for record in bad)


@given(
    st.builds(
        json_lines.paper,
        st.fixed_dictionaries(
            {"title": st.text(min_size=1).filter(lambda text: any(char.isalnum() for char in text))},
            optional={
                "id": st.sampled_from(
                    ["arXiv:2310.10637", "doi:10.1000/x", "pmid:12", "cond-mat/0603029v2", "nothing"]
                ),
                "authors": st.lists(st.text(), max_size=3),
                "abstract": st.text(),
                "url": st.sampled_from(["https://example.org/a", "https://arxiv.org/abs/2310.10637v3"]),
                "categories": st.lists(st.text(), max_size=2),
                "source": st.text(max_size=5),
                "version": st.integers(0, 99),
                "votes": st.integers(0, 999),
            },
        ),
    )
)
def test_json_lines_round_trip(paper: Paper) -> None:
    again = json_lines.paper(json.loads(json_lines.dump(paper)))
    assert again == paper


@given(st.text())
def test_formats_any_text_is_papers_bad_records_or_refused(text: str) -> None:
    for known in (json_lines, huggingface_page):
        try:
            records = list(known.parse(iter(text.splitlines(keepends=True)), date(2026, 1, 1)))
        except FileRefused:
            continue
        assert all(isinstance(record, Paper | BadRecord) for record in records)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b" \n\n", "nothing but blanks"),
        (b"\x7fELF\0\0", "it is binary"),
        (b"\x1f\x8b\x08x", "its gzip data breaks off"),
        (b"PK\x03\x04", "zip archive"),
        (b"%PDF-1.7", "a PDF"),
        (b"hello world\n", "its format is not known; tried jsonl, huggingface"),
        (b'{"title": "One"}\n{"title": "Tw', "breaks off in the middle of line 2"),
        (
            f"{HEAD}A Title\n\n{PROSE} And then it stops in the mid".encode(),
            "breaks off in the middle of line 7; it looks half-written",
        ),
        (f"{HEAD}A Title that".encode(), "breaks off"),
    ],
)
def test_read_file_that_cannot_be_taken_says_why(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(FileRefused, match=reason):
        list(read_file(written(tmp_path, content), LIMIT))


def test_read_file_that_is_too_large_or_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match=r"too large: 11 bytes, at most 10 are taken"):
        list(read_file(written(tmp_path, "x" * 11), 10))
    with pytest.raises(FileRefused, match="not a regular file"):
        list(read_file(tmp_path, LIMIT))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileRefused, match="not a regular file"):
        list(read_file(tmp_path / "pipe", LIMIT))


def test_reading_line_beyond_its_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_LINE", 20)
    with pytest.raises(FileRefused, match="line 2 is longer than 20 bytes"):
        list(read_file(written(tmp_path, '{"title": "One"}\n{"title": "' + "x" * 99 + '"}\n'), LIMIT))


def test_formats_named_takes_a_file_as_that_one(tmp_path: Path) -> None:
    path = written(tmp_path, f"A Title\n\n{PROSE}\n")
    with pytest.raises(FileRefused, match="not known"):
        papers(path)
    assert [paper.title for paper in papers(path, "huggingface")] == ["A Title"]
    with pytest.raises(FileRefused, match="there are jsonl, huggingface"):
        named("nothing")


def test_formats_detect_by_content() -> None:
    assert detect('\ufeff\n{"title": "x"}\n') is json_lines
    assert detect('{"id": "arXiv:1", "title": "a very long one that is cut') is json_lines
    assert detect("\n".join(["x"] * 5 + ["Daily Papers"])) is huggingface_page
    with pytest.raises(FileRefused):
        detect('{"papers": []}')


def test_formats_head_of_one_and_body_of_another_is_refused(tmp_path: Path) -> None:
    mixed = HEAD + '{"title": "One", "abstract": "x"}\n' * 3
    with pytest.raises(FileRefused, match="looks like jsonl and huggingface at once"):
        papers(written(tmp_path, mixed))


def test_formats_json_lines_that_link_to_the_other_site_are_json_lines(tmp_path: Path) -> None:
    line = '{"title": "One", "url": "https://huggingface.co/papers/2310.10637"}\n'
    assert papers(written(tmp_path, line))[0].id == "arXiv:2310.10637"


def test_paper_with_a_huge_abstract_or_many_authors_is_bounded(tmp_path: Path) -> None:
    lines = [
        json.dumps({"title": "Long", "abstract": "x " * 2_500_000}),
        json.dumps({"title": "Crowd", "authors": ["A. One"] * 10_001}),
        json.dumps({"title": "Fine", "authors": ["A. One"] * 10_000}),
    ]
    records = list(read_file(written(tmp_path, "\n".join(lines) + "\n"), LIMIT))
    assert [type(record) for record in records] == [BadRecord, BadRecord, Paper]
    assert "abstract is too long" in records[0].reason  # type: ignore[union-attr]


def test_modified_time_of_the_file_gives_the_year(tmp_path: Path) -> None:
    path = written(tmp_path, f"Daily Papers\n\nMay 19\n\nA Title\n\n{PROSE}\n")
    stamp = datetime(2024, 8, 1).timestamp()  # noqa: DTZ001 - any day of that summer
    os.utime(path, (stamp, stamp))
    assert papers(path)[0].published == date(2024, 5, 19)
