"""What a reader sees: the page, its size, its templates, and that nothing foreign becomes markup."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from urllib.parse import urlsplit

import pytest
from support.editions import READER, SENDER, edition, entry, paper, section, seed_papers, snapshot
from support.golden import FOLDER, cases, made, read_edition
from support.hostile import HOSTILE
from support.pages import Page, many, shown

from digestd.errors import ConfigError, TemplateError
from digestd.match.text import plain
from digestd.model import Cadence, Paper, Place, Snapshot
from digestd.publish.links import safe_url
from digestd.publish.render import LONGEST_HTML
from digestd.publish.wording import subject


@pytest.mark.parametrize("case", cases())
def test_render_golden_edition_is_what_was_looked_at(case: str) -> None:
    for name, content in made(read_edition(case)).items():
        assert content == (FOLDER / case / name).read_bytes(), f"{case}/{name}: see support/golden.py"


def test_golden_cases_are_found() -> None:
    assert {"alert", "daily-one-profile", "empty", "hostile", "weekly-two-profiles"} <= set(cases())


@pytest.mark.parametrize("case", cases())
def test_html_is_a_sound_page_with_no_remote_part(case: str) -> None:
    html = shown(read_edition(case)).html
    page = Page(html)
    assert page.open == []
    assert page.tags.count("h1") == 1
    assert page.tags.count("h2") == len(read_edition(case).sections)
    assert not {"img", "script", "link", "iframe", "form", "object", "svg"} & set(page.tags)
    assert page.tags.count("table") == page.attributes.count(("role", "presentation")) > 0
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "url(" not in html.replace("date=no, address=no, email=no, url=no", "")
    assert ("lang", "en") in page.attributes
    assert page.text("title") == subject(read_edition(case))


def test_html_styles_are_inlined_and_dark_mode_stays_a_rule() -> None:
    html = shown().html
    assert re.search(r'<h1 style="[^"]*font-size', html)
    assert re.search(r'<b class="m" style="[^"]*background-color', html)
    assert "prefers-color-scheme: dark" in Page(html).text("style")


def test_html_of_an_alert_says_so_and_of_a_digest_not() -> None:
    assert '<b class="alert"' in shown(edition(cadence=Cadence.IMMEDIATE)).html
    assert '<b class="alert"' not in shown().html
    assert shown(edition(cadence=Cadence.IMMEDIATE)).text.startswith("ALERT · Monday, 23 November 2026")


def test_unsubscribe_link_stands_near_the_top_and_in_the_footer_of_both_parts() -> None:
    rendered = shown()
    url = "https://papers.example.org/u/17.AbCdEfGhIjKlMnOpQrStUv"
    links = Page(rendered.html).links
    assert links[0] == links[-1] == url
    assert rendered.text.index(url) < 400
    assert rendered.text.rstrip().endswith(url)


def test_footer_says_who_sends_it_why_and_how_papers_were_chosen() -> None:
    text = " ".join(shown().text.split())
    assert "You get this because reader@example.org is subscribed here and follows “Agents”." in text
    assert "Sent by Paper Digest. Replies reach desk@example.org." in text
    assert "chosen by your own search words" in text


def test_footer_of_many_profiles_names_the_first() -> None:
    sections = [section(profile=f"P{number}") for number in range(6)]
    assert "follows “P0”, “P1”, “P2” and 3 more." in " ".join(shown(edition(*sections)).text.split())


def test_sections_have_headings_when_there_are_several() -> None:
    both = edition(section(*many(1), profile="Agents"), section(*many(2), profile="Robots & Co"))
    page = Page(shown(both).html)
    assert page.text("h1") == "3 papers for you"
    assert page.text("h2") == "Agents1 paperRobots & Co2 papers, best match first"
    assert "\nRobots & Co\n-----------\n" in shown(both).text
    assert " 3. Agent" in shown(both).text.replace("*", "")


def test_one_section_has_its_name_in_the_header() -> None:
    page = Page(shown().html)
    assert page.text("h1") == "Agents"
    assert page.text("h2") == "1 paper"


def test_titles_past_the_cap_have_a_line_each_and_the_rest_is_counted() -> None:
    rendered = shown(edition(section(*many(1), *many(3, Place.TITLE)[1:], matched=15)))
    page = Page(rendered.html)
    assert page.text("h3").endswith("Also matching")
    assert "https://arxiv.org/abs/2310.00003" in page.links
    assert "And 12 more that matched." in rendered.text
    assert "And 12 more that matched." in rendered.html
    assert "\n  - Agent Study 3: How Agents Learn\n    https://arxiv.org/abs/2310.00003\n" in rendered.text


def test_empty_edition_is_a_friendly_note() -> None:
    rendered = shown(edition(section(), considered=82))
    assert rendered.subject == "Agents: nothing new · 23 Nov"
    assert "Nothing among 82 new papers matches what you follow. We keep looking." in rendered.text
    assert "it will come with your next mail." in Page(rendered.html).text("p")
    assert Page(rendered.html).text("h1") == "Agents"


@cache
def _plain_page() -> Page:
    return Page(shown().html)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize(
    "place", ["title", "abstract", "author", "source", "url", "query", "profile", "from_name", "email"]
)
def test_render_hostile_text_is_only_text(place: str, text: str) -> None:
    values: dict[str, object] = {"author": {"authors": (text,)}}.get(place) or {}
    if place in {"title", "abstract", "source", "url"}:
        values = {place: text}
    hit = entry(paper(**values), *((text,) if place == "query" else ()))
    of = edition(
        section(hit, profile=text if place == "profile" else "Agents"),
        reader=READER._replace(email=text) if place == "email" else READER,
    )
    rendered = shown(of, snapshot(replace(SENDER, from_name=text) if place == "from_name" else SENDER))
    page, plain_page = Page(rendered.html), _plain_page()
    assert set(page.tags) <= set(plain_page.tags)
    assert page.open == []
    assert len(page.comments) == len(plain_page.comments)
    assert {name for name, _ in page.attributes} == {name for name, _ in plain_page.attributes}
    assert all(safe_url(link) == link and "evil" not in urlsplit(link).netloc for link in page.links)
    assert not re.search(
        "[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", rendered.text + rendered.html
    )
    assert len(rendered.html.encode()) <= LONGEST_HTML


def test_render_template_syntax_in_a_text_is_shown_as_it_stands() -> None:
    rendered = shown(edition(section(entry(paper(), "{{7*7}} {% raw %}"), profile="{{7*7}}")))
    assert "Why:   {{7*7}} {% raw %}" in rendered.text
    assert Page(rendered.html).text("h1") == "{{7*7}}"


def test_render_paper_of_megabytes_is_a_card_like_any_other() -> None:
    huge = paper(
        title="word " * 100_000,
        abstract="One sentence about agents. " * 200_000,
        authors=tuple(f"Author {n}" for n in range(10_000)),
    )
    rendered = shown(edition(section(entry(huge))))
    assert len(rendered.html) < 20_000
    assert len(rendered.text) < 4_000
    assert "and 9,997 more" in rendered.text


def test_render_edition_that_is_too_large_lists_by_title_and_then_counts() -> None:
    first = section(*many(400, abstract="A sentence about agents, rather long. " * 40), profile="Agents")
    second = section(*many(2), profile="Robots")
    rendered = shown(edition(first, second, considered=1_000))
    page = Page(rendered.html)
    assert LONGEST_HTML * 0.9 < len(rendered.html.encode()) <= LONGEST_HTML
    assert len(re.findall(r'class="card"', rendered.html)) > 2
    assert page.text("h2").endswith("Robots2 papers, best match first")
    listed_titles = rendered.html.count('class="line"')
    cards = rendered.html.count('class="card"')
    assert f"And {402 - cards - listed_titles} more that matched." in rendered.text
    assert rendered.text.count("\n  - ") == listed_titles


def test_render_edition_of_forty_full_cards_keeps_every_title() -> None:
    rendered = shown(edition(section(*many(40, abstract="A sentence about agents, rather long. " * 40))))
    assert rendered.html.count('class="card"') + rendered.html.count('class="line"') == 40
    assert "more that matched" not in rendered.text


def test_render_hundreds_of_profiles_fit() -> None:
    sections = [section(profile=f"Profile {number} " + "x" * 60) for number in range(600)]
    assert len(shown(edition(*sections)).html.encode()) <= LONGEST_HTML


def test_render_section_without_room_says_how_many_matched() -> None:
    assert "7 matched; this mail has no room for them." in shown(edition(section(matched=7))).text


def test_render_twice_gives_the_same_characters() -> None:
    assert shown() == shown(by=Snapshot.from_json(snapshot().to_json()))


def test_render_operators_template_replaces_one_and_keeps_the_others() -> None:
    rendered = shown(by=snapshot(mail__header__html__j2='<div><h1 class="label">Ours: {{ heading }}</h1></div>'))
    assert "Ours: Agents" in Page(rendered.html).text("h1")
    assert 'href="https://arxiv.org/abs/2310.00001"' in rendered.html


def test_render_text_template_with_blanks_at_line_ends_leaves_none() -> None:
    rendered = shown(by=snapshot(mail__card__txt__j2="    {{ card.title_text }}   \n\n\n\n  \nend"))
    assert " \n" not in rendered.text
    assert "\n\n\n" not in rendered.text


def test_render_template_values_are_escaped_in_html_whatever_it_is_called() -> None:
    by = snapshot(mail__footer__html__j2="<div>{{ sender }}</div>", sender=replace(SENDER, from_name="<b>&"))
    assert "<div>&lt;b&gt;&amp;</div>" in shown(by=by).html


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{% if %}", r"mail/footer\.html\.j2, line 1: "),
        ("{{ unknown }}", "'unknown' is undefined"),
        ("{{ ''.__class__.__mro__ }}", "SecurityError"),
        ("{{ sections[0].__class__ }}", "SecurityError"),
        ("{{ dict.mro() }}", "SecurityError"),
        ("{% for i in range(10**9) %}{% endfor %}", "OverflowError"),
        ('{% include "mail/none.html.j2" %}', "TemplateNotFound"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("x" * 100_000, "octets over 90000"),
    ],
)
def test_render_bad_template_is_an_error_that_names_it(source: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message) as raised:
        shown(by=snapshot(mail__footer__html__j2=source))
    assert str(raised.value).startswith("mail/")


def test_render_bad_template_behind_an_include_is_named_by_its_own_line() -> None:
    source = '<div>{% include "mail/footer.html.j2" %}</div>\n<div>{{ 1 | unknown }}</div>'
    footer = "<div>1</div>\n<div>2</div>\n<div>3</div>"
    with pytest.raises(TemplateError, match=r"mail/edition\.html\.j2, line 2: "):
        shown(by=snapshot(mail__edition__html__j2=source, mail__footer__html__j2=footer))


def test_render_missing_template_is_an_error_that_names_it() -> None:
    by = Snapshot({"mail/inline.css": ""}, SENDER)
    with pytest.raises(TemplateError, match=r"mail/card\.html\.j2"):
        shown(by=by)


def test_render_style_sheet_from_elsewhere_is_never_fetched() -> None:
    source = (
        '<html><head><link rel="stylesheet" href="http://127.0.0.1:9/x.css"></head><body>{{ heading }}</body></html>'
    )
    assert "Agents" in shown(by=snapshot(mail__edition__html__j2=source)).html


@pytest.mark.parametrize("public_url", ["papers.example.org", "javascript:alert(1)", "https://a@evil", "https://ä.org"])
def test_render_public_url_that_is_no_web_address_is_refused(public_url: str) -> None:
    with pytest.raises(ConfigError, match=r"mail\.public_url"):
        shown(by=snapshot(replace(SENDER, public_url=public_url)))


def test_render_seed_papers_are_all_shown_whole() -> None:
    papers: tuple[Paper, ...] = seed_papers()
    assert len(papers) == 82
    for of in papers:
        title = Page(shown(edition(section(entry(of, "model")))).html).text("h3")
        assert title == " ".join(plain(of.title).split())


def test_render_style_that_does_not_parse_is_an_error_that_names_it() -> None:
    with pytest.raises(
        TemplateError, match=r"mail/footer\.html\.j2 or mail/inline\.css: the style sheet cannot be inlined"
    ):
        shown(by=snapshot(mail__footer__html__j2='<p class="small" style="color">x</p>'))


def test_card_names_its_near_copies_with_their_links_in_both_parts() -> None:
    copy = replace(paper(), id="arXiv:2310.99999", title="The Same, Renamed <b>", url="https://example.org/same")
    folded = replace(entry(copy), place=Place.FOLDED)
    plain_one, with_copy = edition(section(entry())), edition(section(entry(), folded))
    rendered = shown(with_copy)
    assert "Also: " in rendered.html
    assert 'href="https://example.org/same"' in rendered.html
    assert "The Same, Renamed &lt;b&gt;" in rendered.html
    assert re.search(r"Also:  The Same, Renamed <b>\n +https://example.org/same\n", rendered.text)
    assert "Also:" not in shown(plain_one).html + shown(plain_one).text
    assert "Renamed" not in rendered.subject


def test_html_too_long_for_a_card_lists_its_near_copies_too() -> None:
    long = [entry(replace(paper(), id=f"x:{number}", title=f"Long {number} " + "ab " * 90)) for number in range(60)]
    copies = [
        replace(entry(replace(paper(), id=f"y:{number}", title=f"Copy {number}")), place=Place.FOLDED)
        for number in range(60)
    ]
    pairs = [one for pair in zip(long, copies, strict=True) for one in pair]
    html = shown(edition(section(*pairs))).html
    assert len(html.encode()) <= LONGEST_HTML
    assert html.count("Also: ") < 60
    assert all(f"Copy {number}<" in html for number in range(30))
