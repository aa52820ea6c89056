"""Whether the templates of the pages work: each is filled with something, before any reader opens it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from types import MappingProxyType

from digestd.match import learn as opinions
from digestd.model import (
    Cadence,
    Edition,
    Origin,
    OutboxState,
    Paper,
    Profile,
    Reader,
    Subscriber,
    SubscriberState,
    WeightedQuery,
)  # fmt: skip
from digestd.publish.card import card
from digestd.store.base import Past, Said, Signup, StoredSubscriber
from digestd.web import wording
from digestd.web.choices import Choice
from digestd.web.forms import FIELDS, Typed, at_fields, typed_of
from digestd.web.own import Known
from digestd.web.render import Renderer
from digestd.web.sample import DAYS, Sight, Taste
from digestd.web.tune import Learned, Line, Tuned
from digestd.web.tune_pages import LEARNED, TUNE

_SUBSCRIBE = "web/subscribe.html.j2"
_PREFERENCES = "web/preferences.html.j2"

_AT = datetime(2026, 5, 19, 6, 0, tzinfo=UTC)
_PAPER = Paper("arXiv:2310.10637", "A Sample of Agents", ("Ada Example",), "An agent reads <papers>.")
_PROFILE = Profile("Agents", (WeightedQuery("agent"), WeightedQuery("robot*")), ("medical",))
_WRONG = MappingProxyType(dict.fromkeys(FIELDS, ("This is a mistake.",)))


def check_pages(templates: Mapping[str, str]) -> Renderer:
    """Return the templates compiled, after every page was made once. Raises TemplateError."""
    renderer = Renderer(templates)
    page_samples(renderer)
    return renderer


def page_samples(renderer: Renderer) -> dict[str, str]:
    """Return each of the readers' pages filled with samples, by what it shows. Raises TemplateError."""
    person = Subscriber("reader@example.org", profiles=(_PROFILE, replace(_PROFILE, name="Robots")))
    stored = StoredSubscriber(1, person, Origin.READER, Origin.READER)
    signup = Signup(1, 1, person.email, _PROFILE, is_open=True, is_confirmed=False)
    words = {
        "asked": wording.asked(person.email),
        "confirm": wording.question(signup),
        "confirm, too late": wording.question(replace(signup, is_open=False)),
        "confirmed": wording.confirmed(person.email, "preferences"),
        "unsubscribe": wording.subscription(stored, page="1.sample"),
        "paused": wording.subscription(_moved(stored, SubscriberState.PAUSED), Choice.PAUSE, "1.sample"),
        "unsubscribed": wording.subscription(_moved(stored, SubscriberState.UNSUBSCRIBED), Choice.UNSUBSCRIBE),
        "delete": wording.forgetting(stored),
        "deleted": wording.forgotten(),
        "not found": wording.notice(HTTPStatus.NOT_FOUND),
    }
    shown = {name: renderer.html(page) for name, page in words.items()}
    return shown | _subscribing(renderer) | _preferring(renderer, stored) | _tuning(renderer, stored)


def _moved(stored: StoredSubscriber, state: SubscriberState) -> StoredSubscriber:
    until = _AT if state is SubscriberState.PAUSED else None
    return replace(stored, subscriber=replace(stored.subscriber, state=state), paused_until=until)


def _subscribing(renderer: Renderer) -> dict[str, str]:
    def page(typed: Typed, taste: Taste | None, mistakes: Mapping[str, tuple[str, ...]]) -> str:
        made = renderer.live(
            _SUBSCRIBE,
            typed=typed,
            taste=taste,
            mistakes=mistakes,
            touched=bool(typed.keywords),
            days=DAYS,
        )
        return bytes(made.body).decode()

    typed = Typed(keywords="agent, robot*, -medical")
    return {
        "subscribe": page(Typed(), None, at_fields({})),
        "subscribe, tried": page(typed, _taste(), at_fields({})),
        "subscribe, nothing found": page(typed, Taste((), 0, 82, ()), at_fields({})),
        "subscribe, no papers": page(typed, Taste((), 0, 0, ()), at_fields({})),
        "subscribe, mistakes": page(typed, _taste(), _WRONG),
    }


def _preferring(renderer: Renderer, stored: StoredSubscriber) -> dict[str, str]:
    past = Past(1, "0" * 32, "daily:2026-05-19", _AT, OutboxState.SENT, 7)

    def page(taste: Taste | None, mistakes: Mapping[str, tuple[str, ...]], said: str) -> str:
        made = renderer.live(
            _PREFERENCES,
            known=Known("1.sample", stored, _PROFILE, (past,), "1.feed"),
            page=wording.preferences(stored),
            typed=typed_of(_PROFILE),
            preview=renderer.filled("web/taste.html.j2", taste=taste, days=DAYS, wrong=mistakes["keywords"]),
            mistakes=mistakes,
            said=said,
            days=DAYS,
            history=[wording.past(past)],
            learning=True,
        )
        return bytes(made.body).decode()

    return {
        "preferences": page(_taste(), at_fields({}), "Saved. Your next mail follows it."),
        "preferences, mistakes": page(None, _WRONG, ""),
    }


def _taste() -> Taste:
    return Taste((Sight(card(_PAPER, ("agent",))),), 2, 82, (("agent", 2), ("robot*", 0)))


def _tuning(renderer: Renderer, stored: StoredSubscriber) -> dict[str, str]:
    now, paper = _AT, _PAPER
    shown: dict[str, str] = {}
    said = opinions.learned([opinions.Opinion(opinions.Wish.MORE, now, paper.title)], now)
    reader = Reader(stored.subscriber.email, "", "UTC", "1.sample")
    edition = Edition("0" * 32, "daily:2026-05-19", Cadence.DAILY, now, reader, (), 82)
    lines = tuple(
        Line(place, paper.title, "https://example.org/", place == 1, wish, "up by agents +0.40")
        for place, wish in enumerate(("", "more", "less"))
    )
    for learned in (Learned(stored, Said(True, said, 1), now), Learned(stored, Said(False, None, 0), now)):
        off = "" if learned.said.active else ", off"
        tuned = Tuned(edition, (("Agents", lines),), learned)
        address = wording.masked(stored.subscriber.email)
        shown[f"tune{off}"] = renderer.filled(TUNE, learned=learned, address=address, tuned=tuned, day="19 May 2026")
        shown[f"learned{off}"] = renderer.filled(LEARNED, learned=learned, address=address, said="")
    return shown
