"""The subscribers file, or a folder of them, read so that one mistake costs nobody else their mail.

Each person and each profile is checked alone. A mistake becomes a problem, a sentence with file, line and
column; what it concerns keeps its last good version in the store.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationError, field_validator

from digestd.config import Address, ClockText, QuietText, Settings, Strict, Zone, address, clock, quiet_hours
from digestd.config.places import Path as Location
from digestd.config.places import Places
from digestd.config.toml_file import explain, read_toml
from digestd.errors import ConfigError, QueryError
from digestd.match.query import parse_query
from digestd.match.text import clean
from digestd.model import Cadence, Profile, QuietHours, Subscriber, Weekday, WeightedQuery, canonical_address
from digestd.store.base import Roster

MAX_QUERIES = 200  # in one profile, of each kind


@dataclass(frozen=True, slots=True)
class Reading:
    """What a subscribers file says, and what is wrong with it."""

    roster: Roster
    problems: tuple[str, ...]


def _visible(name: str) -> str:
    if not (cleaned := clean(name)):
        raise ValueError("must not be empty")
    return cleaned


class _Query(Strict):
    query: str
    weight: float = Field(1.0, gt=0, le=1000, allow_inf_nan=False)


class ProfileEntry(Strict):
    """A profile as a person writes it: what is left out has a default of the settings."""

    name: Annotated[str, AfterValidator(_visible), Field(max_length=100)]
    queries: list[_Query] = Field([], max_length=MAX_QUERIES)
    exclude: list[str] = Field([], max_length=MAX_QUERIES)
    alert: list[str] = Field([], max_length=MAX_QUERIES)
    cadence: Literal["immediate", "daily", "weekly"] = "daily"
    at: ClockText | None = None
    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = Field(
        ["mon", "tue", "wed", "thu", "fri"], min_length=1
    )
    max_papers: int | None = Field(None, ge=1, le=200)
    min_score: float | None = Field(None, ge=0, allow_inf_nan=False)
    send_empty: bool = False
    learning: bool = True

    @field_validator("queries", mode="before")
    @classmethod
    def _plain_queries(cls, queries: Any) -> Any:
        if not isinstance(queries, list):
            return queries
        return [{"query": query} if isinstance(query, str) else query for query in queries]


class _Person(Strict):
    email: Address
    name: str = Field("", max_length=200)
    timezone: Zone | None = None
    quiet_hours: QuietText | None = None
    profile: list[Any] = Field([])

    @field_validator("profile", mode="before")
    @classmethod
    def _two_brackets(cls, profile: Any) -> Any:
        if isinstance(profile, dict):
            raise ValueError("write [[subscriber.profile]], with two brackets, for each of them")
        return profile


Model = TypeVar("Model", bound=Strict)


class _Refused(Exception):
    """An entry that cannot be taken; its problems were noted."""


def read_people(path: Path, settings: Settings) -> Reading:
    """Read the subscribers file, or every `*.toml` of a folder in the order of names.

    A file that cannot be read at all is a problem like the others: its people keep what they had.
    """
    reader = _Reader(settings)
    if not path.is_dir():
        reader.read(path)
        return reader.result()
    files = sorted(path.glob("*.toml"))
    for file in files:
        reader.read(file)
    if not files:  # as a folder that is not mounted looks: nobody is to lose their mail over it
        reader.miss(f"{path}: no *.toml file is in this folder")
    return reader.result()


def read_profiles(path: Path, settings: Settings) -> tuple[tuple[Profile, ...], tuple[str, ...]]:
    """Return the profiles of a file, and the problems: all those of a subscribers file, or one that stands alone.

    A file that is a profile has `queries` or `alert` at its top; without a name it gets that of the file.
    """
    reader = _Reader(settings)
    reader.read_profiles(path)
    return reader.profiles(), reader.result().problems


class _Reader:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._people: dict[str, Subscriber] = {}
        self._refused_profiles: dict[str, frozenset[str]] = {}
        self._refused_people: set[str] = set()
        self._complete = True
        self._problems: list[str] = []
        self._alone: list[Profile] = []

    def result(self) -> Reading:
        """Return what all files say."""
        roster = Roster(
            tuple(self._people.values()), self._refused_profiles, frozenset(self._refused_people), self._complete
        )
        return Reading(roster, tuple(self._problems))

    def profiles(self) -> tuple[Profile, ...]:
        """Return the profiles that were taken, whoever has them."""
        return (*self._alone, *(profile for person in self._people.values() for profile in person.profiles))

    def read_profiles(self, file: Path) -> None:
        """Take over a profile that stands alone, or what a subscribers file says."""
        try:
            values, places = read_toml(file)
        except ConfigError as error:
            self.miss(str(error))
            return
        if not values.keys() & {"queries", "alert"}:
            self.read(file)
            return
        with suppress(_Refused):
            named = {"name": file.stem, **values}
            self._alone.append(self._profile(file, places, (), named, self._settings.schedule.timezone, None))

    def miss(self, problem: str) -> None:
        """Note that people may stand where they could not be read."""
        self._problems.append(problem)
        self._complete = False

    def read(self, file: Path) -> None:
        """Take over what one file says."""
        try:
            values, places = read_toml(file)
        except ConfigError as error:
            self.miss(str(error))
            return
        for key in sorted(values.keys() - {"subscriber"}):  # people may stand in it
            self._note(file, places.key((key,)), f"{key} is not a known key; did you mean [[subscriber]]?")
            self._complete = False
        entries = values.get("subscriber", [])
        if not isinstance(entries, list):
            self._note(file, places.key(("subscriber",)), "write [[subscriber]], with two brackets, for each person")
            self._complete = False
            return
        for number, entry in enumerate(entries):
            self._read_person(file, places, ("subscriber", number), entry)

    def _read_person(self, file: Path, places: Places, here: Location, entry: Any) -> None:
        try:
            person = self._checked(_Person, file, places, here, entry)
        except _Refused:
            known = _address_of(entry)
            if known:
                self._refused_people.add(known)
            else:
                self._complete = False
            return
        key = canonical_address(person.email)
        if key in self._people:
            self._note(file, places.value((*here, "email")), f"{person.email} stands twice; the first one counts")
            return
        zone = person.timezone or self._settings.schedule.timezone
        quiet = quiet_hours(person.quiet_hours) if person.quiet_hours else None
        profiles: dict[str, Profile] = {}
        refused: set[str] = set()
        for number, raw in enumerate(person.profile):
            there = (*here, "profile", number)
            try:
                profile = self._profile(file, places, there, raw, zone, quiet)
                if profile.name in profiles:
                    self._note(
                        file,
                        places.value((*there, "name")),
                        f"a second profile named {profile.name!r}; the first one counts",
                    )
                    continue
                profiles[profile.name] = profile
            except _Refused:
                name = _name_of(raw)
                if not name:  # it may be any of those they have: these all stay
                    self._refused_people.add(key)
                    return
                refused.add(name)
        name = clean(person.name)
        self._people[key] = Subscriber(person.email, name, zone, tuple(profiles.values()), quiet_hours=quiet)
        if refused:
            self._refused_profiles[key] = frozenset(refused)

    def _profile(
        self, file: Path, places: Places, here: Location, raw: Any, zone: str, quiet: QuietHours | None
    ) -> Profile:
        entry = self._checked(ProfileEntry, file, places, here, raw)
        texts = [
            *((("queries", number), query.query) for number, query in enumerate(entry.queries)),
            *((("exclude", number), query) for number, query in enumerate(entry.exclude)),
            *((("alert", number), query) for number, query in enumerate(entry.alert)),
        ]
        sound = True
        for path, text in texts:
            try:
                parse_query(text)
            except QueryError as error:
                value = (*here, *path)
                place = places.inside((*value, "query"), error.column) or places.inside(value, error.column)
                self._note(file, place, f"the query {text[:80]!r}: {error.problem}")
                sound = False
        if not entry.queries and not entry.alert:
            self._note(file, places.key(here), f"the profile {entry.name!r} has no queries")
            sound = False
        at = clock(entry.at or self._settings.schedule.at)
        if quiet and at in quiet and entry.cadence != "immediate":
            place = places.value((*here, "at")) or places.key(here)
            self._note(file, place, f"the hour {at:%H:%M} falls into the quiet hours {quiet}: nothing is sent in them")
            sound = False
        if not sound:
            raise _Refused
        return Profile(
            name=entry.name,
            queries=tuple(WeightedQuery(clean(query.query), query.weight) for query in entry.queries),
            exclude=tuple(map(clean, entry.exclude)),
            alert=tuple(map(clean, entry.alert)),
            cadence=Cadence(entry.cadence),
            at=at,
            days=tuple(day for day in Weekday if day.value in entry.days),
            timezone=zone,
            max_papers=entry.max_papers or self._settings.matching.max_papers,
            min_score=self._settings.matching.min_score if entry.min_score is None else entry.min_score,
            send_empty=entry.send_empty,
            learning=entry.learning,
        )

    def _checked(self, model: type[Model], file: Path, places: Places, here: Location, raw: Any) -> Model:
        try:
            return model.model_validate(raw)
        except ValidationError as error:
            self._problems += [explain(file, places, mistake, model, here) for mistake in error.errors()]
            raise _Refused from None

    def _note(self, file: Path, place: object, problem: str) -> None:
        self._problems.append(f"{file}, {place}: {problem}" if place else f"{file}: {problem}")


def _name_of(profile: Any) -> str:
    """Return the name of a profile with a mistake elsewhere; empty when there is none."""
    name = profile.get("name") if isinstance(profile, dict) else None
    return clean(name) if isinstance(name, str) else ""


def _address_of(entry: Any) -> str | None:
    """Return whose entry it is, when at least the address in it is sound."""
    try:
        return canonical_address(address(entry["email"]))
    except (TypeError, KeyError, ValueError):
        return None
