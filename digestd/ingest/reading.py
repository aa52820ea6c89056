"""Bytes of a digest file → lines of text, within limits.

Gzip is inflated on the way. What is not UTF-8 is read by the charset it declares, else as Windows-1252, and what
was decoded twice is put right; both are repairs that `Text.repairs` names. What cannot be text is refused as a whole.
"""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import re
import zlib
from collections.abc import Iterator
from io import BufferedReader
from types import MappingProxyType
from typing import BinaryIO

from digestd.errors import FileRefused

MAX_LINE = 16_000_000  # bytes; a record of a paper with every field at its limit has about 1 MB
HEAD = 65_536  # bytes that are enough to tell a format
FALLBACK = "cp1252"  # what programs that know no UTF-8 write

_GZIP = b"\x1f\x8b"
_SIGNATURES = MappingProxyType({b"PK\x03\x04": "a zip archive or an office document", b"%PDF": "a PDF"})
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# XML 1.0, 4.3.3; HTML's <meta charset> as browsers look for it
_DECLARED = re.compile(
    rb"""\A\s*<\?xml[^>]{1,200}?encoding\s*=\s*["']([\w.:-]{1,40})["']|<meta\s[^>]{0,200}?charset\s*=\s*["']?([\w.:-]{1,40})"""
)
# UTF-8 read as Latin-1 or Windows-1252 and written as UTF-8 once more: accented Latin letters, dashes and quotes.
_SECOND = "\u0080-\u00bf" + "".join(bytes([code]).decode(FALLBACK, "ignore") for code in range(0x80, 0xA0)).replace(
    "-", ""
)
_TWICE = re.compile(f"[\u00c2\u00c4\u00c5][\u0080-\u00bf]|\u00c3[{_SECOND}]|\u00e2\u20ac[{_SECOND}]")
_LEADS = ("\u00c2", "\u00c3", "\u00c4", "\u00c5", "\u00e2\u20ac")  # what _TWICE begins with
_HIGH = re.compile("[\u0080-\u00ff]")


class Text:
    """A digest file's content as text.

    `head` is its beginning, for telling the format; `repairs` are sentences about what was put right, complete once
    `lines` is at its end.
    """

    def __init__(self, file: BinaryIO, max_bytes: int) -> None:
        """Look at the beginning of a file that stands at its start.

        Raises FileRefused for an empty or binary one.
        """
        self.repairs: list[str] = []
        self._max_bytes = max_bytes
        self._inflated = file.read(2) == _GZIP
        file.seek(0)
        self._file: BinaryIO = gzip.GzipFile(fileobj=file) if self._inflated else file  # type: ignore[assignment]
        begin = _read(self._file, HEAD)
        self._file.seek(0)
        self._charset = _charset(begin)
        self.head = self._head(begin)

    def lines(self) -> Iterator[str]:
        """Yield the lines with their ends as they stand, so that a missing last newline can be seen.

        Raises FileRefused at the first line that cannot be read or is longer than MAX_LINE, when more was inflated
        than `max_bytes`, and for a last line that breaks off within a character.
        """
        return _lines(self._file, self._charset, self._max_bytes if self._inflated else None, self.repairs)

    def _head(self, begin: bytes) -> str:
        if len(begin) == HEAD and self._charset.startswith("utf-8"):
            # up to the last whole line, or at least to the last whole character
            begin = begin[: begin.rfind(b"\n") + 1] or begin.decode("utf-8", errors="ignore").encode()
        if self._charset in ("utf-16", "utf-32"):
            return begin[: len(begin) // 4 * 4].decode(self._charset, errors="ignore")
        return "".join(_lines(io.BytesIO(begin), self._charset, None, []))


def fingerprint(file: BufferedReader) -> tuple[str, int]:
    """Return the SHA-256 of a file's content, in hexadecimal, and its size in bytes; rewinds it."""
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    size = file.tell()
    file.seek(0)
    return digest, size


def half_written(line: int) -> FileRefused:
    """Return what to raise for a file whose last line, that of this number, lacks its end."""
    return FileRefused(f"it breaks off in the middle of line {line}; it looks half-written")


def _charset(begin: bytes) -> str:
    """Return the charset of a file that begins so. Raises FileRefused when it is no text."""
    if not begin.strip():
        raise FileRefused("it is empty" if not begin else "it holds nothing but blanks")
    for signature, kind in _SIGNATURES.items():
        if begin.startswith(signature):
            raise FileRefused(f"it is {kind}; digest files are text")
    if begin.startswith(_GZIP):
        raise FileRefused("it is gzip within gzip; one is enough")
    for mark, charset in _BOMS:
        if begin.startswith(mark):
            return charset
    if b"\0" in begin:
        raise FileRefused(f"it is binary: a zero byte at offset {begin.index(0)}; digest files are text")
    if found := _DECLARED.search(begin):
        name = (found[1] or found[2]).decode("ascii", "replace")
        try:
            known = codecs.lookup(name)
        except LookupError:
            raise FileRefused(f"it declares a charset that is not known: {name}") from None
        # a zero byte would have been seen in UTF-16; Latin-1 is what Windows-1252 calls itself
        return FALLBACK if known.name in ("iso8859-1", "ascii") else "utf-8" if "utf" in known.name else known.name
    return "utf-8"


def _lines(file: BinaryIO, charset: str, inflate_to: int | None, repairs: list[str]) -> Iterator[str]:
    if charset in ("utf-16", "utf-32"):
        yield from _wide_lines(file, charset, inflate_to)
        return
    number = total = 0
    while line := _read(file, MAX_LINE + 1, line=True):
        number += 1
        total += len(line)
        _check_size(number, len(line), total, inflate_to)
        text = _decoded(line, number, charset, repairs)
        if not text.isascii() and any(lead in text for lead in _LEADS):
            text = _decoded_once(text, number, repairs)
        if "\r" in text and not text.endswith("\r\n"):
            yield from text.replace("\r\n", "\n").replace("\r", "\n").splitlines(keepends=True)
        else:
            yield text


def _wide_lines(file: BinaryIO, charset: str, inflate_to: int | None) -> Iterator[str]:
    text = io.TextIOWrapper(file, charset, newline=None)
    number = total = 0
    try:
        while line := text.readline(MAX_LINE + 1):
            number += 1
            total += 2 * len(line)
            _check_size(number, len(line), total, inflate_to)
            yield line
    except UnicodeDecodeError:
        raise FileRefused(f"line {number + 1} is not {charset.upper()} text, as the file's first bytes say") from None
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(error) from None
    finally:
        text.detach()  # the file is its opener's to close


def _check_size(number: int, size: int, total: int, inflate_to: int | None) -> None:
    if size > MAX_LINE:
        raise FileRefused(f"line {number} is longer than {MAX_LINE:,} bytes")
    if inflate_to is not None and total > inflate_to:
        raise FileRefused(f"it inflates to more than {inflate_to:,} bytes")


def _decoded(line: bytes, number: int, charset: str, repairs: list[str]) -> str:
    if charset != "utf-8":
        try:
            return line.decode(charset)
        except UnicodeDecodeError:
            _note(repairs, f"line {number} is not {charset.upper()} text, as declared; what cannot be read is marked")
            return line.decode(charset, errors="replace")
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and not line.endswith(b"\n"):
            raise half_written(number) from None
        _note(repairs, f"line {number} is not UTF-8 text; such lines are read as Windows-1252")
        return line.decode(FALLBACK, errors="replace")


def _decoded_once(text: str, number: int, repairs: list[str]) -> str:
    """Return a line as it was before it was decoded twice; as it is, where a single letter tells that it was not."""
    found = _TWICE.findall(text)
    if not found or len(_HIGH.findall(text)) != sum(len(_HIGH.findall(pair)) for pair in found):
        return text
    try:
        once = _TWICE.sub(lambda pair: _bytes(pair[0]).decode("utf-8"), text)
    except UnicodeDecodeError:
        return text
    _note(repairs, f"line {number} was encoded twice; such lines are read as they were meant")
    return once


def _bytes(pair: str) -> bytes:
    return b"".join(char.encode("latin-1" if char <= "\xff" else FALLBACK) for char in pair)


def _note(repairs: list[str], sentence: str) -> None:
    """Say each kind of repair once, at the first line that needed it."""
    kind = sentence.partition(" is ")[2] or sentence.partition(" was ")[2]
    if not any(said.endswith(kind) for said in repairs):
        repairs.append(sentence)


def _read(file: BinaryIO, size: int, *, line: bool = False) -> bytes:
    try:
        return file.readline(size) if line else file.read(size)
    except (OSError, EOFError, zlib.error) as error:  # a damaged disk, a network share that went away, half a gzip
        raise _unreadable(error) from None


def _unreadable(error: Exception) -> FileRefused:
    if isinstance(error, EOFError):
        return FileRefused("its gzip data breaks off; it looks half-written")
    said = getattr(error, "strerror", None) or str(error)
    return FileRefused(f"it cannot be read to its end: {said.lower()}")
