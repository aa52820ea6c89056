"""The authors of a paper as one text → their names, in the order and the spelling they stand in.

Sources write `A. One, B. Two and C. Three (Somewhere)`, `One, A.; Two, B.` or `One, A., Two, B.`; all come out as one
name an author, with affiliations dropped. Pure and linear, however hostile the text.
"""

from __future__ import annotations

import re

_BETWEEN = re.compile(r"\s*,?\s+and\s+|\s+&\s+|,", re.IGNORECASE)
_INITIALS = re.compile(r"(?:[^\W\d_]\.?|[A-Z]{2,3})(?:[\s-]*[^\W\d_]\.|[\s-]+[^\W\d_])*")  # D., J. K., A.-M., JK
_SUFFIX = re.compile(r"(?:jr|sr|ii|iii|iv|ph\.?d|m\.?d)\.?", re.IGNORECASE)
_OTHERS = re.compile(r",? et\.? ?al\.?$", re.IGNORECASE)
_NOBODY = re.compile(r"(?:et\s+al\.?|others|and|\.\.\.|…|\W*)", re.IGNORECASE)


def split_authors(text: str) -> list[str]:
    """Return the names of a text that lists authors."""
    text = without_brackets(" ".join(text.split()))
    if ";" in text:
        return _names(text.split(";"))
    names: list[str] = []
    for part in map(str.strip, _BETWEEN.split(text)):
        belongs = _SUFFIX.fullmatch(part) or ("," not in names[-1] and _INITIALS.fullmatch(part)) if names else None
        if belongs:
            names[-1] += f", {part}"
        else:
            names.append(part)
    return _names(names)


def without_brackets(text: str) -> str:
    """Return a text without what stands in round brackets, also within others; a bracket without its other stays."""
    kept: list[str] = []
    opened: list[int] = []
    for piece in re.split(r"([()])", text):
        if piece == ")" and opened:
            del kept[opened.pop() :]
        else:
            if piece == "(":
                opened.append(len(kept))
            kept.append(piece)
    return "".join(kept)


def _names(parts: list[str]) -> list[str]:
    stripped = (_OTHERS.sub("", " ".join(part.split())).strip(" ,;") for part in parts)
    return [name for name in stripped if name and not _NOBODY.fullmatch(name)]
