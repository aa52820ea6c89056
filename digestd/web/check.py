"""Whether the templates of the pages work: each is filled with something, before any reader opens it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from digestd.model import Paper
from digestd.publish.card import card
from digestd.web import wording
from digestd.web.forms import FIELDS, Typed, at_fields
from digestd.web.render import Renderer
from digestd.web.sample import DAYS, Taste


def check_pages(templates: Mapping[str, str]) -> Renderer:
    """Return the templates compiled, after every page was made once. Raises TemplateError."""
    renderer = Renderer(templates)
    for page in (wording.notice(HTTPStatus.NOT_FOUND), wording.asked("reader@example.org")):
        renderer.html(page)
    paper = Paper("arXiv:2310.10637", "A Sample of Agents", ("Ada Example",), "An agent reads <papers>.")
    taste = Taste((card(paper, ("agent",)),), 2, 82, (("agent", 2), ("robot*", 0)))
    wrong = dict.fromkeys(FIELDS, ("This is a mistake.",))
    for mistakes in (at_fields({}), wrong):
        for tasted in (None, taste, Taste((), 0, 82, ()), Taste((), 0, 0, ())):
            renderer.live(
                "web/subscribe.html.j2",
                typed=Typed(keywords="agent"),
                taste=tasted,
                mistakes=mistakes,
                touched=True,
                days=DAYS,
                weekdays=wording.WEEKDAYS,
            )
    return renderer
