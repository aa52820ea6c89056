"""The papers page of Hugging Face: clean and dirty exports, wrapped, cut off, hostile. Nothing is lost or made up."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.editions import SEEDS

from digestd.errors import FileRefused
from digestd.ingest.formats import huggingface_page
from digestd.ingest.formats.huggingface_lines import day, is_prose, joined
from digestd.match.text import clean
from digestd.model import BadRecord, Paper

FOLDER = Path(__file__).with_name("formats") / "huggingface"
SAMPLE = SEEDS.parents[2] / "shared" / "samples" / "huggingface-papers-llms.txt"
TODAY = date(2026, 11, 23)
HEAD = "new\n\nGet trending papers in your email inbox!\n\nSubscribe\n\nbyAK and the research community\n\nMay 19\n\n"
FIRST = (
    "ToolBird*: Nests, Tools and H$_2$O",
    "We watch birds that use tools. They drink H$_2$O, 3\\% more than others.",
)
SECOND = ("CodeNest5+: A Survey", "A survey of nests. Code is at {https://example.org/nest}.")

pages = pytest.mark.parametrize(
    "page",
    [
        SEEDS,
        pytest.param(
            SAMPLE, marks=pytest.mark.skipif(not SAMPLE.exists(), reason="the real sample is not beside this checkout")
        ),
    ],
    ids=["seeds", "sample"],
)


def parsed(text: str, modified: date = TODAY) -> list[Paper | BadRecord]:
    return list(huggingface_page.parse(iter(text.splitlines(keepends=True)), modified))


def told(text: str) -> list[tuple[str, str | None]]:
    """Return title and abstract of each paper; there must be no bad record."""
    records = parsed(text)
    assert [record for record in records if isinstance(record, BadRecord)] == []
    return [(record.title, record.abstract) for record in records if isinstance(record, Paper)]


def clean_page(*pairs: tuple[str, str]) -> str:
    return HEAD + "".join(f"{title}\n\n{abstract}\n\n" for title, abstract in pairs)


def pairs_of(page: Path) -> list[tuple[str, str]]:
    """Return title and abstract in turn, read without any of the project's parsers."""
    body = [line for line in page.read_text("utf-8").split("\n") if line.strip()][5:]
    return list(zip(body[::2], body[1::2], strict=True))


def dirty(pairs: list[tuple[str, str]], gap: str) -> str:
    """Return the page as the browser shows it, with everything around each paper, lines `gap` apart."""
    papers = []
    for number, (title, abstract) in enumerate(pairs):
        above = ["Submitted by", f"user{number}", str(number), title, "·", "12 authors", "·", "5"]
        below = [f"https://example.org/{number}", "1.2k stars", "arXiv Page", abstract, "Upvote", "-"]
        papers.append(gap.join(above + below))
    return HEAD + "\n\n".join(papers) + "\n"


@pages
@pytest.mark.parametrize("gap", ["\n", "\n\n", "\n\n\n"], ids=["tight", "spaced", "wide"])
def test_page_with_everything_around_each_paper_yields_the_82_exactly(page: Path, gap: str) -> None:
    pairs = pairs_of(page)
    assert len(pairs) == 82
    text = dirty(pairs, gap)
    assert told(text) == pairs
    assert [record.votes for record in parsed(text) if isinstance(record, Paper)] == list(range(82))


@pages
@pytest.mark.parametrize("width", [72, 76, 80, 100, 120])
@pytest.mark.parametrize("hyphens", [True, False], ids=["at hyphens", "at blanks"])
def test_page_wrapped_at_a_width_yields_the_82_exactly(page: Path, width: int, hyphens: bool) -> None:
    lines = page.read_text("utf-8").split("\n")
    wrapped = (textwrap.fill(line, width, break_on_hyphens=hyphens, break_long_words=False) for line in lines)
    assert told("\n".join(wrapped)) == pairs_of(page)


@pages
@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n\n", "\n"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\n\n\n".join(text.split("\n")),
        lambda text: textwrap.indent(text, "\t "),
        lambda text: text.replace("\n", " \n"),
        lambda text: text + "\n" * 9,
    ],
    ids=["no blank lines", "CRLF", "many blank lines", "indented", "trailing blanks", "blanks at the end"],
)
def test_page_with_other_blanks_yields_the_82_exactly(page: Path, change: Callable[[str], str]) -> None:
    assert told(change(page.read_text("utf-8"))) == pairs_of(page)


@pages
def test_page_of_which_each_paper_stands_twice_yields_each_once_with_the_longer_abstract(page: Path) -> None:
    pairs = pairs_of(page)
    summary = "One sentence about the paper as the trending page has it."
    twice = [(title, text) for title, abstract in pairs for text in (summary, abstract)]
    assert told(clean_page(*twice)) == pairs
    assert told(clean_page(*((title, summary) for title, _ in pairs), *pairs)) == pairs


def test_daily_export_yields_its_papers_with_what_stands_around_them() -> None:
    first, second, third = parsed((FOLDER / "daily.txt").read_text("utf-8"))
    assert first == Paper(
        id="arXiv:2505.11111",
        title="Paper Kites: How Folded Sheets Stay in the Air Without Models",
        abstract="A kite of one folded sheet flies with 3.5 times less string than a kite of two."
        " Code is at https://example.org/kites.",
        url="https://arxiv.org/abs/2505.11111",
        published=date(2026, 5, 19),
        source="huggingface",
        version=2,
        votes=118,
    )
    assert isinstance(second, Paper)
    assert isinstance(third, Paper)
    assert (second.id, second.votes) == ("arXiv:2505.22222", None)
    assert second.title == "LLMs vs. Herons: Who Waits Longer for a Fish?"
    assert second.abstract == "Herons wait longer, by 41 minutes on average. Both give up at dusk."
    assert (third.title, third.votes) == ("Rivers Do Not Run Straight and This Is What They Lose.", 7)


def test_markdown_export_yields_names_and_links() -> None:
    stones, moss, heading = parsed((FOLDER / "markdown.txt").read_text("utf-8"))
    assert isinstance(stones, Paper)
    assert isinstance(moss, Paper)
    assert isinstance(heading, Paper)
    assert (stones.id, stones.title) == ("arXiv:2505.33333", "Stones That Count: Arithmetic in Gravel")
    assert stones.abstract is not None
    assert stones.abstract.startswith("Gravel on a slope")
    assert (moss.id, moss.title, moss.abstract) == ("arXiv:2505.44444", "Moss as a Clock", None)
    assert heading.title == "A Heading Without a Link"


def test_published_on_dates_the_paper_above_it_and_the_day_of_the_page_the_others() -> None:
    text = clean_page(FIRST) + "Published on Mar 20, 2024\n\n" + "\n\n".join(SECOND) + "\n"
    days = [record.published for record in parsed(text) if isinstance(record, Paper)]
    assert days == [date(2024, 3, 20), date(2026, 5, 19)]


@pytest.mark.parametrize(
    ("above", "below"), [("Mar 20, 2024", None), (None, "Mar 20, 2024"), ("Mar 20, 2024", "Mar 1")]
)
def test_paper_that_stands_twice_keeps_the_first_of_each_fact(above: str | None, below: str | None) -> None:
    text = HEAD
    for votes, day_of, link in ((3, above, "/papers/2505.11111"), (4, below, "https://example.org/x")):
        text += f"{votes}\n\n" + "\n\n".join(FIRST) + f"\n\n{link}\n\n"
        text += f"Published on {day_of}\n\n" if day_of else ""
    (paper,) = parsed(text)
    assert isinstance(paper, Paper)
    assert (paper.id, paper.votes, paper.published) == ("arXiv:2505.11111", 3, date(2024, 3, 20))


@pytest.mark.parametrize("line", ["May 19", "may 19", "Tue May 19", "19 May", "May 2025", "May 19th"])
def test_line_that_looks_like_a_day_invents_no_paper(line: str) -> None:
    records = parsed(clean_page(FIRST) + f"{line}\n\n" + "\n\n".join(SECOND) + "\n")
    assert [(one.title, one.abstract) for one in records if isinstance(one, Paper)] == [FIRST, SECOND]


@given(st.dates(date(1990, 1, 1), date(2090, 12, 31)), st.dates(date(1999, 1, 1), date(2090, 12, 31)))
def test_day_without_a_year_is_the_newest_not_after_the_file(told_day: date, modified: date) -> None:
    (paper,) = parsed(f"Daily Papers\n\n{told_day:%b} {told_day.day}\n\n{FIRST[0]}\n\n{FIRST[1]}\n", modified)
    assert isinstance(paper, Paper)
    found = paper.published
    assert found is not None
    assert (found.month, found.day) == (told_day.month, told_day.day)
    assert found <= modified
    assert (modified - found).days < (366 if (told_day.month, told_day.day) != (2, 29) else 8 * 366)


@pytest.mark.parametrize("text", ["", "19 May", "May 19 and more", "May 2025", "Feb 30", "Nov 31, 2025"])
def test_day_of_what_is_no_day_is_none(text: str) -> None:
    assert day(text, TODAY) is None


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (f"{SECOND[0]}\n", 15, "a title without an abstract or a link"),
        (f"{'word ' * 50}\n", 15, "an abstract without a title before it"),
        ("It is a whole sentence, of more than eight words.\n", 15, "an abstract without a title before it"),
        (f"{'Word ' * 30}\n\n{'x ' * 60_000}\n", 15, "the abstract is too long: 119,999, at most 100,000 are taken"),
        (f"???\n\n{SECOND[1]}\n", 15, "the title has no letter or digit"),
    ],
    ids=["lone title", "lone abstract", "lone sentence", "huge abstract", "no letters"],
)
def test_piece_that_is_no_paper_is_named_by_its_line_and_the_others_kept(text: str, line: int, reason: str) -> None:
    good, bad = parsed(clean_page(FIRST) + text)
    assert isinstance(good, Paper)
    assert (good.title, good.abstract) == FIRST
    assert isinstance(bad, BadRecord)
    assert (bad.line, bad.reason) == (line, reason)
    assert len(bad.excerpt) <= 200


def test_excerpt_of_a_bad_record_shows_no_control_characters() -> None:
    _, bad = parsed(clean_page(FIRST) + "\x1b[31mRed \u202eTitle\n")
    assert isinstance(bad, BadRecord)
    assert bad.excerpt == "[31mRed Title"


def test_short_abstract_without_a_full_stop_does_not_shift_the_papers_behind_it() -> None:
    records = parsed(clean_page(("A Title", "we say little"), FIRST, SECOND))
    papers = [(one.title, one.abstract) for one in records if isinstance(one, Paper)]
    assert papers == [FIRST, SECOND]


@pytest.mark.parametrize(
    "page", [clean_page(FIRST, SECOND), (FOLDER / "daily.txt").read_text("utf-8")], ids=["clean", "daily"]
)
def test_every_prefix_holds_only_whole_papers_and_a_last_one_up_to_a_sentence(page: str) -> None:
    whole = {one.title: one.abstract for one in parsed(page) if isinstance(one, Paper)}
    seen = set()
    for length in range(len(page) + 1):
        try:
            papers = [one for one in parsed(page[:length]) if isinstance(one, Paper)]
        except FileRefused:
            continue
        assert [one.title for one in papers] == list(whole)[: len(papers)]
        assert all(one.abstract == whole[one.title] for one in papers[:-1])
        for one in papers[-1:]:
            abstract, full = one.abstract or "", whole[one.title] or ""
            assert full.startswith(abstract)
            assert abstract[-1:] in ("", *".!?:)]}$'\"") or "http" in abstract.split()[-1]
        seen.add(len(papers))
    assert seen == set(range(len(whole) + 1))


def test_page_cut_behind_the_link_of_a_title_is_whole_and_within_it_or_its_abstract_is_not() -> None:
    text = f"{HEAD}[Moss as a Clock](/papers/2505.44444)"
    (paper,) = parsed(text)
    assert isinstance(paper, Paper)
    assert paper.id == "arXiv:2505.44444"
    with pytest.raises(FileRefused, match="middle of line 11"):
        parsed(text[:-1])
    with pytest.raises(FileRefused, match="middle of line 14"):
        parsed(text + f"\n\n{'word ' * 20}\n{'word ' * 20}and th")


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["a well-", "known bird"], "a well-known bird"),
        (["pre-", "and post-war"], "pre- and post-war"),
        (["birds--", "all of them"], "birds--all of them"),
        (["birds", "--all of them"], "birds--all of them"),
        (["birds --", "all of them"], "birds -- all of them"),
        (["one", "two"], "one two"),
    ],
)
def test_joined_wrapped_lines_are_the_line_they_were(lines: list[str], text: str) -> None:
    assert joined(lines) == text


@pytest.mark.parametrize(
    ("text", "prose"),
    [
        ("Who Waits Longer, LLMs vs. Herons? A Study of Fish and of Patience", False),
        ("Is It Good? Yes! It Is!", False),
        ("Attention Is All You Need.", False),
        ("Of All Nine Rivers in the World, LLMs vs. Herons in Each of Them: Who Is It That Waits Longer?", False),
        ("Attention is all that you need in this paper.", True),
        ("Does it work? We tried it on nine rivers, for a decade and two days. Does that not suffice?", True),
        ("x" * 200, True),
        ("x" * 199, False),
    ],
)
def test_is_prose_tells_an_abstract_from_a_title(text: str, prose: bool) -> None:
    assert is_prose(text) is prose


SENTENCE = "We do this. It is good, as they say, and well."
LINES = st.sampled_from(
    [
        "", "May 19", "Submitted by", "12", "-", "·", "12 authors", "Models", "/papers/2505.11111", "# [A](b)", "[A](",
        "https://a.b", "Daily Papers", "A Title of Some Words", "x" * 250, SENTENCE, "é\u202e\0", "[" * 9,
        "Published on May 1", "arXiv:2505.11111", "Upvote", "word-", "--word",
        "A Title of More than Forty Letters, Models",
    ]
) | st.text(max_size=30)  # fmt: skip


@given(st.lists(LINES, max_size=25), st.booleans())
def test_page_of_any_lines_gives_papers_of_its_own_words_or_is_refused(lines: list[str], ended: bool) -> None:
    text = "\n".join(lines) + "\n" * ended
    try:
        records = parsed(text)
    except FileRefused:
        return
    words = "".join(clean(text).split())
    for record in records:
        if isinstance(record, Paper):
            assert record.title
            assert record.abstract or record.id.startswith("arXiv:") or ("Submitted by" in text and "authors" in text)
            for said in (record.title, record.abstract or ""):
                if said.isascii():
                    assert "".join(said.split()) in words
    bad = [record.line for record in records if isinstance(record, BadRecord)]
    assert all(before < after for before, after in pairwise(bad))
