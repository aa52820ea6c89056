"""Quoted-printable in pieces: what is encoded alone and joined is decoded as if it had been encoded as a whole."""

from __future__ import annotations

import quopri

from hypothesis import example, given
from hypothesis import strategies as st

from digestd.publish.encode import LONGEST_LINE, Piece, Shared, encoded, joined, quoted_printable

LETTERS = st.sampled_from(["a", ".", "é", "=", "\n", " ", "\t", "…" * 3, "x" * 75, "y" * 76])
TEXTS = st.lists(LETTERS, max_size=30).map("".join)
PIECES = st.lists(st.one_of(TEXTS, TEXTS.map(Shared.of)), max_size=5)


def decoded(octets: bytes) -> str:
    return quopri.decodestring(octets.replace(b"\r\n", b"\n")).decode()


@given(PIECES)
@example(["x" * 76, Shared.of("card")])
@example(["x" * 75 + "é", Shared.of("card")])
@example([" 1. ", Shared.of(".title"), "\n\n", Shared.of("next "), "end"])
def test_encoded_pieces_are_sound_lines_of_the_joined_text(pieces: list[Piece]) -> None:
    octets = b"".join(encoded(pieces))
    lines = octets.split(b"\r\n")
    assert decoded(octets) == joined(pieces)
    assert max(map(len, lines)) <= LONGEST_LINE
    assert not any(b"\n" in line or b"\r" in line or line.endswith((b" ", b"\t")) for line in lines)


@given(st.text("a.é ", max_size=300))
def test_quoted_printable_line_begins_with_no_dot_that_a_courier_would_double(text: str) -> None:
    lines = quoted_printable(f"{text}b").split(b"\r\n")
    assert not any(line.startswith(b".") and line.strip(b".=") for line in lines)


def test_quoted_printable_carriage_return_is_no_line_end() -> None:
    assert quoted_printable("a\r\nb\rc") == b"a\r\nbc"


def test_shared_piece_tells_its_text_and_its_octets() -> None:
    piece = Shared.of("Réseaux\nand more")
    assert piece.text == "Réseaux\nand more\n"
    assert piece.octets == len(piece.text.encode())
