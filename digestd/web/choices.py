"""What a reader may choose on their own page, and what follows from it. Pure.

Leaving is always possible. Coming back is not: it may not undo a removal by the operator or a suppression, nor
confirm an address that never was.
"""

from __future__ import annotations

from enum import StrEnum
from urllib.parse import parse_qs

from digestd.model import Origin, SubscriberState

_FORM = "application/x-www-form-urlencoded"
_MAX_FIELDS = 10  # the page sends one field, a mail program one other


class Choice(StrEnum):
    """The buttons of the page; the value is what its form sends as `action`."""

    UNSUBSCRIBE = "unsubscribe"
    PAUSE = "pause"
    RESUME = "resume"


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
    if "List-Unsubscribe" in fields or actions not in ([Choice.PAUSE], [Choice.RESUME]):
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


def offered(state: SubscriberState, state_by: Origin, *, has_left: bool) -> tuple[Choice, ...]:
    """Return the choices that make sense in a state, the one a reader most likely came for first."""
    match state:
        case SubscriberState.ACTIVE:
            return Choice.UNSUBSCRIBE, Choice.PAUSE
        case SubscriberState.PAUSED:
            return Choice.RESUME, Choice.UNSUBSCRIBE
        case SubscriberState.UNSUBSCRIBED:
            return (Choice.RESUME,) if state_by is Origin.READER else ()
        case SubscriberState.PENDING | SubscriberState.SUPPRESSED:
            return () if has_left else (Choice.UNSUBSCRIBE,)
