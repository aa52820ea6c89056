"""What the pages say. Pure: a subscriber's state, or a status code, becomes a page in words."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType

from digestd.model import Origin, SubscriberState, Weekday
from digestd.publish.letter import rhythm
from digestd.store.base import Signup, StoredSubscriber
from digestd.web.choices import Choice, offered

WEEKDAYS = tuple(zip(Weekday, ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), strict=True))
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
    """One page: a heading, a sentence, whom it is about (masked, or nobody), buttons, notes below them.

    `words` are search words, and `link` a label with its address.
    """

    heading: str
    lead: str
    address: str = ""
    buttons: tuple[Button, ...] = ()
    notes: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    link: tuple[str, str] | None = None


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


def asked(email: str) -> Page:
    """Return the answer to a sign-up, the same whether anybody was asked or is subscribed already."""
    return Page(
        "Look into your inbox",
        f"If {email} takes mail, one of ours is on its way there. Open the link in it, and your papers begin.",
        notes=(
            "Nothing comes? Look into the spam folder. One such mail a day is sent to an address, and the one of before"
            " works for three days.",
            "Once confirmed, everything can be changed on your own page.",
        ),
    )


def question(signup: Signup, *, barred: bool = False) -> Page:
    """Return the page of a sign-up: to be confirmed, done already, or no longer open."""
    if signup.is_confirmed:
        return Page("This is done.", "Your address was confirmed. Papers come by mail.", masked(signup.email))
    if barred:
        return Page("This is not possible.", "Mail to your address was stopped by the operator.", notes=(_ASK,))
    if not signup.is_open:
        return Page(
            "This link has ended",
            "It worked for three days, or you asked once more since, or asked not to be asked. Nothing was changed.",
            masked(signup.email),
            notes=("To get papers, ask again on the subscribe page.",),
        )
    return Page(
        "Get these papers by mail?",
        f"One digest {rhythm(signup.profile)}, of the papers that match:",
        masked(signup.email),
        (Button("Yes, send me papers", "confirm", main=True), Button("Do not ask me again", "refuse", main=False)),
        ("If you did not ask for this, just close the page: nothing will be sent.",),
        words=(
            *(query.query for query in signup.profile.queries),
            *(f"not {query}" for query in signup.profile.exclude),
        ),
    )


def confirmed(email: str, page: str) -> Page:
    """Return the answer to a yes; `page` leads to the reader's own page."""
    return Page(
        "Welcome!",
        "Your first digest, with the best of the past week, is on its way.",
        masked(email),
        notes=("Every mail has a link to change what you get, to pause, or to leave.",),
        link=("See and change what you follow", page),
    )


def refused(signup: Signup) -> Page:
    """Return the answer to "do not ask me again"."""
    if signup.is_confirmed:
        return question(signup)
    return Page("You will not be asked again.", "Nothing is sent to your address.", masked(signup.email))


def notice(status: int) -> Page:
    """Return the page for a request that was not carried out, by its HTTP status code."""
    match status:
        case HTTPStatus.NOT_FOUND:
            return Page(
                "This link is not complete",
                "A part of it is missing or was changed on its way. Please open it again from the mail, as a whole.",
                notes=("If it still leads here, answer the mail and ask to be unsubscribed.",),
            )
        case HTTPStatus.TOO_MANY_REQUESTS:
            return Page("Too many at once", "Many have signed up from where you are. Please try again in an hour.")
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
