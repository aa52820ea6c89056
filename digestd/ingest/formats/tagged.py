"""Records of tagged lines, as RIS and PubMed's text have them: `TI  - A title`, continued on lines without a tag.

What two formats share; no format itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_RECORD = 2_000_000  # characters; 5,000 authors with affiliations are about 1 MB


@dataclass(slots=True)
class Record:
    """What stands between the first tag of a record and the next record. Tags come in order and may repeat."""

    line: int
    fields: list[tuple[str, list[str]]] = field(default_factory=list)
    size: int = 0

    @property
    def is_too_long(self) -> bool:
        """Whether it is beyond all measure; what came behind that was dropped."""
        return self.size > MAX_RECORD

    def add(self, tag: str, value: str) -> None:
        """Begin a field."""
        self.size += len(value) + 1
        if not self.is_too_long:
            self.fields.append((tag, [value]))

    def go_on(self, value: str) -> None:
        """Take a line that continues the field in hand."""
        self.size += len(value) + 1
        if self.fields and not self.is_too_long:
            self.fields[-1][1].append(value)

    def all(self, *tags: str) -> list[str]:
        """Return the values of every field of one of the tags, those of the first tag first."""
        return [said for tag in tags for said in self._of(tag)]

    def lines(self, tag: str) -> list[str]:
        """Return the lines of every field of a tag, each a value of its own: EndNote writes lists so."""
        return [said for name, values in self.fields if name == tag for one in values if (said := one.strip())]

    def first(self, *tags: str) -> str:
        """Return the first value there is."""
        return next(iter(self.all(*tags)), "")

    def _of(self, tag: str) -> Iterator[str]:
        for name, values in self.fields:
            if name == tag and (said := " ".join(filter(None, map(str.strip, values)))):
                yield said
