"""What may be asked about the parts that profiles had in editions, to tell why they are as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from digestd.model import Cadence, Profile


@dataclass(frozen=True, slots=True)
class PlacedSection:
    """A profile's part of an edition, and the profile as it was then.

    Of the `looked` papers it `matched` some, of which `placed` were named; `hits` counts them by query. `card` is the
    title that the paper asked about is folded under, None where it is not.
    """

    profile: Profile
    issue: str
    matched: int
    placed: int
    looked: int
    hits: Mapping[str, int]
    card: str | None = None


class Sections(Protocol):
    """The parts of editions."""

    def of(self, subscriber: int, paper: int) -> PlacedSection | None:
        """Return the part in which a paper was announced to a subscriber."""

    def after(self, profile: int, cadence: Cadence, moment: datetime) -> PlacedSection | None:
        """Return the first part that a profile had in an edition of this cadence composed at `moment` or later."""
