"""Our own JSON lines: one paper a line, with the keys that `digestd parse --json` prints; it round-trips.

Only `title` is needed. Keys we do not know are passed over, so that a newer program's lines are read too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import orjson

from digestd.ingest.identity import NotAPaper, bad_record, link_of, make_paper
from digestd.ingest.json_records import keys
from digestd.ingest.reading import half_written
from digestd.match.text import clean
from digestd.model import BadRecord, Paper

NAME = "jsonl"
MORE = ("votes", "comments", "pdf", "code", "project", "other_ids")  # keys that stand only where they say something
FOREIGN = frozenset(
    {
        *("paper", "paperId", "externalIds", "corpusid", "summary", "collection", "authors_parsed", "data"),
        "recommendedPapers",
    }
)


def recognise(head: str) -> bool:
    """Return whether a line is an object with a title, or the first one begins like one with a key of ours."""
    lines = [line.strip("\ufeff \t\r") for line in head.split("\n")]
    objects = (record for line in lines if line.startswith("{") and isinstance(record := _object(line), dict))
    if any("title" in record and not FOREIGN & record.keys() for record in objects):
        return True
    first = next(filter(None, lines), "")
    cut = first.startswith("{") and isinstance(_object(first), str) and ('"title"' in first or '"id"' in first)
    return cut and not FOREIGN & keys(first)


def parse(lines: Iterator[str], modified: date) -> Iterator[Paper | BadRecord]:
    """Yield a paper or a bad record for each line that is not blank.

    Raises FileRefused when the last line is the beginning of a record.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        record = _object(line)
        if isinstance(record, str):
            if not line.endswith("\n") and _breaks_off(line):
                raise half_written(number)
            yield bad_record(number, record, line)
            continue
        try:
            yield paper(record)
        except NotAPaper as error:
            yield bad_record(number, str(error), line)


def paper(record: dict[str, Any]) -> Paper:
    """Return the paper of one record. Raises NotAPaper, naming the key that is wrong."""
    first, url = _text(record, "id"), _text(record, "url")
    own = first is not None and url is not None and url == link_of(first)  # it names no other work
    return make_paper(
        ids=[text for text in (first, None if own else url, *_texts(record, "other_ids")) if text],
        title=_text(record, "title") or "",
        authors=_texts(record, "authors"),
        abstract=_text(record, "abstract"),
        url=url,
        published=_date(record),
        categories=_texts(record, "categories"),
        source=clean(_text(record, "source") or "") or NAME,
        version=_number(record, "version"),
        votes=_number(record, "votes"),
        comments=_text(record, "comments"),
        pdf=_text(record, "pdf"),
        code=_text(record, "code"),
        project=_text(record, "project"),
    )


def dump(one: Paper) -> str:
    """Return a paper as a line, without the newline."""
    record: dict[str, object] = {
        "id": one.id,
        "title": one.title,
        "authors": one.authors,
        "abstract": one.abstract,
        "url": one.url,
        "published": one.published.isoformat() if one.published else None,
        "categories": one.categories,
        "source": one.source,
        "version": one.version,
    }
    record |= {name: value for name in MORE if (value := getattr(one, name)) not in (None, ())}
    return json.dumps(record, ensure_ascii=False)


def string(record: dict[str, Any], key: str) -> str:
    """Return a text of foreign JSON, empty where there is none; a number is as good as its text."""
    value = record.get(key)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def number(record: dict[str, Any], key: str) -> int | None:
    """Return a whole number from 0 of foreign JSON, None where there is none."""
    value = record.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else None


def _object(line: str) -> dict[str, Any] | str:
    """Return the line's object, or what is wrong with it."""
    try:
        record = _read(line)
    except json.JSONDecodeError as error:
        said = error.msg.removesuffix(" at").lower()
        return f"not valid JSON: {said} at column {error.colno}"
    except RecursionError:
        return "not usable JSON: nested too deeply"
    except ValueError:
        return "not usable JSON: a number with too many digits"
    return record if isinstance(record, dict) else f"expected an object, found {type(record).__name__}"


def _read(line: str) -> Any:
    """Return what a line of JSON says. The quick reader takes what is sound; of the rest the other one tells more."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return json.loads(line)


def _breaks_off(line: str) -> bool:
    """Return whether a line that is no JSON could become an object by a continuation."""
    if not line.lstrip().startswith("{"):
        return False
    if not line.rstrip().endswith("}"):
        return True
    try:
        json.loads(line)
    except json.JSONDecodeError as error:
        return error.pos >= len(line.rstrip()) or error.msg.startswith("Unterminated string")
    except (RecursionError, ValueError):
        pass
    return False


def _text(record: dict[str, Any], key: str) -> str | None:
    value = record.get(key)
    if value is not None and not isinstance(value, str):
        raise NotAPaper(f"{key} must be text, not {type(value).__name__}")
    return value


def _texts(record: dict[str, Any], key: str) -> list[str]:
    values = record.get(key) or []
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise NotAPaper(f"{key} must be a list of texts")
    return values


def _number(record: dict[str, Any], key: str) -> int | None:
    value = record.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise NotAPaper(f"{key} must be a whole number from 0")
    return value


def _date(record: dict[str, Any]) -> date | None:
    value = _text(record, "published")
    if not value:
        return None
    try:
        return datetime.fromisoformat(value).date()
    except ValueError:
        raise NotAPaper(f"published must be a date such as 2026-05-19, not {value[:40]!r}") from None
