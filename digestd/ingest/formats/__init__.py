"""One file per format, and the detection between them.

A format is a module with a NAME, `recognise(head)` that looks at the first 64 KiB of text, and `parse(lines,
modified)` that yields papers and bad records in the order of the file. A new one is a file here and a line in
`_built_in`. Other packages add theirs by an entry point of the group `digestd.formats` that names such a module.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from functools import cache
from importlib.metadata import entry_points
from typing import Protocol

from digestd.errors import ConfigError, FileRefused
from digestd.ingest.markup import root
from digestd.model import BadRecord, Paper

PLUG_INS = "digestd.formats"
_XML = frozenset({"arxiv-feed", "biorxiv-feed", "pubmed-xml", "feed"})


class Format(Protocol):
    """What a format's module offers."""

    NAME: str

    def recognise(self, head: str) -> bool:
        """Return whether a file that begins so is of this format."""

    def parse(self, lines: Iterator[str], modified: date) -> Iterator[Paper | BadRecord]:
        """Yield the records of a file last modified on that day.

        Raises FileRefused when the file breaks off in the middle of a record.
        """


def known() -> tuple[Format, ...]:
    """Return every format there is. Raises ConfigError for a plug-in that cannot be used."""
    return (*_built_in(), *_plugged())


def named(name: str) -> Format:
    """Return the format of a name. Raises FileRefused with the names there are."""
    for one in known():
        if name == one.NAME:
            return one
    raise FileRefused(f"{name!r} is no format; there are {_names(known())}")


def detect(head: str) -> Format:
    """Return the format of a file that begins so. Raises FileRefused when none knows it, or more than one.

    What begins as XML can only be XML: its parser refuses whatever else follows. A message is a message, whatever it
    holds. Where a plug-in takes a file, what is built in does not.
    """
    from digestd.ingest.formats import mail

    if mail.recognise(head):
        return mail
    asked = [one for one in known() if one is not mail]
    if root(head)[0].startswith(("rss", "feed", "rdf", "pubmed")):
        asked = [one for one in asked if one.NAME in _XML or one in _plugged()]
    found = [one for one in asked if one.recognise(head)]
    found = [one for one in found if one in _plugged()] or found
    if len(found) == 1:
        return found[0]
    if found:
        raise FileRefused(f"it looks like {' and '.join(one.NAME for one in found)} at once; split it")
    raise FileRefused(f"its format is not known; tried {_names(known())}")


def chosen(head: str, name: str | None) -> Format:
    """Return the format of a name, or without one that of a file that begins so. Raises FileRefused as they do."""
    return named(name) if name else detect(head)


def _built_in() -> tuple[Format, ...]:
    from digestd.ingest.formats import (
        arxiv_feed,
        arxiv_mail,
        arxiv_snapshot,
        bibtex,
        biorxiv_feed,
        biorxiv_json,
        feed,
        html_page,
        huggingface_json,
        huggingface_page,
        json_lines,
        mail,
        markdown,
        pubmed_text,
        pubmed_xml,
        ris,
        semantic_scholar,
    )

    return (
        json_lines,
        huggingface_page,
        huggingface_json,
        arxiv_mail,
        arxiv_feed,
        arxiv_snapshot,
        biorxiv_feed,
        biorxiv_json,
        semantic_scholar,
        pubmed_text,
        pubmed_xml,
        ris,
        bibtex,
        markdown,
        feed,
        html_page,
        mail,
    )


@cache
def _plugged() -> tuple[Format, ...]:
    found = []
    for point in entry_points(group=PLUG_INS):
        try:
            module = point.load()
            found.append(module)
            if not (isinstance(module.NAME, str) and callable(module.recognise) and callable(module.parse)):
                raise TypeError("NAME, recognise or parse is not what it must be")
        except Exception as error:  # whatever foreign code does when it is imported
            raise ConfigError(f"the format {point.name!r} of {point.value} cannot be used: {error}") from None
    return tuple(found)


def _names(formats: Iterable[Format]) -> str:
    return ", ".join(one.NAME for one in formats)
