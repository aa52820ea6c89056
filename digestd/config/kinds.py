"""The kinds of value that the configuration and the subscribers file share: each checked, each with its sentence.

A check returns the value or raises ValueError with a sentence that says what was expected.
"""

from __future__ import annotations

import re
from datetime import time
from difflib import get_close_matches
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator

from digestd.model import QuietHours

_DOTTED = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+")  # the list-id of RFC 2919, without its phrase
HOST = r"^[A-Za-z0-9._:-]+$"  # a name, or an address of either kind


def address(text: str) -> str:
    """Return a mail address as it may be mailed to.

    Raises ValueError with a sentence. Beyond email-validator it refuses what that lets pass: encoded-words,
    and local parts of more than 64 octets (RFC 5321 4.5.3.1.1).
    """
    try:
        checked = validate_email(text, check_deliverability=False, allow_smtputf8=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(f"{text!r} is not an e-mail address: {error}") from None
    if "=?" in checked.local_part or len(checked.local_part.encode()) > 64:
        raise ValueError(f"{text!r} is not an e-mail address that can be mailed to")
    return checked.normalized


def timezone(name: str) -> str:
    """Return an IANA time zone name as it is. Raises ValueError naming the nearest known zone."""
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # listing every zone costs 50 ms: only to say which was meant
        raise ValueError(f"{name!r} is not a time zone{nearest(name, available_timezones())}") from None
    return name


def clock(text: str) -> time:
    """Return an `HH:MM` hour of the day. Raises ValueError."""
    hour, colon, minute = text.partition(":")
    if colon and len(minute) == 2 and (hour + minute).isascii() and (hour + minute).isdigit():
        try:
            return time(int(hour), int(minute))
        except ValueError:
            pass
    raise ValueError(f"{text!r} is not an hour of the day such as 08:00")


def quiet_hours(text: str) -> QuietHours:
    """Return the quiet hours of `22:00-07:00`. Raises ValueError, also for the same hour twice: all day, or never?"""
    begin, dash, end = text.partition("-")
    if not dash:
        raise ValueError(f"{text!r} are not quiet hours such as 22:00-07:00")
    hours = QuietHours(clock(begin.strip()), clock(end.strip()))
    if hours.begin == hours.end:
        raise ValueError(f"{text!r} begin when they end; to send nothing at all, pause the person")
    return hours


def nearest(word: str, known: object) -> str:
    """Return `; did you mean x?` for the nearest of the known words, or nothing."""
    words = [str(entry) for entry in known] if isinstance(known, (set, frozenset, list, tuple, dict)) else []
    found = get_close_matches(word, words, n=1, cutoff=0.5)
    return f"; did you mean {found[0]}?" if found else ""


def _public_url(text: str) -> str:
    parts = urlsplit(text)
    sound = text.isascii() and text.isprintable() and " " not in text and len(text) <= 300
    if text and not (sound and parts.scheme in ("https", "http") and parts.hostname and "@" not in parts.netloc):
        raise ValueError(f"{text[:80]!r} is not an address such as https://papers.example.org")
    return text.rstrip("/")


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds a line break or another control character")
    return text


def _list_id(text: str) -> str:
    if text and not _DOTTED.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is not a list's name such as papers.example.org")
    return text


def _clock_text(text: str) -> str:
    clock(text)
    return text


def _quiet_text(text: str) -> str:
    quiet_hours(text)
    return text


Address = Annotated[str, AfterValidator(address)]
Zone = Annotated[str, AfterValidator(timezone)]
ClockText = Annotated[str, AfterValidator(_clock_text)]
QuietText = Annotated[str, AfterValidator(_quiet_text)]
OneLine = Annotated[str, AfterValidator(_one_line)]
PublicUrl = Annotated[str, AfterValidator(_public_url)]
ListId = Annotated[str, AfterValidator(_list_id)]
