"""What the pages say. Pure: a subscriber's state, or a status code, becomes a page in words."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType

from digestd.model import Origin, SubscriberState
from digestd.store.base import StoredSubscriber
from digestd.web.choices import Choice, offered

LONGEST_DOMAIN = 60  # characters; a real one is shorter, and a page must not be made of one

_LABELS = MappingProxyType({Choice.UNSUBSCRIBE: "Unsubscribe", Choice.PAUSE: "Pause", Choice.RESUME: "Resume"})
_NOTED = "You asked to leave, and that stays so: nobody subscribes you again but yourself."
_ASK = "To get papers again, ask whoever sends these mails: an answer to any of them arrives there."


@dataclass(frozen=True, slots=True)
class Button:
    """A choice as the form shows it. `value` is sent as `action`; `main` is the one that stands out."""

    label: str
    value: str
    main: bool


@dataclass(frozen=True, slots=True)
class Page:
    """One page: a heading, a sentence, whom it is about (masked, or nobody), buttons, and notes below them."""

    heading: str
    lead: str
    address: str = ""
    buttons: tuple[Button, ...] = ()
    notes: tuple[str, ...] = ()


def masked(address: str) -> str:
    """Return an address so that its owner knows it and nobody else learns it: `a…@example.org`.

    A mail is passed on with its links, and a page may be open on a shared screen.
    """
    local, _, domain = address.rpartition("@")
    if len(domain) > LONGEST_DOMAIN:
        domain = domain[:LONGEST_DOMAIN] + "…"
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in f"{local[:1]}…@{domain}")


def subscription(stored: StoredSubscriber, made: Choice | None = None) -> Page:
    """Return the page of a subscriber as they are now; `made` is the choice that has just led there."""
    state, by = stored.subscriber.state, stored.state_by
    heading, lead, notes = _said(stored, made)
    choices = offered(state, by, has_left=stored.has_left)
    return Page(heading, lead, masked(stored.subscriber.email), _buttons(state, choices), notes)


def notice(status: int) -> Page:
    """Return the page for a request that was not carried out, by its HTTP status code."""
    match status:
        case HTTPStatus.NOT_FOUND:
            return Page(
                "This link is not complete",
                "A part of it is missing or was changed on its way. Please open it again from the mail, as a whole.",
                notes=("If it still leads here, answer the mail and ask to be unsubscribed.",),
            )
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return Page("This page cannot do that", "Please open the link from your mail in a browser.")
        case HTTPStatus.REQUEST_TIMEOUT:
            return Page("That took too long", "Nothing was changed. Please open the link again.")
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return Page("That was too much", "Nothing was changed. Please open the link from your mail in a browser.")
        case HTTPStatus.SERVICE_UNAVAILABLE:
            return Page(
                "Not possible at the moment",
                "Your choice could not be confirmed. Please open the same link again in a minute.",
            )
        case _:
            return Page("This did not work", "Nothing was changed. Please open the link from your mail again.")


def _said(stored: StoredSubscriber, made: Choice | None) -> tuple[str, str, tuple[str, ...]]:
    by, noted = stored.state_by, (_NOTED,) if stored.has_left else ()
    match stored.subscriber.state:
        case SubscriberState.ACTIVE if made is Choice.RESUME:
            return "You get papers again.", "All is as it was before, with the same search words.", ()
        case SubscriberState.ACTIVE:
            return (
                "Unsubscribe from these mails?",
                "You get papers by mail. One click, and nothing more will be sent.",
                ("A pause keeps your search words. The link in any of your mails ends it whenever you like.",),
            )
        case SubscriberState.PAUSED:
            return (
                "Your mail is paused.",
                "Nothing is sent until you resume. Your search words are kept.",
                ("The link in any of your mails leads back to this page.",),
            )
        case SubscriberState.UNSUBSCRIBED if by is Origin.READER:
            return (
                "You are unsubscribed.",
                "Nothing more will be sent.",
                (
                    "A mail that left before this moment may still arrive.",
                    "To come back one day, open this page again, or ask whoever sent you the mails.",
                ),
            )
        case SubscriberState.UNSUBSCRIBED:
            return "You are not subscribed.", "Nothing is sent to you.", (*noted, _ASK)
        case SubscriberState.SUPPRESSED:
            lead = "Mail to your address came back, or was reported as unwanted. It has stopped."
            return "Nothing is sent to you.", lead, (*noted, _ASK)
        case SubscriberState.PENDING:
            return "Not confirmed yet.", "Nothing is sent to you before you have confirmed your address.", noted


def _buttons(state: SubscriberState, choices: tuple[Choice, ...]) -> tuple[Button, ...]:
    back = state is SubscriberState.UNSUBSCRIBED
    return tuple(
        # Coming back is a quiet offer: who has just left is not to be talked out of it.
        Button("Subscribe again" if back else _LABELS[choice], choice, main=place == 0 and not back)
        for place, choice in enumerate(choices)
    )
