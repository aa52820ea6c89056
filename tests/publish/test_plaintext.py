"""The text part, as a terminal shows it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.golden import cases, read_edition
from support.pages import shown

from digestd.publish.plaintext import COLUMNS, columns, underlined, wrap


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=400), st.integers(0, 12))
def test_wrap_any_text_keeps_every_character_and_the_width(text: str, indent: int) -> None:
    wrapped = wrap(text, indent)
    assert "".join(wrapped.split()) == "".join(text.split())
    if "://" not in text:
        first, *rest = wrapped.split("\n")
        assert columns(first) + indent <= COLUMNS
        assert all(columns(line) <= COLUMNS and line.startswith(" " * indent) for line in rest)


def test_wrap_words_fill_the_lines() -> None:
    assert wrap("aaaa bbbb cccc dddd", 2, width=12) == "aaaa bbbb\n  cccc dddd"


def test_wrap_address_is_never_broken() -> None:
    url = "https://example.org/" + "x" * 100
    assert wrap(f"see {url} there") == f"see\n{url}\nthere"


def test_wrap_wide_characters_count_twice_and_keep_their_full_stop() -> None:
    assert wrap("一二三四五六。七", width=12) == "一二三四五\n六。七"


def test_underlined_heading_is_as_wide_as_it_shows() -> None:
    assert underlined("Robots") == "Robots\n======"
    assert underlined("論文", "-") == "論文\n----"
    assert columns("e\u0301") == 1


@pytest.mark.parametrize("case", cases())
def test_text_part_fits_a_terminal(case: str) -> None:
    text = shown(read_edition(case)).text
    assert max(columns(line) for line in text.split("\n") if "://" not in line) <= COLUMNS
    assert not re.search(r"[ \t]\n|\n\n\n|\r", text)
    assert text.endswith("\n")
