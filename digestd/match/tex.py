r"""TeX read as text: what authors wrote for a typesetter, as a reader and a matcher want it.

This is no TeX: macros are looked up in small tables, unknown ones become their name, grouping braces go.
Every step is one pass of a regular expression whose parts cannot overlap, so hostile text costs linear time.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from types import MappingProxyType

# Accent macros and the combining character each stands for; signs may touch their letter, letters may not.
_ACCENTS = MappingProxyType(
    dict(zip("'`^\"~=.uvHcdbkrt", map(chr, (0x301, 0x300, 0x302, 0x308, 0x303, 0x304, 0x307, 0x306, 0x30C, 0x30B,
                                           0x327, 0x323, 0x331, 0x328, 0x30A, 0x361)), strict=True))
)  # fmt: skip

# Letters of their own. A blank after one of these belongs to the macro: `S\o ren` is Søren.
_LETTERS = MappingProxyType({
    "o": "ø", "O": "Ø", "ss": "ß", "aa": "å", "AA": "Å", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "l": "ł",
    "L": "Ł", "i": "i", "j": "j", "dh": "ð", "DH": "Ð", "th": "þ", "TH": "Þ", "dj": "đ", "DJ": "Đ", "ng": "ŋ",
})  # fmt: skip

_SYMBOLS = MappingProxyType({
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "varepsilon": "ε", "zeta": "ζ",
    "eta": "η", "theta": "θ", "vartheta": "ϑ", "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν",
    "xi": "ξ", "pi": "π", "varpi": "ϖ", "rho": "ρ", "varrho": "ϱ", "sigma": "σ", "varsigma": "ς", "tau": "τ",
    "upsilon": "υ", "phi": "φ", "varphi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω", "Gamma": "Γ", "Delta": "Δ",
    "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ", "Upsilon": "Υ", "Phi": "Φ", "Psi": "Ψ",
    "Omega": "Ω", "times": "×", "cdot": "·", "pm": "±", "mp": "∓", "leq": "≤", "le": "≤", "leqslant": "≤",
    "geq": "≥", "ge": "≥", "geqslant": "≥", "neq": "≠", "ne": "≠", "ll": "≪", "gg": "≫", "sim": "~",
    "simeq": "≃", "approx": "≈", "equiv": "≡", "propto": "∝", "infty": "∞", "to": "→", "rightarrow": "→",
    "leftarrow": "←", "Rightarrow": "⇒", "Leftarrow": "⇐", "leftrightarrow": "↔", "mapsto": "↦", "in": "∈",
    "notin": "∉", "subset": "⊂", "subseteq": "⊆", "cup": "∪", "cap": "∩", "emptyset": "∅", "forall": "∀",
    "exists": "∃", "partial": "∂", "nabla": "∇", "sum": "∑", "prod": "∏", "int": "∫", "sqrt": "√", "oplus": "⊕",
    "otimes": "⊗", "odot": "⊙", "circ": "°", "degree": "°", "ast": "*", "star": "⋆", "dagger": "†", "ell": "ℓ",
    "hbar": "ℏ", "prime": "′", "perp": "⊥", "parallel": "∥", "langle": "⟨", "rangle": "⟩", "ldots": "…",
    "dots": "…", "cdots": "…", "wedge": "∧", "vee": "∨", "textbackslash": " ", "textasciitilde": "~",
    "textregistered": "®", "texttrademark": "™", "copyright": "©", "pounds": "£", "euro": "€", "S": "§",
    "quad": " ", "qquad": " ", "newline": " ", "linebreak": " ", "par": " ", "item": " ",
})  # fmt: skip

# Macros that change how text looks and add nothing to read.
_LOOKS = frozenset(
    """
    emph textit textbf textsc texttt textrm textsf textup textsl textnormal text mbox hbox underline mathrm mathbf
    mathit mathsf mathtt mathcal mathbb mathfrak mathscr boldsymbol bm operatorname ensuremath em it bf sc tt rm sf
    sl cal bar hat tilde vec dot ddot overline widehat widetilde left right big Big bigg Bigg bigl bigr displaystyle
    textstyle scriptstyle limits nolimits protect url xspace textsuperscript textsubscript footnotesize small large
    centering noindent footnote
    """.split()  # noqa: SIM905 - a list of seventy strings is not easier to read
)

_SIGNIFICANT = re.compile(r"[\\${}~]|``")
_DELIMITER = re.compile(r"\\([\s\S])|\$+")
_MONEY = re.compile(r"\d")
_TEX = re.compile(r"[\\_^{}]")
_BLANKS = re.compile(r"\s+")
_GLUED = re.compile(r"(?<=[^\W_])(?=https?://)")

_PIECE = re.compile(
    r"""
      \\ (?: (?P<sign>['`^"~=.]) | (?P<mark>[uvHcdbkrt]) (?![A-Za-z]) ) [ ]?     # an accent and what it stands on:
         (?: \{ [ ]? \\? (?P<in>[^\W\d_]) [ ]? \} | \\ (?P<dotless>[ij]) (?![A-Za-z]) [ ]? | (?P<on>[^\W\d_]) )
    | \\ href \{ (?P<target>[^{}]*) \} \{ (?P<label>[^{}]*) \}
    | \\ [tdc]? frac \{ (?P<over>[^{}]*) \} \{ (?P<under>[^{}]*) \}
    | \\ (?: cite[a-z]*\*? | label | ref | eqref | cref | begin | end ) (?: \[[^][{}]*\] )? \{ [^{}]* \}
    | \\ (?P<name>[A-Za-z]+) \*? (?P<after>[ ]|\{(?=[^\W_]))?
    | \\ (?P<other>[\s\S]?)
    | (?P<brace>[{}])
    | (?<=[^\W_]|[.,;:)}\]]) (?P<tie>~) (?=[\w\\${(]|\Z)
    | (?P<quotes>``|'')
    | (?P<script>[_^])
    """,
    re.VERBOSE,
)  # fmt: skip


def has_tex(text: str) -> bool:
    """Return whether anything in a text may be TeX: without it, `plain` only collapses blanks."""
    return _SIGNIFICANT.search(text) is not None


def plain(text: str) -> str:
    r"""Return `text` with TeX read as text, blanks collapsed and stripped: what spans refer to and readers see.

    ``H$_2$O`` is ``H2O``, ``P\'aez`` is ``Páez``, ``\framework`` is ``framework``; ``$5 and $10`` and a link stay.
    """
    if has_tex(text):
        text = unicodedata.normalize("NFC", "".join(_pieces(text)))
    if "://" in text:  # `the library{https://…}`, a footnote without its mark
        text = _GLUED.sub(" ", text)
    return _BLANKS.sub(" ", text).strip()


def _pieces(text: str) -> Iterator[str]:
    quoted = "``" in text
    start = 0
    for opening, first, last, closing in _formulas(text):
        yield _read(text[start:opening], formula=False, quoted=quoted)
        yield _read(text[first:last], formula=True, quoted=quoted)
        start = closing
    yield _read(text[start:], formula=False, quoted=quoted)


def _formulas(text: str) -> Iterator[tuple[int, int, int, int]]:
    """Yield where formulas stand: the start of the opening sign, of the formula, its end, the closing sign's end.

    A dollar sign opens before a non-blank and closes after one; a doubled one need not. Between two digits a pair
    must enclose something that is TeX, or else these are prices. One that finds no partner is a price, and stays.
    """
    opened: re.Match[str] | None = None
    tex = 0
    signs = list(_DELIMITER.finditer(text))
    marks = [match.start() for match in _TEX.finditer(text)]  # in order: `tex` walks along them once
    for sign in signs:
        start, end = sign.span()
        if sign[1] is not None:
            if sign[1] in "([":
                opened = sign
            elif sign[1] in ")]" and opened is not None and opened[1] is not None:
                yield (*opened.span(), start, end)
                opened = None
            continue
        doubled = end - start == 2
        if opened is not None and opened[0] == sign[0] and (doubled or not text[start - 1].isspace()):
            while tex < len(marks) and marks[tex] < opened.end():
                tex += 1
            holds_tex = tex < len(marks) and marks[tex] < start
            if holds_tex or not (_MONEY.match(text, opened.end()) and _MONEY.match(text, end)):
                yield (*opened.span(), start, end)
                opened = None
                continue
        opens = doubled or (end - start == 1 and end < len(text) and not text[end].isspace())
        opened = sign if opens else None


def _read(text: str, *, formula: bool, quoted: bool) -> str:
    def reading(match: re.Match[str]) -> str:
        kind = match.lastgroup
        if kind in ("in", "dotless", "on"):
            accent = _ACCENTS[match["sign"] or match["mark"]]
            return unicodedata.normalize("NFC", (match["in"] or match["dotless"] or match["on"]) + accent)
        if kind == "label":
            return f"{match['label']} ({match['target']})" if match["label"] != match["target"] else match["label"]
        if kind == "under":
            return f"{match['over']}/{match['under']}"
        if kind in ("name", "after"):
            return _named(match)
        if kind == "other":
            return _escaped(match["other"])
        if kind == "tie":
            return " "
        if kind == "quotes":
            return match[0] if not quoted else "“" if match[0] == "``" else "”"
        if kind == "script":
            return _script(match) if formula else match[0]
        return ""

    return _PIECE.sub(reading, text)


def _named(match: re.Match[str]) -> str:
    name, after = match["name"], match["after"] or ""
    if name in _LETTERS:
        return _LETTERS[name]
    if name in _LOOKS:
        return ""
    blank = " " if after else ""
    if name in _SYMBOLS:
        return _SYMBOLS[name] + (blank if after != "{" else "")
    # Glued to a word, an unknown macro would hide both from the reader.
    return (" " if match.start() and match.string[match.start() - 1].isalpha() else "") + name + blank


def _escaped(char: str) -> str:
    if char in "%&_$#{}~^\"'`":
        return char
    # `\!`, `\/` and `\-` are less than a blank; a line break or a wider space is one.
    return "" if char in "!/-" else " " if char in "\\,;:=.>" or char.isspace() else "" if char in "()[]" else char


def _script(match: re.Match[str]) -> str:
    """Drop `_`; keep `^` where it raises something: `10^-3`, but `H$^{13}$` and `10$^{th}$` lose it."""
    before = match.string[match.start() - 1 : match.start()]
    return "^" if match[0] == "^" and (before.isalnum() or before in (")", "}")) else ""
