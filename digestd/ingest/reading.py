"""Bytes of a digest file → lines of text, within limits.

What cannot be text is refused as a whole, in a sentence that says where: a file that is half understood would
lose papers in silence.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from io import BufferedReader
from types import MappingProxyType
from typing import BinaryIO

from digestd.errors import FileRefused

MAX_LINE = 16_000_000  # bytes; a record of a paper with every field at its limit has about 1 MB
HEAD = 65_536  # bytes that are enough to tell a format

_SIGNATURES = MappingProxyType(
    {
        b"\x1f\x8b": "gzip-compressed",
        b"PK\x03\x04": "a zip archive or an office document",
        b"%PDF": "a PDF",
        b"\xff\xfe": "UTF-16 text",
        b"\xfe\xff": "UTF-16 text",
    }
)


def fingerprint(file: BufferedReader) -> tuple[str, int]:
    """Return the SHA-256 of a file's content, in hexadecimal, and its size in bytes; rewinds it."""
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    size = file.tell()
    file.seek(0)
    return digest, size


def head(file: BinaryIO) -> str:
    """Return the beginning of a file as text, for telling its format; rewinds it.

    Raises FileRefused for an empty or binary file, and for one that begins with other text than UTF-8.
    """
    file.seek(0)
    begin = file.read(HEAD)
    file.seek(0)
    if not begin.strip():
        raise FileRefused("it is empty" if not begin else "it holds nothing but blanks")
    for signature, kind in _SIGNATURES.items():
        if begin.startswith(signature):
            raise FileRefused(f"it is {kind}; digest files are UTF-8 text")
    if b"\0" in begin:
        raise FileRefused(f"it is binary: a zero byte at offset {begin.index(0)}; digest files are UTF-8 text")
    if len(begin) == HEAD:  # up to the last whole line, or at least to the last whole character
        begin = begin[: begin.rfind(b"\n") + 1] or begin.decode("utf-8-sig", errors="ignore").encode()
    return "".join(lines(io.BytesIO(begin)))


def lines(file: BinaryIO) -> Iterator[str]:
    """Yield a file's lines with their ends as they stand, so that a missing last newline can be seen.

    Raises FileRefused at the first line that cannot be read, is not UTF-8 or is longer than MAX_LINE, and for a
    last one that breaks off within a character.
    """
    number = 0
    while line := _line(file):
        number += 1
        if len(line) > MAX_LINE:
            raise FileRefused(f"line {number} is longer than {MAX_LINE:,} bytes")
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            if error.reason == "unexpected end of data" and not line.endswith(b"\n"):
                raise half_written(number) from None
            raise FileRefused(
                f"line {number} is not UTF-8 text: byte {line[error.start]:#04x} at column {error.start + 1}"
            ) from None


def _line(file: BinaryIO) -> bytes:
    try:
        return file.readline(MAX_LINE + 1)
    except OSError as error:  # a damaged disk, a network share that went away
        raise FileRefused(f"it cannot be read to its end: {(error.strerror or str(error)).lower()}") from None


def half_written(line: int) -> FileRefused:
    """Return what to raise for a file whose last line, that of this number, lacks its end."""
    return FileRefused(f"it breaks off in the middle of line {line}; it looks half-written")
