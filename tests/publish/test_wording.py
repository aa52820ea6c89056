"""The words around the papers: introduction, subject line, authors, reasons."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.editions import READER, edition, entry, paper, section
from support.pages import Page, many, shown

from digestd.model import Cadence, Edition, Entry
from digestd.publish.card import byline, card, listed, shorten, shorten_to_sentences, why
from digestd.publish.wording import LONGEST_SUBJECT, first_lines, intro, subject


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (edition(), "1 of 82 new papers matches what you follow."),
        (edition(section(*many(7))), "7 of 82 new papers match what you follow."),
        (edition(section(*many(1), matched=7)), "7 of 82 new papers match what you follow."),
        (edition(section(*many(3)), section(*many(3)), considered=4), "4 of 4 new papers match what you follow."),
        (edition(section()), "Nothing among 82 new papers matches what you follow. We keep looking."),
        (edition(section(), considered=0), "No new papers came in this time. We keep looking."),
        (edition(cadence=Cadence.IMMEDIATE), "1 paper just came in that you asked to hear about at once."),
        (
            edition(section(*many(2)), cadence=Cadence.IMMEDIATE),
            "2 papers just came in that you asked to hear about at once.",
        ),
    ],
)
def test_intro_of_an_edition_counts_its_papers(of: Edition, expected: str) -> None:
    assert intro(of) == expected


def titled(*titles: str) -> tuple[Entry, ...]:
    return tuple(entry(paper(number, title=title)) for number, title in enumerate(titles))


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (edition(section(*titled("A: x", "B: y"))), "Agents: A and B · 23 Nov"),
        (edition(section(*titled("A: x"), matched=6)), "Agents: A and 5 more · 23 Nov"),
        (edition(section(*titled("A", "B", "C", "D"))), "Agents: A, B, C and 1 more · 23 Nov"),
        (edition(section(*titled("A", "C")), section(*titled("B"), profile="Z")), "A, B and C · 23 Nov"),
        (edition(section(), section()), "Nothing new · 23 Nov"),
        (edition(section(*titled("A")), cadence=Cadence.IMMEDIATE), "Alert: A · 23 Nov 08:00"),
        (edition(section(*titled(""))), "Agents: Untitled · 23 Nov"),
    ],
)
def test_subject_of_an_edition_says_what_is_inside_and_the_date(of: Edition, expected: str) -> None:
    assert subject(of) == expected


def test_subject_date_is_the_readers() -> None:
    late = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    assert subject(edition(composed_at=late)).endswith("· 1 Jan")
    assert subject(edition(composed_at=late, reader=READER._replace(timezone="America/New_York"))).endswith("· 31 Dec")


@given(st.lists(st.text(max_size=200), max_size=5), st.text(max_size=80), st.integers(0, 10**6))
def test_subject_of_any_titles_has_at_most_a_hundred_characters_and_the_date(
    titles: list[str], profile: str, more: int
) -> None:
    line = subject(edition(section(*titled(*titles), profile=profile, matched=len(titles) + more), considered=10**7))
    assert len(line) <= LONGEST_SUBJECT
    assert line.endswith(" · 23 Nov")
    assert not re.search("[\x00-\x1f\x7f]", line)


def test_preheader_holds_the_first_titles() -> None:
    assert first_lines(edition(section(*titled("A: x", "B: y"))))[1] == "A: x · B: y"
    assert "A: x · B: y" in shown(edition(section(*titled("A: x", "B: y")))).html


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, ""),
        (1, "A0"),
        (2, "A0 and A1"),
        (4, "A0, A1, A2 and A3"),
        (5, "A0, A1, A2 and 2 more"),
        (10_000, "A0, A1, A2 and 9,997 more"),
    ],
)
def test_byline_of_many_authors_is_folded(number: int, expected: str) -> None:
    authors = tuple(f"A{n}" for n in range(number))
    assert byline(authors, number) == expected
    assert card(paper(authors=authors), ()).byline == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"source": "arxiv", "votes": 1}, "20 November 2026 · arXiv · 1 vote"),
        ({"published": None, "source": "huggingface", "votes": 1200}, "Hugging Face · 1,200 votes"),
        ({"published": date(2026, 5, 9), "source": "lab list"}, "9 May 2026 · lab list"),
        ({"published": None, "source": "", "votes": None}, ""),
    ],
)
def test_facts_of_a_paper_are_those_known(values: dict[str, object], expected: str) -> None:
    assert card(paper(**values), ()).facts == expected


def test_why_names_the_queries_in_plain_words() -> None:
    rendered = shown(edition(section(entry(paper(), '"language agent"', "title:robot*"))))
    assert 'Why:   "language agent" · title:robot*' in rendered.text
    assert 'Matches: "language agent" · title:robot*' in Page(rendered.html).text("p")


def test_why_of_many_or_long_queries_is_folded() -> None:
    assert why(tuple(f"q{n}" for n in range(9))) == ("q0", "q1", "q2", "q3", "q4", "q5", "3 more")
    assert all(len(query) <= 80 for query in why(("word " * 200,)))


@pytest.mark.parametrize(
    ("names", "expected"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_listed_names_are_a_sentence_part(names: list[str], expected: str) -> None:
    assert listed(names) == expected


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("short", 5, "short"),
        ("one two three four", 15, "one two three…"),
        ("one, two", 5, "one…"),
        ("abcdefghij", 5, "abcd…"),
    ],
)
def test_shorten_long_text_is_cut_before_a_word(text: str, limit: int, expected: str) -> None:
    assert shorten(text, limit) == expected


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("One. Two.", 9, "One. Two."),
        ("One is here. Two is not here.", 20, "One is here. …"),
        ("A claim by A. et al. holds 3.5 times. Then more words.", 40, "A claim by A. et al. holds 3.5 times. …"),
        ("Short. Then a sentence that is far too long to fit.", 30, "Short. Then a sentence that…"),
        ("要約。" * 10, 9, "要約。要約。要約。 …"),
    ],
)
def test_shorten_to_sentences_long_text_ends_with_a_sentence(text: str, limit: int, expected: str) -> None:
    assert shorten_to_sentences(text, limit) == expected


def test_subject_with_one_long_title_is_cut_before_the_date() -> None:
    line = subject(edition(section(*titled("w" * 200), profile="p" * 80, matched=123_456), considered=10**6))
    assert len(line) == LONGEST_SUBJECT
    assert line.endswith("… · 23 Nov")
