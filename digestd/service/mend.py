"""Search words that a newer program reads no longer: they are taken out, and their readers are told, once.

One that does not parse would stop the publishing for everybody. What is left of a profile goes on, and the letter has
the words and the reason, so that nothing is lost that a reader typed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import lru_cache, partial

from digestd import __version__
from digestd.config import Settings
from digestd.errors import QueryError
from digestd.letters import Letter, LetterKind
from digestd.match.query import parse_query
from digestd.model import Profile, Snapshot
from digestd.publish.letter import rhythm
from digestd.publish.tokens import edition_id
from digestd.service import build
from digestd.store.base import Store

PAGE = 1_000  # profiles read at a time


def mend(settings: Settings, store: Store, snapshot: Snapshot | None, now: datetime) -> int:
    """Read every search word in use, once for each version of the program; returns how many people it concerns.

    Raises StoreError, and TemplateError before anything is changed.
    """
    if store.grammar.last() == __version__:
        return 0
    after, concerned, kept = 0, 0, ""
    name, moment = partial(edition_id, store.editions.key(), profiles=()), int(now.timestamp() * 1000)
    while page := store.grammar.in_use(after, PAGE):
        for spec, profile in page:
            if wrong := mistakes(profile):
                kept = kept or store.editions.keep(snapshot or build.checked_snapshot(settings))
                better = without(profile, wrong)
                letter = Letter(
                    LetterKind.MISTAKE,
                    tuple(query.query for query in better.queries),
                    better.exclude,
                    rhythm(better),
                    found=tuple(f"“{text}”: {reason}" for text, reason in wrong.items()),
                )
                concerned += store.grammar.mend(spec, better, letter, name, kept, moment)
        after = page[-1][0]
    store.grammar.read_with(__version__)
    return concerned


def mistakes(profile: Profile) -> Mapping[str, str]:
    """Return each query and exclusion of a profile that does not parse, and why."""
    texts = dict.fromkeys((*(query.query for query in profile.queries), *profile.alert, *profile.exclude))
    return {text: wrong for text in texts if (wrong := _mistake(text))}


@lru_cache(maxsize=65_536)  # identical queries of many people are one query
def _mistake(text: str) -> str:
    try:
        parse_query(text)
    except QueryError as error:
        return str(error)
    return ""


def without(profile: Profile, wrong: Mapping[str, str]) -> Profile:
    """Return the profile with what parses."""
    return replace(
        profile,
        queries=tuple(query for query in profile.queries if query.query not in wrong),
        alert=tuple(text for text in profile.alert if text not in wrong),
        exclude=tuple(text for text in profile.exclude if text not in wrong),
    )
