"""Which addresses leave the house, and which never do."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.editions import paper

from digestd.publish.card import card
from digestd.publish.links import links_in, paper_links, paper_url, safe_url, search_url


@pytest.mark.parametrize(
    "url",
    [
        "http://a.org",
        "https://a.org/x?y=1#z",
        "HTTPS://A.org/",
        " https://a.org ",
        "https://a.org:8443/~u/(x)",
        "https://ä.org/ü",
    ],
)
def test_safe_url_web_address_is_taken(url: str) -> None:
    assert safe_url(url) == url.strip()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "javascript:alert(1)",
        " java\tscript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "mailto:a@b.org",
        "ftp://a.org",
        "file:///etc/passwd",
        "//evil",
        "/path",
        "https:",
        "https://",
        "https:///x",
        "https:evil.org",
        "https://a@evil",
        "https://a:b@evil.org/",
        "https://a.org\\@evil.org",
        "https://a.org/ x",
        "https://a.org/\tx",
        "https://a.org/\nx",
        "https://a.org/\0",
        "https://a.org/\u202egro.live",
        'https://a.org/"onclick=x',
        "https://a.org/<b>",
        "https://[::1",
        "https://a.org:99999/",
        "https://a.org/" + "x" * 2_000,
    ],
)
def test_safe_url_anything_else_is_refused(url: str) -> None:
    assert safe_url(url) is None


@given(st.text())
def test_safe_url_any_text_is_refused_or_a_web_address(text: str) -> None:
    url = safe_url(text)
    assert url is None or urlsplit(url).scheme in {"http", "https"}


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("The code is at https://github.com/a/b.", "https://github.com/a/b"),
        ("(see https://a.org/x), and", "https://a.org/x"),
        ("{https://a.org/x}.", "https://a.org/x"),
        ("[https://a.org/x]", "https://a.org/x"),
        ("https://a.org/w/Agent_(software).", "https://a.org/w/Agent_(software)"),
        ('"https://a.org/x"', "https://a.org/x"),
        ("リンクhttps://a.org/xです。", "https://a.org/x"),
        ("HTTPS://a.org/~u/x?y=1&z=2#k!", "HTTPS://a.org/~u/x?y=1&z=2#k"),
    ],
)
def test_links_in_a_sentence_end_before_its_punctuation(text: str, url: str) -> None:
    ((start, end, found),) = links_in(text)
    assert found == url == text[start:end]


@pytest.mark.parametrize("text", ["https://a@evil.org", "javascript:alert(1)", "//evil", "https://" + "x)" * 5_000])
def test_links_in_a_text_with_bad_addresses_are_none(text: str) -> None:
    assert links_in(text) == ()


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ({"url": "https://a.org/x"}, "https://a.org/x"),
        ({"url": None}, "https://arxiv.org/abs/2310.00001"),
        ({"url": "javascript:x"}, "https://arxiv.org/abs/2310.00001"),
        ({"url": None, "id": "arXiv:cond-mat/0603029"}, "https://arxiv.org/abs/cond-mat/0603029"),
        ({"url": None, "id": "doi:10.1000/a<b>"}, "https://doi.org/10.1000/a%3Cb%3E"),
        ({"url": None, "id": "pmid:123"}, "https://pubmed.ncbi.nlm.nih.gov/123"),
        ({"url": None, "id": "title:abc"}, None),
        ({"url": None, "id": "arXiv:"}, None),
    ],
)
def test_paper_url_of_a_paper_is_its_own_page(values: dict[str, object], url: str | None) -> None:
    assert paper_url(paper(**values)) == url


def test_paper_links_are_its_own_then_those_of_the_abstract_once() -> None:
    abstract = "Code: https://github.com/a/b. Site: https://www.lab.org/x/. Again https://github.com/a/b and https://arxiv.org/abs/2310.00001"
    assert [(link.label, link.url, link.short) for link in paper_links(paper(), "T", abstract)] == [
        ("Paper", "https://arxiv.org/abs/2310.00001", "arXiv"),
        ("Code", "https://github.com/a/b", "github.com/a/b"),
        ("Link", "https://www.lab.org/x/", "lab.org/x"),
    ]


def test_paper_links_without_any_address_are_a_search_for_the_title() -> None:
    unknown = paper(id="title:x", url=None, abstract=None)
    (link,) = paper_links(unknown, "How & Why: 100% “Agents”", "")
    assert link.label == "Find"
    assert link.url == "https://www.semanticscholar.org/search?q=How+Why+100+Agents"
    assert safe_url(link.url)
    assert card(unknown, ()).url.startswith("https://www.semanticscholar.org/")


def test_search_url_of_a_long_title_ends_with_a_whole_word() -> None:
    assert search_url("agents " * 100).endswith("+agents")
    assert len(search_url("x" * 1_000)) < 250


@pytest.mark.parametrize(
    ("url", "short"),
    [
        ("https://www.biorxiv.org/content/1", "bioRxiv"),
        ("http://www.lab.org/p/", "lab.org/p"),
        ("https://lab.org/" + "p" * 60, "lab.org/" + "p" * 39 + "…"),
    ],
)
def test_paper_link_is_shown_by_the_name_of_its_place(url: str, short: str) -> None:
    assert paper_links(paper(url=url), "T", "")[0].short == short


@given(st.text(max_size=2_000))
def test_search_url_of_any_title_is_safe_and_short(title: str) -> None:
    assert safe_url(search_url(title)) is not None
