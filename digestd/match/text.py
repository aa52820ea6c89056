"""One text pipeline for papers and queries alike: clean, read as text, fold, cut into tokens, stem.

A token is a run of letters or a run of digits (`GPT4` is two, so `GPT-4`, `GPT 4` and `GPT4` are one sequence);
each CJK character is a token of its own, so a run of them is found within a longer one.

Several tokens may be read as one word. A *reading* of a sequence of tokens cuts it into groups of one to
MAX_JOINED; a group of more is a *join*: tokens of letters alone, with a hyphen, an apostrophe or a blank between
them. Each group counts by the stem of its letters written together. A term stands in a text where a reading of the
term and a reading of consecutive tokens of the text are equal: that is how `fine-tuning`, `fine tuning` and
`finetuning` find one another, as words and inside of phrases, whichever side writes them together. Over a blank
a small word does not begin a join, or `infinite` would be found in "in finite time".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from enum import Enum, auto
from functools import cache, lru_cache
from typing import NamedTuple

import Stemmer

from digestd.match.tex import has_tex, plain

__all__ = ["Border", "Reading", "Token", "clean", "fold", "plain", "readings", "stem", "title_key", "tokens"]

MAX_JOINED = 3  # `outofdistribution`; longer compounds are not written as one word
MAX_STEMMED = 40  # letters; a longer word is no English one, and must not fill the memo
MAX_MARKS = 4  # combining marks on one letter; Vietnamese needs two, and a thousand paint over the line above

# Over a blank these belong to the sentence, not to the word that follows: "a symmetric key", "in finite time".
SMALL_WORDS = frozenset(
    """
    a an and are as at be but by can do for from if i in is it no not of on or per so than that the then this to up us
    we with
    """.split()  # noqa: SIM905 - a sentence of small words is easier to read than a list of strings
)

# CJK characters stand without blanks between the words: each is a token. The ranges leave the middle dot out.
_CJK = "\u3041-\u30fa\u30fc-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_TOKEN = re.compile(rf"(?:(?P<cjk>[{_CJK}])|(?P<digits>\d+)|[^\W\d_{_CJK}]+)(?P<sign>\+\++|[+#](?![^\W_]))?")
_HYPHENS = frozenset("-\u2010\u2011'\u2019")

# Letters that Unicode does not take apart, but readers do.
_FOLDED = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ħ": "h", "ı": "i"})

# LLMS, gpus, pdes, but neither gas, bus and CMS nor virus: consonants with at most one vowel before the s.
_ACRONYMS = re.compile(r"(?:[^\Waeiouy\d]{2,}[^\Waeiouys\d]|[^\Waeiouy\d]{2,}[aeiou])s")

_UNWANTED = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"  # controls that are no blanks
    "\u200e\u200f\u202a-\u202e\u2066-\u2069\u061c"  # bidi controls: they reorder the line they stand in
    "\u00ad\u180e\u200b-\u200d\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]+"  # no width
)
_NO_LETTERS = str.maketrans("", "", "".join(char for char in map(chr, range(128)) if not char.isalnum()))
_SURROGATE = re.compile("[\ud800-\udfff]")
_PILED = re.compile(rf"[^\w\s\x00-\x7f]{{{MAX_MARKS + 1},}}")
_BLANKS = re.compile(r"\s+")


class Border(Enum):
    """What stands between a token and the next one."""

    GLUED = auto()  # nothing: letters and digits of one word
    HYPHEN = auto()  # a hyphen or an apostrophe
    BLANK = auto()
    OTHER = auto()  # punctuation, a sign, the end of the text; CJK characters, which are words of their own


# A paper has hundreds of tokens and readings: as tuples they are made three times as fast as frozen dataclasses.
class Token(NamedTuple):
    """A run of letters or digits. `start` and `end` are offsets in the text, the sign of `C++` or `C#` included."""

    word: str
    stem: str
    start: int
    end: int
    sign: str = ""
    border: Border = Border.OTHER

    @property
    def joinable(self) -> bool:
        """Whether this token may be the beginning or middle of a join."""
        if self.border is Border.BLANK:
            return not self.sign and self.word not in SMALL_WORDS and self.word.isalpha()
        return self.border is Border.HYPHEN and not self.sign and self.word.isalpha()


class Reading(NamedTuple):
    """`size` tokens read as one word: their letters written together, and its stem."""

    size: int
    word: str
    stem: str


def clean(text: str) -> str:
    """Return foreign text as it may enter: NFC, no controls, bidi marks or zero width, blanks collapsed, stripped.

    A lone surrogate becomes U+FFFD; of the combining marks on one letter, MAX_MARKS stay.
    """
    if text.isascii() and text.isprintable():  # most of it: nothing but its blanks can be wrong
        return (_BLANKS.sub(" ", text) if "  " in text else text).strip()
    if text.isprintable() and unicodedata.is_normalized("NFC", text) and not _has_piled(text):  # most of the rest
        return (_BLANKS.sub(" ", text) if "  " in text else text).strip()
    text = _UNWANTED.sub("", text)
    if not text.isascii():
        text = _SURROGATE.sub("\ufffd", text)
        # Before NFC, which sorts the marks of a letter in quadratic time, and after, as it may take one mark apart.
        text = unicodedata.normalize("NFC", _PILED.sub(_fewer_marks, text))
        text = _PILED.sub(_fewer_marks, text)
    return _BLANKS.sub(" ", text).strip()


def _has_piled(text: str) -> bool:
    # Each is of two octets at least, and the few of most texts are counted much sooner than looked at.
    return len(text.encode()) > len(text) + MAX_MARKS and bool(_PILED.search(text))


def title_key(title: str) -> str:
    """Return what a title is known by: its letters and digits, TeX and accents folded, in lower case.

    Empty for a title without any.
    """
    if title.isascii() and not has_tex(title):  # most of them
        return title.lower().translate(_NO_LETTERS)
    folded, _ = fold(plain(clean(title)))
    return "".join(filter(str.isalnum, folded))


def fold(text: str) -> tuple[str, Sequence[int]]:
    """Return `text` without case, accents and compatibility forms, and where each character came from.

    The second value has one more entry than the folded text has characters; the last is the length of `text`.
    """
    if text.isascii():
        return text.lower(), range(len(text) + 1)
    folded: list[str] = []
    origins: list[int] = []
    for offset, char in enumerate(text):
        letters = _fold_char(char)
        folded.append(letters)
        origins.extend([offset] * len(letters))
    origins.append(len(text))
    return "".join(folded), origins


def tokens(text: str, offset: int = 0) -> list[Token]:
    """Return the tokens of a plain `text` in order; their places count from `offset` on."""
    folded, origins = fold(text)
    found = []
    matches = list(_TOKEN.finditer(folded))
    for number, match in enumerate(matches):
        start, end = match.span()
        after = matches[number + 1] if number + 1 < len(matches) else None
        sign = match["sign"] or ""
        word = folded[start : end - len(sign)]
        first, last = origins[start], max(origins[end], origins[end - 1] + 1)
        found.append(
            Token(
                word,
                _token_stem(word, text[first:last]),
                first + offset,
                last + offset,
                sign,
                Border.OTHER if after is None else _border(match, folded[end : after.start()], after),
            )
        )
    return found


def readings(sequence: Sequence[Token], start: int) -> Iterator[Reading]:
    """Yield the ways to read the tokens from `start` on as one word, shortest first: the token alone, then joins."""
    token = sequence[start]
    yield Reading(1, token.word, token.stem)
    word = token.word
    for size, after in enumerate(sequence[start + 1 : start + MAX_JOINED], start=2):
        if not (token.joinable and after.word.isalpha()):
            return
        token = after
        word += token.word
        yield Reading(size, word, stem(word))


@lru_cache(maxsize=65_536)  # the words of a day's papers; 64 k short strings are about ten megabytes
def stem(word: str) -> str:
    """Return the stem of a folded word: Snowball's English one, and a plural rule for acronyms, which it lacks."""
    if len(word) > MAX_STEMMED:
        return word
    if _ACRONYMS.fullmatch(word):
        return word[:-1]
    return str(_stemmer().stemWord(word))


@cache
def _stemmer() -> Stemmer.Stemmer:
    return Stemmer.Stemmer("english", 0)  # `stem` is the memo


def _token_stem(word: str, written: str) -> str:
    # Capitals with a small s are a plural whatever their vowels: AIs, ECUs, GPs.
    if len(written) > 2 and written[-1] == "s" and written[:-1].isupper() and len(written) == len(word):
        return stem(word[:-1])
    return stem(word)


def _border(token: re.Match[str], between: str, after: re.Match[str]) -> Border:
    if not between:
        return Border.OTHER if token["cjk"] or after["cjk"] else Border.GLUED
    if between[0] in _HYPHENS and not between[1:].strip():  # also where a line was broken behind the hyphen
        return Border.HYPHEN
    return Border.BLANK if between.isspace() else Border.OTHER


@lru_cache(maxsize=8_192)
def _fold_char(char: str) -> str:
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    parts = unicodedata.normalize("NFKD", char).casefold().translate(_FOLDED)
    # Classes 7 to 9 are marks that spell another letter (nukta, kana voicing, virama), the others are accents.
    return "".join(part for part in parts if unicodedata.combining(part) in (0, 7, 8, 9))


def _fewer_marks(run: re.Match[str]) -> str:
    kept: list[str] = []
    marks = 0
    for char in run[0]:
        marks = marks + 1 if unicodedata.category(char).startswith("M") else 0
        if marks <= MAX_MARKS:
            kept.append(char)
    return "".join(kept)
