"""What a reader may choose on their own page, and what follows from it. Pure.

Leaving is always possible. Coming back is not: it may not undo a removal by the operator or a suppression, nor
confirm an address that never was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from urllib.parse import parse_qs

from digestd.model import Cadence, Origin, Profile, SubscriberState
from digestd.store.base import StoredSubscriber

_FORM = "application/x-www-form-urlencoded"
PAUSE = timedelta(days=14)
FEWEST = 5  # papers that "fewer" comes to in the end
_MAX_FIELDS = 10  # the page sends one field, a mail program one other


class Choice(StrEnum):
    """The buttons of the page; the value is what its form sends as `action`."""

    UNSUBSCRIBE = "unsubscribe"
    PAUSE = "pause"
    RESUME = "resume"
    WEEKLY = "weekly"
    FEWER = "fewer"


def choice_of(content_type: str, body: bytes) -> Choice:
    """Return what a POST asks for: to unsubscribe, unless it plainly asks for something else.

    RFC 8058 3.2 lets a mail program send `List-Unsubscribe=One-Click` as a form of either kind, and some send
    nothing. Only the page itself pauses or resumes; what cannot be read must never keep a reader who wants to leave.
    """
    if content_type.partition(";")[0].strip().lower() != _FORM:
        return Choice.UNSUBSCRIBE
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=_MAX_FIELDS)
    except ValueError:
        return Choice.UNSUBSCRIBE
    actions = fields.get("action", [])
    if "List-Unsubscribe" in fields or len(actions) != 1 or actions[0] not in set(Choice):
        return Choice.UNSUBSCRIBE
    return Choice(actions[0])


def next_state(choice: Choice, state: SubscriberState, state_by: Origin) -> SubscriberState | None:
    """Return the state that a choice asks for, None where it is not the reader's to make.

    Unsubscribing is asked for in every state; the store keeps the wish beside one in which nothing is sent anyway.
    """
    mailed = state in (SubscriberState.ACTIVE, SubscriberState.PAUSED)
    left = state is SubscriberState.UNSUBSCRIBED and state_by is Origin.READER
    match choice:
        case Choice.UNSUBSCRIBE:
            return SubscriberState.UNSUBSCRIBED
        case Choice.PAUSE:
            return SubscriberState.PAUSED if mailed else None
        case Choice.RESUME:
            return SubscriberState.ACTIVE if mailed or left else None
        case Choice.WEEKLY | Choice.FEWER:
            return state if mailed else None


def lighter(choice: Choice, profiles: Sequence[Profile]) -> tuple[Profile, ...]:
    """Return the profiles with weekly mail instead of daily, or with half as many papers in each."""
    if choice is Choice.WEEKLY:
        daily = Cadence.DAILY
        return tuple(replace(one, cadence=Cadence.WEEKLY) if one.cadence is daily else one for one in profiles)
    return tuple(replace(one, max_papers=fewer(one.max_papers)) for one in profiles)


def fewer(papers: int) -> int:
    """Return half as many papers, down to a few; where it is a few already, as many as before."""
    return min(papers, max(FEWEST, papers // 2))


def offered(stored: StoredSubscriber) -> tuple[Choice, ...]:
    """Return the choices that make sense to a subscriber, the one they most likely came for first.

    What the operator's file says of a person is not changed here: the next reading of the file would undo it.
    """
    state, state_by, has_left = stored.subscriber.state, stored.state_by, stored.has_left
    match state:
        case SubscriberState.ACTIVE:
            profiles = stored.subscriber.profiles if stored.origin is not Origin.FILE else ()
            weekly = (Choice.WEEKLY,) if any(one.cadence is Cadence.DAILY for one in profiles) else ()
            smaller = (Choice.FEWER,) if any(fewer(one.max_papers) < one.max_papers for one in profiles) else ()
            return Choice.UNSUBSCRIBE, Choice.PAUSE, *weekly, *smaller
        case SubscriberState.PAUSED:
            return Choice.RESUME, Choice.UNSUBSCRIBE
        case SubscriberState.UNSUBSCRIBED:
            return (Choice.RESUME,) if state_by is Origin.READER else ()
        case SubscriberState.PENDING | SubscriberState.SUPPRESSED:
            return () if has_left else (Choice.UNSUBSCRIBE,)
