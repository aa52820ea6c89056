"""The words around the papers: the subject line, the heading, the introduction, the reason to be there.

All of it is for a person in their own time zone, in English whatever the machine's locale. Pure: the time is the
edition's.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from itertools import zip_longest
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from digestd.match.text import clean
from digestd.model import Cadence, Edition, Place, Section
from digestd.publish.card import LONGEST_NAME, MONTHS, day_in_words, listed, shorten, title_shown

LONGEST_SUBJECT = 100
_LONGEST_SUBJECT_NAME = 32
_LONGEST_SUBJECT_TITLE = 44
_TITLES_IN_SUBJECT = 3
_LONGEST_PREHEADER = 140
_FEW = 3  # papers of a profile; with no more of them a digest says why

LABELS: Final = MappingProxyType(
    {Cadence.IMMEDIATE: "Alert", Cadence.DAILY: "Daily digest", Cadence.WEEKLY: "Weekly digest"}
)
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def long_date(edition: Edition) -> str:
    """Return `Monday, 23 November 2026` as the reader's calendar has it."""
    return _days(edition.composed_at, edition.reader.timezone)[0]


def heading(edition: Edition) -> str:
    """Return the heading: the profile's name when there is one, else how many papers there are."""
    if len(edition.sections) == 1:
        return profile_name(edition.sections[0].profile)
    return f"{counted(matched(edition), 'paper')} for you" if matched(edition) else "Nothing new"


def intro(edition: Edition) -> str:
    """Return the sentence under the heading: how many papers match, of how many."""
    hits, of = matched(edition), edition.considered
    if edition.cadence is Cadence.IMMEDIATE and hits:
        return f"{counted(hits, 'paper')} just came in that you asked to hear about at once."
    since = f" since {_since(edition)}" if edition.quiet_since else ""
    if hits:
        quiet = f" Nothing new has come in{since}." if since and hits <= _FEW else ""
        return f"{hits:,} of {counted(of, 'new paper')} match{'es' if hits == 1 else ''} what you follow.{quiet}"
    if not of:
        return f"No new papers {f'have come in{since}' if since else 'came in this time'}. We keep looking."
    quiet = f" No more have come in{since}." if since else ""
    if any(map(why_few, edition.sections)):
        return f"Nothing among {counted(of, 'new paper')} is left for this digest.{quiet} We keep looking."
    return f"Nothing among {counted(of, 'new paper')} matches what you follow.{quiet} We keep looking."


def summary(section: Section) -> str:
    """Return what stands under a section's heading: `7 papers, best match first`; of a short one, also why."""
    why = why_few(section) if section.matched <= _FEW else ""
    if not section.matched:
        return "No papers this time" + (f": {why}" if why else "")
    papers = counted(section.matched, "paper")
    if why:
        return f"Only {papers}: {why}"
    return papers if section.matched == 1 else f"{papers}, best match first"


def why_few(section: Section) -> str:
    """Return why papers that a profile's queries hit are not in its section: `14 scored below your min_score`."""
    left = section.left_out
    reasons = (
        (left.below, "scored below your min_score"),
        (left.excluded, f"{'was' if left.excluded == 1 else 'were'} taken out by your exclusions"),
        (left.alerted, "already came as an alert" if left.alerted == 1 else "already came as alerts"),
        (left.elsewhere, "came with another of your profiles"),
    )
    return listed([f"{number:,} {reason}" for number, reason in reasons if number])


def more(number: int, *, has_papers: bool) -> str:
    """Return what is said of matching papers that are not shown; "" where there are none."""
    if not number:
        return ""
    return (
        f"And {number:,} more that matched." if has_papers else f"{number:,} matched; this mail has no room for them."
    )


def already_more(number: int, *, has_titles: bool) -> str:
    """Return what is said of papers that came as alerts and have no line at the end; "" where there are none."""
    if not number:
        return ""
    return f"{number:,} more." if has_titles else f"{counted(number, 'paper')}."


def subject(edition: Edition) -> str:
    """Return the subject line: what is inside and the date, at most LONGEST_SUBJECT characters.

    `Agents: ScienceAgentBench, TouchStone and 5 more · 23 Nov`. As many titles as fit, up to three. An alert has
    the time too, since equal subjects are threaded, and clipped, by mail programs.
    """
    return first_lines(edition)[0]


def first_lines(edition: Edition) -> tuple[str, str]:
    """Return what an inbox shows of an edition: the subject, and behind it the preheader, the first titles whole."""
    titles = _titles(edition)
    preheader = shorten(" · ".join(titles[:3]), _LONGEST_PREHEADER)
    return _subject(edition, titles), preheader


def _subject(edition: Edition, titles: list[str]) -> str:
    _, day, hour = _days(edition.composed_at, edition.reader.timezone)
    date = f" · {day} {hour}" if edition.cadence is Cadence.IMMEDIATE else f" · {day}"
    name = _subject_name(edition)
    if not titles:
        return f"{name}nothing new{date}" if name else f"Nothing new{date}"
    titles = [_short_title(title) for title in titles[:_TITLES_IN_SUBJECT]]
    papers = matched(edition)
    room = LONGEST_SUBJECT - len(name) - len(date)
    while len(titles) > 1 and sum(map(len, titles)) > room:
        titles.pop()  # as many would not fit, whatever stands between them
    for number in range(len(titles), 0, -1):
        more = papers - number
        shown = listed(titles[:number] if more <= 0 else [*titles[:number], f"{more:,} more"])
        if len(shown) <= room:
            return name + shown + date
    return shorten(name + shown, LONGEST_SUBJECT - len(date)) + date


@lru_cache(maxsize=256)  # the editions of a tick have one moment, and few zones
def _days(composed_at: datetime, timezone: str) -> tuple[str, str, str]:
    """Return `Monday, 23 November 2026`, `23 Nov` and `08:00`."""
    at = composed_at.astimezone(ZoneInfo(timezone))
    return f"{_WEEKDAYS[at.weekday()]}, {day_in_words(at)}", f"{at.day} {MONTHS[at.month - 1][:3]}", f"{at:%H:%M}"


def reason(edition: Edition) -> str:
    """Return why this person gets this mail, for the footer."""
    follows = _follows(tuple([section.profile for section in edition.sections]))
    return f"You get this because {shorten(clean(edition.reader.email), 254)} is subscribed here{follows}."


@lru_cache(maxsize=4096)
def _follows(profiles: tuple[str, ...]) -> str:
    names = [f"“{profile_name(profile)}”" for profile in profiles]
    if len(names) > 4:
        names = [*names[:3], f"{len(names) - 3} more"]
    return f" and follows {listed(names)}" if names else ""


def matched(edition: Edition) -> int:
    """Return how many papers of the edition matched; one that two profiles share is counted by `considered` at most."""
    hits = sum([section.matched for section in edition.sections])
    return hits if hits <= edition.considered else min(hits, max(edition.considered, _listed_papers(edition)))


@lru_cache(maxsize=1024)
def counted(number: int, noun: str) -> str:
    """Return `1 paper`, `7 papers`, `1,200 papers`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


@lru_cache(maxsize=4096)
def profile_name(name: str) -> str:
    """Return a profile's name as it is shown."""
    return shorten(clean(name), LONGEST_NAME)


def _since(edition: Edition) -> str:
    """Return the reader's day on which the last paper came: `Friday`, or `9 November 2026` where a week is over."""
    assert edition.quiet_since is not None
    at, now = edition.quiet_since.astimezone(ZoneInfo(edition.reader.timezone)), _local(edition)
    return _WEEKDAYS[at.weekday()] if (now.date() - at.date()).days < 7 else day_in_words(at)


def _local(edition: Edition) -> datetime:
    return edition.composed_at.astimezone(ZoneInfo(edition.reader.timezone))


def _titles(edition: Edition) -> list[str]:
    # Best first over all profiles: the first of each section, then the second of each, …
    heads = [_first_titles(section) for section in edition.sections]
    titles = (
        [title for row in zip_longest(*heads) for title in row if title is not None] if len(heads) != 1 else heads[0]
    )
    return list(dict.fromkeys(map(title_shown, titles[: 2 * _TITLES_IN_SUBJECT])))


def _first_titles(section: Section) -> list[str]:
    return [entry.paper.title for entry in section.entries if entry.place is not Place.FOLDED][:_TITLES_IN_SUBJECT]


def _listed_papers(edition: Edition) -> int:
    return len({entry.paper.id for section in edition.sections for entry in section.entries})


def _subject_name(edition: Edition) -> str:
    if edition.cadence is Cadence.IMMEDIATE:
        return "Alert: "
    if len(edition.sections) != 1:
        return ""
    return _short_name(edition.sections[0].profile)


@lru_cache(maxsize=4096)
def _short_name(profile: str) -> str:
    return shorten(clean(profile), _LONGEST_SUBJECT_NAME) + ": "


@lru_cache(maxsize=4096)
def _short_title(title: str) -> str:
    # `ToolChain*: Efficient Action Space Navigation …` is known as ToolChain*.
    name, colon, _ = title.partition(": ")
    return shorten(name if colon and len(name) <= _LONGEST_SUBJECT_TITLE else title, _LONGEST_SUBJECT_TITLE)
