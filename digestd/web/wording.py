"""What the pages say. Pure: a subscriber's state, or a status code, becomes a page in words."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType

from digestd.model import Origin, OutboxState, SubscriberState
from digestd.publish.card import day_in_words
from digestd.publish.letter import rhythm
from digestd.publish.wording import counted
from digestd.store.base import Past, Signup, StoredSubscriber
from digestd.web.choices import Choice, offered

LONGEST_DOMAIN = 60  # characters; a real one is shorter, and a page must not be made of one

_LABELS = MappingProxyType(
    {
        Choice.UNSUBSCRIBE: "Unsubscribe",
        Choice.PAUSE: "Pause for two weeks",
        Choice.RESUME: "Resume",
        Choice.WEEKLY: "Weekly instead",
        Choice.FEWER: "Fewer papers",
    }
)
_BECAME = MappingProxyType(
    {
        OutboxState.READY: "on its way",
        OutboxState.CLAIMED: "on its way",
        OutboxState.SENDING: "on its way",
        OutboxState.UNCERTAIN: "may not have arrived",
        OutboxState.FAILED: "could not be sent",
        OutboxState.CANCELLED: "was not sent",
    }
)
MAILED = (SubscriberState.ACTIVE, SubscriberState.PAUSED)
_NOTED = "You asked to leave, and that stands: nobody but you can subscribe you again."
_ASK = "To get papers again, ask whoever sends these mails: a reply to any of them reaches them."


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


def subscription(stored: StoredSubscriber, made: Choice | None = None, page: str = "") -> Page:
    """Return the page of a subscriber as they are now; `made` is the choice that has just led there.

    `page` is the last part of this page's path, which leads to those of this reader below it wherever a proxy has put
    it: the token that opened it, or nothing.
    """
    state = stored.subscriber.state
    heading, lead, notes = _said(stored, made)
    link = ("See and change what you follow", f"{page}/preferences") if page and state in MAILED else None
    return Page(heading, lead, masked(stored.subscriber.email), _buttons(state, offered(stored)), notes, link=link)


def asked(email: str) -> Page:
    """Return the answer to a sign-up, the same whether anybody was asked or is subscribed already."""
    return Page(
        "Check your inbox",
        f"If {email} takes mail, one of ours is on its way there. Open the link in it to begin.",
        notes=(
            "Nothing there? Check the spam folder. An address is sent one such mail a day, and an earlier one works for"
            " three days.",
            "Once you have confirmed, you can change everything on your own page.",
        ),
    )


def question(signup: Signup, *, barred: bool = False) -> Page:
    """Return the page of a sign-up: to be confirmed, done already, or no longer open."""
    if signup.is_confirmed:
        return Page("This is done.", "Your address is confirmed. Your papers come by mail.", masked(signup.email))
    if barred:
        return Page("This is not possible.", "Mail to your address was stopped by the operator.", notes=(_ASK,))
    if not signup.is_open:
        return Page(
            "This link has expired",
            "It worked for three days, or until you asked again, or asked not to be asked. Nothing was changed.",
            masked(signup.email),
            link=("Sign up again", "../"),  # the subscribe page, wherever a proxy has put it
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


def preferences(stored: StoredSubscriber) -> Page:
    """Return the head of the preferences page."""
    match stored.subscriber.state:
        case SubscriberState.ACTIVE:
            lead = "Change it, and see at once what would have come."
        case SubscriberState.PAUSED if stored.paused_until:
            lead = f"Your mail is paused until {day_in_words(stored.paused_until)}."
        case SubscriberState.PAUSED:
            lead = "Your mail is paused until you resume."
        case _:
            lead = "Nothing is being sent to you at the moment."
    return Page("What you follow", lead, masked(stored.subscriber.email))


def past(edition: Past) -> tuple[str, str, str]:
    """Return how a past edition is listed: its day, what it was, and the last part of its address."""
    kind = {"daily": "Daily digest", "weekly": "Weekly digest"}.get(edition.issue.partition(":")[0], "Alert")
    state = f", {_BECAME[edition.state]}" if edition.state is not OutboxState.SENT else ""
    return day_in_words(edition.composed_at), f"{kind}, {counted(edition.papers, 'paper')}{state}", edition.id


def forgetting(stored: StoredSubscriber) -> Page:
    """Return the page that asks once more before a reader is forgotten."""
    return Page(
        "Delete everything about you?",
        "Your address, your search words and what was sent to you are deleted for good. No more mail will come, and"
        " the links in old mails will open nothing.",
        masked(stored.subscriber.email),
        (Button("Delete everything", "forget-all", main=True), Button("Keep it", "keep", main=False)),
        ("If you are in the operator's own list, ask them too, or the list will bring you back.",),
    )


def forgotten() -> Page:
    """Return the answer to that."""
    return Page("Everything about you is deleted.", "Nothing more will be sent.")


def notice(status: int) -> Page:
    """Return the page for a request that was not carried out, by its HTTP status code."""
    match status:
        case HTTPStatus.NOT_FOUND:
            return Page(
                "This link is not complete",
                "A part of it is missing or was changed on its way. Please open it again from the mail, as a whole.",
                notes=("If it still leads here, reply to the mail and ask to be unsubscribed.",),
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
            return "You get papers again.", "Everything is as it was, with the same search words.", ()
        case SubscriberState.ACTIVE if made is Choice.WEEKLY:
            return "One mail a week.", "It brings the best of the week; the days between are quiet.", ()
        case SubscriberState.ACTIVE if made is Choice.FEWER:
            return "Fewer papers from now on.", "Half as many in each mail; any others are listed by title.", ()
        case SubscriberState.ACTIVE:
            return (
                "Unsubscribe from these mails?",
                "You get papers by mail. One click, and nothing more will be sent.",
                ("A pause keeps your search words and ends by itself; the link in any of your mails ends it sooner.",),
            )
        case SubscriberState.PAUSED:
            day = f"{day_in_words(stored.paused_until)}, or until you" if stored.paused_until else "you"
            return (
                "Your mail is paused.",
                f"Nothing is sent until {day} resume. Your search words are kept.",
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
