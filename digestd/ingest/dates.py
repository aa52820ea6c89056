"""The days that records tell, in the many ways they write them. Pure: no clock is read.

A time with a zone becomes the day it is in UTC. A month, or a year alone, counts as its first day.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SEASONS = MappingProxyType({"spr": 3, "sum": 6, "aut": 9, "fal": 9, "win": 12})  # PubMed's, by their first month
_ISO_TIME = re.compile(r"(\d{4})-(\d{2})-(\d{2})[T ]\d{2}:\d{2}.*")
_NUMBERS = re.compile(r"(\d{4})(?:[-/. ](\d{1,2}))?(?:[-/. ](\d{1,2}))?(?![\d])")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?!\d)")
_YEAR_FIRST = re.compile(r"(\d{4})[-/,\s]+([A-Za-z]{3})[a-z]*\.?(?:[-/,\s]+(\d{1,2})(?!\d))?")
_DAY_FIRST = re.compile(r"(?:[A-Za-z]+,?\s+)?(\d{1,2})(?:st|nd|rd|th)?[-.\s]+([A-Za-z]{3})[a-z]*\.?,?[-\s]+(\d{4})")
_MONTH_FIRST = re.compile(r"([A-Za-z]{3})[a-z]*\.?\s+(?:(\d{1,2})(?:st|nd|rd|th)?,?\s+)?(\d{4})")

_ORDERS = (
    (_COMPACT, "ymd"),
    (_YEAR_FIRST, "ymd"),
    (_NUMBERS, "ymd"),
    (_DAY_FIRST, "dmy"),
    (_MONTH_FIRST, "mdy"),
)


def day(text: str | None) -> date | None:
    """Return the day that a text begins with, None where it tells none."""
    text = (text or "").strip()[:100]
    if not text:
        return None
    return _zoned(text) or _written(text)


def _zoned(text: str) -> date | None:
    """Return the day in UTC of a time in ISO 8601 or as in mail (RFC 5322)."""
    try:
        if _ISO_TIME.match(text):
            moment = datetime.fromisoformat(text)
        elif ":" in text:
            moment = parsedate_to_datetime(text)
        else:
            return None
        return (moment.astimezone(UTC) if moment.tzinfo else moment).date()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _written(text: str) -> date | None:
    for pattern, order in _ORDERS:
        if found := pattern.match(text):
            parts = dict(zip(order, found.groups(), strict=True))
            if (month := _month(parts["m"])) is not None:
                return _date(int(parts["y"]), month, int(parts["d"] or 1))
    return None


def _month(text: str | None) -> int | None:
    if not text:
        return 1
    if text.isdigit():
        return int(text)
    name = text[:3].lower()
    return _MONTHS.index(name) + 1 if name in _MONTHS else _SEASONS.get(name)


def _date(year: int, month: int, number: int) -> date | None:
    try:
        return date(year, month, number) if year >= 1000 else None
    except ValueError:
        return None
