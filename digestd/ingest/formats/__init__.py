"""One file per format, and the detection between them.

A format is a module with a NAME, `recognise(head)` that looks at the first 64 KiB of text, and `parse(lines,
modified)` that yields papers and bad records in the order of the file. A new one is a file here and a line in
FORMATS.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Protocol

from digestd.errors import FileRefused
from digestd.ingest.formats import huggingface_page, json_lines
from digestd.model import BadRecord, Paper


class Format(Protocol):
    """What a format's module offers."""

    NAME: str

    def recognise(self, head: str) -> bool:
        """Return whether a file that begins so is of this format."""

    def parse(self, lines: Iterator[str], modified: date) -> Iterator[Paper | BadRecord]:
        """Yield the records of a file last modified on that day.

        Raises FileRefused when the file breaks off in the middle of a record.
        """


FORMATS: tuple[Format, ...] = (json_lines, huggingface_page)


def named(name: str) -> Format:
    """Return the format of a name. Raises FileRefused with the names there are."""
    for known in FORMATS:
        if name == known.NAME:
            return known
    raise FileRefused(f"{name!r} is no format; there are {', '.join(known.NAME for known in FORMATS)}")


def detect(head: str) -> Format:
    """Return the format of a file that begins so. Raises FileRefused when none knows it, or more than one."""
    found = [known for known in FORMATS if known.recognise(head)]
    if len(found) == 1:
        return found[0]
    if found:
        raise FileRefused(f"it looks like {' and '.join(known.NAME for known in found)} at once; split it")
    raise FileRefused(f"its format is not known; tried {', '.join(known.NAME for known in FORMATS)}")
