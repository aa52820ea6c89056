"""Where each value of a TOML text stands, so that an error can point at its line and column.

`tomllib` gives values without places. This scan walks a text that `tomllib` has already accepted, so it reads
leniently and checks nothing; of a text that is not TOML it would give nonsense, never an exception.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*""")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}' r"|'''(?:[^']|'(?!''))*'{3,5}" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'",
    re.DOTALL,
)
_BARE = re.compile(r"[^,\]}\n#]*")
_ESCAPE = re.compile(r"\\(?:u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|\r?\n\s*|.)", re.DOTALL)

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A position in the text; line and column count from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


class Places:
    """The place of every key, and of every value with its text, of one TOML document.

    The document is scanned when the first place is asked for: most have no mistake, and some a million people.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _lines(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self._text))]

    @cached_property
    def _scanned(self) -> _Scan:
        return _Scan(self._text)

    def key(self, path: Path) -> Place | None:
        """Return where the key (or table header) of `path` stands; of its nearest known parent otherwise."""
        while path and path not in self._scanned.keys:
            path = path[:-1]
        return self._place(self._scanned.keys[path]) if path else None

    def value(self, path: Path) -> Place | None:
        """Return where the value of `path` begins, or None where the document has none."""
        found = self._scanned.values.get(path)
        return self._place(found[0]) if found else None

    def inside(self, path: Path, column: int) -> Place | None:
        """Return where the `column`-th character (from 1) of the string at `path` stands, past its escapes."""
        found = self._scanned.values.get(path)
        if found is None:
            return None
        start, end = found
        raw = self._text[start:end]
        quote = 3 if raw.startswith(('"""', "'''")) else 1
        offset = start + quote
        if raw[quote : quote + 1] == "\n" and quote == 3:
            offset += 1  # a newline right behind the opening quotes is not part of the value
        for _ in range(column - 1):
            escape = _ESCAPE.match(self._text, offset) if raw.startswith('"') else None
            offset = escape.end() if escape else offset + 1
        return self._place(min(offset, end - 1))

    def _place(self, offset: int) -> Place:
        line = bisect_right(self._lines, offset)
        return Place(line, offset - self._lines[line - 1] + 1)


class _Scan:
    """Where keys begin, and where values begin and end, as offsets in the text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.keys: dict[Path, int] = {}
        self.values: dict[Path, tuple[int, int]] = {}
        self._scan()

    def _scan(self) -> None:
        table: Path = ()
        arrays: dict[Path, int] = {}
        offset = self._skip(0)
        while offset < len(self._text):
            start = offset
            if self._text.startswith("[[", offset):
                names, offset = self._dotted(offset + 2)
                name = self._resolve(names[:-1], arrays) + names[-1:]
                arrays[name] = arrays.get(name, -1) + 1
                table = (*name, arrays[name])
                self.keys[table] = start
                self.keys.setdefault(name, start)
                offset = self._text.find("\n", offset)
            elif self._text[offset] == "[":
                names, offset = self._dotted(offset + 1)
                table = self._resolve(names, arrays)
                self.keys[table] = start
                offset = self._text.find("\n", offset)
            else:
                offset = self._pair(table, offset)
            offset = len(self._text) if offset <= start else self._skip(offset)

    @staticmethod
    def _resolve(names: Path, arrays: dict[Path, int]) -> Path:
        """Put the index of the last element behind each name that is an array of tables."""
        path: Path = ()
        for name in names:
            path = (*path, name)
            if path in arrays:
                path = (*path, arrays[path])
        return path

    def _skip(self, offset: int) -> int:
        found = _SPACE.match(self._text, offset)
        return found.end() if found else offset

    def _dotted(self, offset: int) -> tuple[Path, int]:
        names: list[str] = []
        while found := _KEY.match(self._text, offset):
            names.append(next(part for part in found.groups() if part is not None))
            offset = found.end()
            if not self._text.startswith(".", offset):
                break
            offset += 1
        return tuple(names), offset

    def _pair(self, table: Path, offset: int) -> int:
        names, after = self._dotted(offset)
        path = table + names
        self.keys[path] = offset
        equals = self._text.find("=", after)
        return len(self._text) if equals < 0 else self._value(path, self._skip(equals + 1))

    def _value(self, path: Path, offset: int) -> int:
        start = offset
        opening = self._text[offset : offset + 1]
        if opening in ("[", "{"):
            closing, index = ("]" if opening == "[" else "}"), 0
            offset = self._skip(offset + 1)
            while offset < len(self._text) and self._text[offset] != closing:
                before = offset
                offset = self._value((*path, index), offset) if opening == "[" else self._pair(path, offset)
                index += 1
                offset = self._skip(offset)
                if self._text.startswith(",", offset):
                    offset = self._skip(offset + 1)
                if offset <= before:
                    return len(self._text)
            offset += 1
        elif (found := _STRING.match(self._text, offset)) or (found := _BARE.match(self._text, offset)):
            offset = found.end()
        self.values[path] = (start, offset)
        return offset
