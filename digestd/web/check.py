"""Whether the templates of the pages work: each is filled with something, before any reader opens it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus

from digestd.match import learn as opinions
from digestd.model import Cadence, Edition, Origin, OutboxState, Paper, Profile, Reader, Subscriber, WeightedQuery
from digestd.publish.card import card
from digestd.store.base import Past, Said, StoredSubscriber
from digestd.web import wording
from digestd.web.forms import FIELDS, Typed, at_fields, typed_of
from digestd.web.own import Known
from digestd.web.render import Renderer
from digestd.web.sample import DAYS, Taste
from digestd.web.tune import Learned, Line, Tuned
from digestd.web.tune_pages import LEARNED, TUNE

_SUBSCRIBE = "web/subscribe.html.j2"
_PREFERENCES = "web/preferences.html.j2"


def check_pages(templates: Mapping[str, str]) -> Renderer:
    """Return the templates compiled, after every page was made once. Raises TemplateError."""
    renderer = Renderer(templates)
    for page in (wording.notice(HTTPStatus.NOT_FOUND), wording.asked("reader@example.org")):
        renderer.html(page)
    paper = Paper("arXiv:2310.10637", "A Sample of Agents", ("Ada Example",), "An agent reads <papers>.")
    taste = Taste((card(paper, ("agent",)),), 2, 82, (("agent", 2), ("robot*", 0)))
    profile = Profile("Agents", (WeightedQuery("agent"),))
    person = Subscriber("reader@example.org", profiles=(profile, replace(profile, name="Robots")))
    stored = StoredSubscriber(1, person, Origin.READER, Origin.READER)
    past = Past(1, "0" * 32, "daily:2026-05-19", datetime(2026, 5, 19, 6, 0, tzinfo=UTC), OutboxState.SENT, 7)
    known = Known("1.sample", stored, profile, (past,), "1.feed")
    wrong = dict.fromkeys(FIELDS, ("This is a mistake.",))
    for mistakes in (at_fields({}), wrong):
        for tasted in (None, taste, Taste((), 0, 82, ()), Taste((), 0, 0, ())):
            renderer.live(
                _SUBSCRIBE,
                typed=Typed(keywords="agent"),
                taste=tasted,
                mistakes=mistakes,
                touched=True,
                days=DAYS,
                weekdays=wording.WEEKDAYS,
            )
            renderer.live(
                _PREFERENCES,
                known=known,
                page=wording.preferences(stored),
                typed=typed_of(profile),
                taste=tasted,
                mistakes=mistakes,
                said="Saved.",
                days=DAYS,
                weekdays=wording.WEEKDAYS,
                history=[wording.past(past)],
                learning=True,
            )
    _check_tuning(renderer, stored, paper)
    return renderer


def _check_tuning(renderer: Renderer, stored: StoredSubscriber, paper: Paper) -> None:
    now = datetime(2026, 5, 19, 6, 0, tzinfo=UTC)
    said = opinions.learned([opinions.Opinion(opinions.Wish.MORE, now, paper.title)], now)
    reader = Reader(stored.subscriber.email, "", "UTC", "1.sample")
    edition = Edition("0" * 32, "daily:2026-05-19", Cadence.DAILY, now, reader, (), 82)
    lines = tuple(
        Line(place, paper.title, "https://example.org/", place == 1, wish, "up by agents +0.40")
        for place, wish in enumerate(("", "more", "less"))
    )
    for learned in (Learned(stored, Said(True, said, 1), now), Learned(stored, Said(False, None, 0), now)):
        tuned = Tuned(edition, (("Agents", lines),), learned)
        address = wording.masked(stored.subscriber.email)
        renderer.filled(TUNE, learned=learned, address=address, tuned=tuned, day="19 May 2026")
        renderer.filled(LEARNED, learned=learned, address=address, said="")
