"""Frames: an edition that fills one in is, to the character, the one that is rendered with its own words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment
from markupsafe import Markup
from support.editions import READER, SENDER, edition, entry, paper, section, snapshot
from support.hostile import HOSTILE

from digestd.model import Cadence, Edition, Place, Snapshot
from digestd.publish.render import render
from digestd.publish.templates import FRAME_HTML, FRAME_TEXT, Templates
from digestd.publish.words import only_shows_words

TEXTS = st.sampled_from(
    ["Agents", "", "  ", "50 % & more", "a\nb", "{{ x }}", "%s", "x" * 300, "\ue000w1\ue001", *HOSTILE.values()]
)
PLACES = st.sampled_from(list(Place))


@st.composite
def editions(draw: st.DrawFn) -> Edition:
    """Draw editions of every shape, with words that a frame could take amiss."""
    sections = [
        section(
            *[
                replace(entry(paper(number, title=draw(TEXTS))), place=draw(PLACES))
                for number in range(draw(st.integers(0, 3)))
            ],
            profile=draw(TEXTS),
            matched=draw(st.integers(0, 5)),
        )
        for _ in range(draw(st.integers(0, 3)))
    ]
    reader = READER._replace(email=draw(TEXTS))
    cadence = draw(st.sampled_from(list(Cadence)))
    already = tuple(paper(number, title=draw(TEXTS)) for number in range(draw(st.sampled_from([0, 2, 40]))))
    made = edition(*sections, cadence=cadence, reader=reader, considered=draw(st.integers(0, 9)))
    return made._replace(already=already)


def without_frames(by: Snapshot) -> Snapshot:
    """Return a snapshot whose templates say the same, in a way that has to be rendered each time."""
    return replace(
        by,
        templates={
            **by.templates,
            FRAME_HTML: by.templates[FRAME_HTML].replace("{{ subject }}", "{{ subject | string }}"),
        },
    )


@pytest.mark.parametrize("public_url", [SENDER.public_url, ""])
@given(of=editions())
def test_filled_frame_is_the_edition_rendered_with_its_words(public_url: str, of: Edition) -> None:
    by = snapshot(replace(SENDER, public_url=public_url))
    filled, made = render(of, by), render(of, without_frames(by))
    assert (filled.subject, filled.text, filled.html) == (made.subject, made.text, made.html)


def test_shipped_templates_are_laid_out_once_for_a_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    laid_out: list[str] = []
    html = Templates.html

    def told(ready: Templates, name: str, **values: object) -> Markup:
        laid_out.append(name)
        return html(ready, name, **values)

    monkeypatch.setattr(Templates, "html", told)
    by = snapshot(replace(SENDER, from_name="Of this test alone"))
    for number in range(3):
        render(edition(section(entry(paper(number))), reader=READER._replace(email=f"{number}@example.org")), by)
    assert laid_out.count(FRAME_HTML) == 1
    render(edition(section(entry(paper(1)), entry(paper(2)))), without_frames(by))
    render(edition(section(entry(paper(1)), entry(paper(2)))), without_frames(by))
    assert laid_out.count(FRAME_HTML) == 3


def test_operators_template_with_a_card_within_a_line_shows_it_there() -> None:
    by = snapshot()
    text = by.templates[FRAME_TEXT].replace("{{ piece.text }}", "<{{ piece.text }}>")
    rendered = render(edition(section(entry(paper(1)))), replace(by, templates={**by.templates, FRAME_TEXT: text}))
    assert " 1. <" in rendered.text
    assert "\n>\n" in rendered.text


@pytest.mark.parametrize(
    ("template", "plain"),
    [
        ("{{ subject }} of {{ sender | upper }}", True),
        ("{% if intro and not (online_url or label == 'Alert') %}{{ intro }}{% else %}{{ date }}{% endif %}", True),
        ("{% for s in sections %}{{ s.name }}{% for c in s.cards %}{{ c.html }}{% endfor %}{% endfor %}", True),
        ("{% for s in sections %}{{ s.first + 1 }}{{ 'Also' if s.cards else '' }}{% endfor %}", True),
        ("{% for s in sections %}{% if s.more %}{{ s.more }}{% endif %}{% endfor %}", True),
        ("{% if sections or already %}{% for line in already %}{{ line.html }}{% endfor %}{% endif %}", True),
        ("{{ already | length }}", False),
        ("{{ subject | upper }}", False),
        ("{{ subject ~ '!' }}", False),
        ("{{ subject[:10] }}", False),
        ("{{ subject.upper() }}", False),
        ("{% if subject == 'x' %}a{% endif %}", False),
        ("{% if intro | length > 9 %}a{% endif %}", False),
        ("{% set x = subject %}{{ x | upper }}", False),
        ("{% filter upper %}{{ subject }}{% endfilter %}", False),
        ("{% macro m() %}{{ subject }}{% endmacro %}{{ m() | upper }}", False),
        ("{% autoescape false %}{{ subject }}{% endautoescape %}", False),
        ("{% for letter in subject %}{{ letter }}{% endfor %}", False),
        ("{% for s in sections if s.name == 'x' %}a{% endfor %}", False),
        ("{% for s in sections | sort(attribute='name') %}a{% endfor %}", False),
        ("{{ sections | length }}", False),
        ("{{ sections[0].name | upper }}", False),
        ("{% for s in sections %}{{ s.name | upper }}{% endfor %}", False),
        ("{% for s in sections %}{{ s['name'] | upper }}{% endfor %}", False),
        ("{% for s in sections %}{% set t = s %}{{ t.name | upper }}{% endfor %}", False),
        ("{% for s in sections %}{{ s }}{% endfor %}", False),
        ("{% for s in sections %}{% for c in s.cards %}{{ c.text | upper }}{% endfor %}{% endfor %}", False),
        ("{% for a, b in sections %}{{ a }}{% endfor %}", False),
        ("{% include 'mail/other.html.j2' %}", False),
        ("{% extends 'mail/other.html.j2' %}", False),
        ("{% block b %}{{ subject | upper }}{% endblock %}", False),
    ],
)  # fmt: skip
def test_template_that_does_more_with_a_word_than_show_it_is_found_out(template: str, plain: bool) -> None:
    assert only_shows_words(Environment(extensions=["jinja2.ext.do"]).parse(template)) is plain
