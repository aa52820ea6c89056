"""The forms of the pages: fields as they were typed, and what can be made of them. Pure.

Each mistake is a sentence at its field, and what was typed is kept, so that nobody types anything twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import time
from urllib.parse import parse_qs

from digestd.config.kinds import address, clock, timezone
from digestd.match.text import clean
from digestd.model import Cadence, Profile, Weekday
from digestd.web.keywords import read_keywords, weighted, written_keywords

FIELDS = ("email", "keywords", "cadence", "at", "days", "zone")
_MAX_FIELDS = 40
_LONGEST_FIELD = 400  # characters, but for the keywords, which are limited where they are read


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the fields of a form. `trap` is a field that people do not see and programs fill in."""

    action: str = ""
    email: str = ""
    keywords: str = ""
    cadence: str = Cadence.DAILY
    at: str = "08:00"
    days: tuple[str, ...] = tuple(Weekday)[:5]
    zone: str = "UTC"
    trap: str = ""
    profile: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """What can be made of a form, and mistakes by field.

    The profile is there as soon as it has queries, so that it can be tried; only one without mistakes is to be kept.
    """

    email: str | None
    profile: Profile | None
    mistakes: Mapping[str, tuple[str, ...]]


def at_fields(mistakes: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Return the mistakes of every field of the form, most of them none."""
    return dict.fromkeys(FIELDS, ()) | dict(mistakes)


def read_form(body: bytes, otherwise: Typed) -> Typed:
    """Return the fields of a posted form; a field that was not sent is as in `otherwise`.

    What is no form at all is one without fields.
    """
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        fields = {}

    def one(name: str, otherwise: str, limit: int = _LONGEST_FIELD) -> str:
        value = fields.get(name, [otherwise])[0]
        return value[:limit].replace("\0", "")

    sent_days = tuple(day for day in Weekday if day in fields.get("day", []))
    return Typed(
        action=one("action", otherwise.action),
        email=one("email", otherwise.email).strip(),
        keywords=one("keywords", otherwise.keywords, 10_000),
        cadence=one("cadence", otherwise.cadence),
        at=one("at", otherwise.at),
        days=sent_days if "keywords" in fields else otherwise.days,
        zone=one("zone", otherwise.zone).strip(),
        trap=one("website", otherwise.trap),
        profile=one("profile", otherwise.profile),
    )


def typed_of(profile: Profile) -> Typed:
    """Return the form that shows a profile."""
    return Typed(
        keywords=written_keywords(profile),
        cadence=profile.cadence,
        at=f"{profile.at:%H:%M}",
        days=tuple(profile.days),
        zone=profile.timezone,
        profile=profile.name,
    )


def check_form(typed: Typed, known: Profile | None = None) -> Checked:
    """Return what can be made of a form; with a `known` profile, that one changed as the form says."""
    mistakes: dict[str, tuple[str, ...]] = {}
    email: str | None = None
    if known is None:
        try:
            email = address(typed.email)
        except ValueError:
            mistakes["email"] = ("This is not an e-mail address: expected something like ada@example.org.",)
    read = read_keywords(typed.keywords)
    if read.mistakes:
        mistakes["keywords"] = read.mistakes
    hour = time(8)
    try:
        hour = clock(typed.at)
    except ValueError:
        mistakes["at"] = ("Expected an hour of the day such as 08:00.",)
    zone = "UTC"
    try:
        zone = timezone(typed.zone)
    except ValueError as error:
        mistakes["zone"] = (f"{clean(str(error))[:200]}.",)
    days = tuple(Weekday(day) for day in typed.days)
    if not days:
        mistakes["days"] = ("Choose at least one day.",)
    if typed.cadence not in (Cadence.DAILY, Cadence.WEEKLY):
        mistakes["cadence"] = ("Choose daily or weekly.",)
    if not read.queries:
        return Checked(email, None, mistakes)
    base = known or Profile(read.name, ())
    profile = replace(
        base,
        queries=weighted(read.queries, known),
        exclude=read.exclude,
        cadence=Cadence(typed.cadence) if "cadence" not in mistakes else base.cadence,
        at=hour,
        days=days or base.days,
        timezone=zone,
    )
    return Checked(email, profile, mistakes)
