"""Quoted-printable in pieces: what is encoded alone and joined is decoded as the joined texts."""

from __future__ import annotations

import quopri

from hypothesis import example, given
from hypothesis import strategies as st

from digestd.publish.encode import (
    LONGEST_LINE,
    encoded,
    encoded_addresses,
    encoded_lines,
    joined,
    quoted_printable,
)

LETTERS = st.sampled_from(["a", ".", "é", "=", "\n", " ", "\t", "…" * 3, "x" * 75, "y" * 76])
TEXTS = st.lists(LETTERS, max_size=30).map("".join)


@given(st.lists(TEXTS, max_size=5))
@example(["x" * 76, "card\n"])
@example(["x" * 75 + "é", "card\n"])
@example(["x" * 75 + ".com", "card\n"])
@example(["x" * 75 + " \n"])
@example(["x" * 75 + "."])
@example(["."])
@example([" 1. ", ".title\n", "\n\n", "next \n", "end"])
def test_pieces_are_sound_lines_of_the_joined_text(texts: list[str]) -> None:
    octets = b"".join(map(encoded, texts))
    lines = octets.split(b"\r\n")
    assert quopri.decodestring(octets.replace(b"\r\n", b"\n")).decode() == joined([octets]) == "".join(texts)
    assert max(map(len, lines)) <= LONGEST_LINE
    assert not any(b"\n" in line or b"\r" in line or line.endswith((b" ", b"\t")) for line in lines)
    assert not any(line.startswith(b".") for line in lines)


@given(st.lists(st.sampled_from(["a", ".", "é", " ", "=", "." * 20, "." * 73, "x" * 75])).map("".join))
@example("." * 73)
@example("." * 300)
@example("=" + "." * 72)
def test_no_line_begins_with_a_dot_that_a_courier_would_double(text: str) -> None:
    for octets in (quoted_printable(f"{text}b"), encoded(text)):
        assert not any(line.startswith(b".") for line in octets.split(b"\r\n"))


@given(
    st.lists(st.lists(st.sampled_from(["a", ".", "é", "=", "~", "~\n", "\n", "x b", "." * 75, "y" * 75])).map("".join))
)
@example(["a~\nb", "c"])
@example(["y" * 75, "y" * 76, "é" * 13])
@example(["y" * 75 + ".", "a"])
def test_lines_encoded_together_are_those_encoded_alone(texts: list[str]) -> None:
    texts = [text.strip("\n") or "a" for text in texts]
    assert encoded_lines(texts) == list(map(encoded, texts))


@given(st.lists(st.text("a./:=", max_size=200)))
@example(["", ".", "a", "="])
@example(["https://" + "a" * 67 + ".", "https://" + "a" * 67, "https://" + "a" * 67 + "b"])
@example(["https://" + "a" * 142, "https://" + "a" * 143])
def test_addresses_are_encoded_as_any_text(addresses: list[str]) -> None:
    assert encoded_addresses(addresses) == list(map(encoded, addresses))


def test_carriage_return_is_no_line_end() -> None:
    assert quoted_printable("a\r\nb\rc") == b"a\r\nbc"
