"""The records of JSON documents, one at a time: memory depends on the largest record, not on the file.

A document is a list of records, an object that holds one under a known key, or one record. Several may follow each
other. What is not JSON is refused as a whole: behind a mistake nobody can say where the next record begins.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

from digestd.errors import FileRefused
from digestd.ingest.reading import half_written

MAX_RECORD = 4_000_000  # characters; one with 5,000 authors, each with an affiliation, has about 1 MB
FIRST_FILL = 65_536

_BLANKS = re.compile(r"[ \t\n\r\ufeff]*")
_BEGIN = re.compile(r'^\ufeff?[ \t]{0,40}(?:\[\s{0,100})?\{\s{0,100}"|^\ufeff?\[\s{0,9}$', re.MULTILINE)
_KEYS = re.compile(r'"([A-Za-z_]\w{0,40})"\s*:')


def keys(head: str) -> frozenset[str]:
    """Return the names of members, at any depth, behind the first line that begins as JSON does; none without one."""
    begin = _BEGIN.search(head)
    return frozenset(_KEYS.findall(head, begin.start())) if begin else frozenset()


def records(lines: Iterator[str], lists: Collection[str]) -> Iterator[tuple[int, Any]]:
    """Yield each record and the number of the line it begins in. `lists` are the keys a list may stand under.

    Raises FileRefused for what is not JSON, or breaks off.
    """
    stream = _Stream(lines)
    while first := stream.next():
        if first == "[":
            yield from stream.elements()
        elif first == "{":
            yield from stream.members(lists)
        else:
            raise stream.wrong("an object or a list was expected")


class _Stream:
    """A text that is read on as far as the record in hand needs it."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._text = ""
        self._at = 0
        self._line = 1  # the line at `_counted`
        self._counted = 0
        self._ended = False
        self._decode = json.JSONDecoder().raw_decode

    @property
    def line(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def next(self) -> str:
        """Return the next character that is no blank, without taking it; an empty text at the end."""
        while True:
            self._at = _match_end(self._text, self._at)
            if self._at < len(self._text) or not self._fill():
                return self._text[self._at : self._at + 1]

    def elements(self) -> Iterator[tuple[int, Any]]:
        """Yield the elements of the list that begins here."""
        self._take("[")
        if self.next() == "]":
            self._take("]")
            return
        while True:
            self.next()
            line = self.line
            yield line, self._value()
            if self.next() == "]":
                self._take("]")
                return
            self._take(",")

    def members(self, lists: Collection[str]) -> Iterator[tuple[int, Any]]:
        """Yield the elements of lists under known keys in the object that begins here, or the object itself."""
        line, plain, held, size = self.line, {}, False, 0
        self._take("{")
        while self.next() != "}":
            key = self._value()
            if not isinstance(key, str):
                raise self.wrong("a key in quotes was expected")
            self._take(":")
            if self.next() == "[" and key in lists:
                held = True
                yield from self.elements()
            else:
                begin = self._at
                plain[key] = self._value()
                size += max(self._at - begin, len(key))
                if size > MAX_RECORD:
                    raise self._too_long()
            if self.next() != "}":
                self._take(",")
                if self.next() == "}":
                    raise self.wrong("a comma before the end")
        self._take("}")
        if not held:
            yield line, plain

    def wrong(self, what: str) -> FileRefused:
        """Return what to raise for a text that is no JSON at this place."""
        if not self._text[self._at : self._at + 1] and self._ended:
            return half_written(self.line)
        column = self._at - self._text.rfind("\n", 0, self._at)
        return FileRefused(f"line {self.line} is not valid JSON: {what} at column {column}")

    def _too_long(self) -> FileRefused:
        return FileRefused(f"line {self.line}: a record is longer than {MAX_RECORD:,} characters")

    def _take(self, char: str) -> None:
        if self.next() != char:
            raise self.wrong(f"{char!r} was expected")
        self._at += 1

    def _value(self) -> Any:
        self.next()
        while True:
            try:
                value, end = self._decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if len(self._text) - self._at > MAX_RECORD:
                    raise self._too_long() from None
                if self._fill():
                    continue
                if error.pos >= len(self._text.rstrip()) or error.msg.startswith("Unterminated string"):
                    self._at = len(self._text)
                    raise half_written(self.line) from None
                self._at = error.pos
                raise self.wrong(error.msg.removesuffix(" at").lower()) from None
            except RecursionError:
                raise FileRefused(f"line {self.line}: it is nested too deeply") from None
            except ValueError:
                raise FileRefused(f"line {self.line}: a number with too many digits") from None
            if end - self._at > MAX_RECORD:
                raise self._too_long()
            self._at = end
            return value

    def _fill(self) -> bool:
        """Read on, twice as much as is in hand, so that a long record costs linear time. Returns whether there was."""
        if self._ended:
            return False
        _ = self.line  # counts the lines that go
        rest = self._text[self._at :]
        self._at = self._counted = 0
        wanted = max(FIRST_FILL, len(rest))
        more: list[str] = []
        while wanted > 0:
            line = next(self._lines, None)
            if line is None:
                self._ended = True
                break
            more.append(line)
            wanted -= len(line)
        self._text = rest + "".join(more)
        return bool(more)


def _match_end(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at
