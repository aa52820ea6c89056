"""A person as one line of JSON, whole: what `subscribers export` writes and `subscribers import` reads.

Besides the profiles it has the state, who set it, and where the person came from, so that a store filled from an
export knows of each wish to leave what the first one knew.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, Field, ValidationError, field_validator

from digestd.config import Address, ClockText, QuietText, Strict, Zone
from digestd.errors import QueryError
from digestd.match.query import parse_query
from digestd.match.text import clean
from digestd.model import Origin, QuietHours, Subscriber, SubscriberState
from digestd.store.base import StoredSubscriber
from digestd.store.subscribers import profile_of, spec_of
from digestd.subscribers.file import ProfileEntry


class NotAPerson(ValueError):
    """A line that cannot become a person; the text says why."""


class _Profile(ProfileEntry):
    """A profile as it is in force: nothing in it waits for a default."""

    at: ClockText
    timezone: Zone
    max_papers: int = Field(ge=1, le=200)
    min_score: float = Field(ge=0, allow_inf_nan=False)

    @field_validator("queries", mode="before")
    @classmethod
    def _pairs(cls, queries: Any) -> Any:
        if not isinstance(queries, list):
            return queries
        return [dict(zip(("query", "weight"), one, strict=True)) if _is_pair(one) else one for one in queries]


class _Person(Strict):
    email: Address
    name: str = Field("", max_length=200)
    timezone: Zone
    quiet_hours: QuietText | Literal[""] = ""
    paused_until: AwareDatetime | None = None
    state: Literal["pending", "active", "paused", "unsubscribed", "suppressed"] = "active"
    state_by: Literal["file", "operator", "reader"] = "operator"
    origin: Literal["file", "operator", "reader"] = "operator"
    has_left: bool = False
    profiles: list[_Profile]


def record_of(one: StoredSubscriber) -> dict[str, object]:
    """Return a person as data for a line of JSON."""
    person = one.subscriber
    return {
        "email": person.email,
        "name": person.name,
        "timezone": person.timezone,
        "quiet_hours": str(person.quiet_hours or ""),
        "paused_until": one.paused_until,
        "state": person.state,
        "state_by": one.state_by,
        "origin": one.origin,
        "has_left": one.has_left,
        "profiles": [{"name": profile.name, **json.loads(spec_of(profile))} for profile in person.profiles],
    }


def person_of(line: bytes) -> StoredSubscriber:
    """Return the person of a line; the number is 0. Raises NotAPerson."""
    try:
        record = json.loads(line.decode("utf-8-sig"))
        entry = _Person.model_validate(record)
        profiles = []
        for raw, checked in zip(record["profiles"], entry.profiles, strict=True):
            for query in (*(one.query for one in checked.queries), *checked.exclude, *checked.alert):
                parse_query(query)
            profiles.append(profile_of(checked.name, json.dumps({**raw, "queries": _queries(checked)})))
    except UnicodeDecodeError as error:
        raise NotAPerson(f"not UTF-8 text at byte {error.start + 1}") from None
    except ValidationError as error:
        raise NotAPerson("; ".join(map(_said, error.errors()))) from None
    except json.JSONDecodeError as error:
        raise NotAPerson(f"not valid JSON: {error.msg.lower()} at column {error.colno}") from None
    except QueryError as error:
        raise NotAPerson(f"the query {query[:80]!r}, {error}") from None
    except RecursionError:
        raise NotAPerson("not usable JSON: nested too deeply") from None
    state, quiet = SubscriberState(entry.state), QuietHours.read(entry.quiet_hours)
    person = Subscriber(entry.email, clean(entry.name), entry.timezone, tuple(profiles), state, quiet)
    has_left = entry.has_left or (entry.state, entry.state_by) == ("unsubscribed", "reader")
    until: datetime | None = entry.paused_until if state is SubscriberState.PAUSED else None
    return StoredSubscriber(0, person, Origin(entry.state_by), Origin(entry.origin), has_left, until)


def _queries(profile: _Profile) -> list[tuple[str, float]]:
    return [(clean(one.query), one.weight) for one in profile.queries]


def _is_pair(query: Any) -> bool:
    return isinstance(query, list) and len(query) == 2


def _said(mistake: Any) -> str:
    where = ".".join(str(part + 1 if isinstance(part, int) else part) for part in mistake["loc"])
    problem = str(mistake.get("ctx", {}).get("error", mistake["msg"]))
    return f"{where}: {problem}" if where else "not an object with a person's keys"
