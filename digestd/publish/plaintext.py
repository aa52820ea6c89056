"""Laying out the text part: wrapping by what a terminal shows, not by what `len` counts.

Wide (CJK) characters take two columns and may be parted anywhere; combining marks take none; an address is
never broken, because a broken one cannot be opened.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from digestd.publish.marks import Run

COLUMNS = 72  # what RFC 2646 and forty years of terminals agree on; leaves room to be quoted

# Scripts that are written without blanks: kana, CJK ideographs, full-width forms. Hangul has blanks.
_WIDE = "\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff01-\uff60\U00020000-\U0003fffd"
# What must not begin a line keeps to the character before it: the full stop, the comma, closing brackets.
_CLOSING = "\u3001\u3002\u3009\u300b\u300d\u300f\u3011\u30fb\u30fc\uff01\uff09\uff0c\uff0e\uff1a\uff1b\uff1f"
_ATOM = re.compile(rf"(\s*)([{_WIDE}][{_CLOSING}]*|[^\s{_WIDE}]+)")

# One column for each character: ASCII, Latin, Greek, Cyrillic, dashes and quotes, without marks and soft hyphens.
_NARROW = re.compile(
    "[ -~\u00a1-\u00ac\u00ae-\u024f\u0391-\u03a1\u03a3-\u0482\u048a-\u04ff\u2010-\u2027\u2030-\u205e]*"
)


def columns(text: str) -> int:
    """Return how many columns a terminal uses for `text` (Unicode Standard Annex 11)."""
    if text.isascii():
        return len(text)
    return sum(_columns_of(character) for character in text)


def wrap(text: str, indent: int = 0, width: int = COLUMNS) -> str:
    """Return `text` in lines of at most `width` columns, each indented by `indent` but not the first.

    The first line stands behind what the caller put there, of `indent` columns too. Only an address may pass
    the width.
    """
    simple = _wrapped_narrow(text, width - indent)
    if simple is not None:
        return ("\n" + " " * indent).join(simple)
    lines: list[list[str]] = [[]]
    used = indent
    for blank, atom in _atoms(text, width - indent):
        needed = columns(atom)
        if lines[-1] and used + len(blank) + needed > width:
            lines.append([])
            used = indent
        if lines[-1]:
            lines[-1].append(blank)
            used += len(blank)
        lines[-1].append(atom)
        used += needed
    return ("\n" + " " * indent).join("".join(line) for line in lines)


def underlined(text: str, line: str = "=") -> str:
    """Return a heading: the text, wrapped, over a line as wide as its widest line."""
    wrapped = wrap(text)
    return wrapped + "\n" + line * max(columns(part) for part in wrapped.split("\n"))


def starred(runs: tuple[Run, ...]) -> str:
    """Return the runs as one text with the marked ones *between stars*; an address is left as it is."""
    return "".join(f"*{run.text}*" if run.marked and not run.url else run.text for run in runs)


def _wrapped_narrow(text: str, room: int) -> list[str] | None:
    """Return the lines of what most texts are, narrow letters with single blanks and no overlong word; else None.

    It looks at each line's end instead of each word: an edition's text part is wrapped in a tenth of the time.
    """
    if not _NARROW.fullmatch(text) or "  " in text or text[:1] == " " or text[-1:] == " ":
        return None
    lines, start = [], 0
    while len(text) - start > room:
        end = text.rfind(" ", start, start + room + 1)
        if end <= start:
            return None
        lines.append(text[start:end])
        start = end + 1
    return [*lines, text[start:]]


def _atoms(text: str, room: int) -> Iterator[tuple[str, str]]:
    for hit in _ATOM.finditer(text):
        blank, atom = (" " if hit[1] else ""), hit[2]
        if columns(atom) > room and "://" not in atom:
            for start in range(0, len(atom), room):
                yield (blank if start == 0 else ""), atom[start : start + room]
        else:
            yield blank, atom


def _columns_of(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
