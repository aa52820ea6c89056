"""All mails and pages filled with samples, side by side: what an operator looks at who changes a template."""

from __future__ import annotations

from dataclasses import dataclass

import jinja2

from digestd.config import Settings
from digestd.publish.check import check_templates
from digestd.resources import shipped, web_templates
from digestd.service import build
from digestd.web.check import page_samples
from digestd.web.operator.check import operator_samples
from digestd.web.render import Renderer


@dataclass(frozen=True, slots=True)
class Shown:
    """A mail or a page: `name` says what it shows, `text` is the text part of a mail."""

    name: str
    title: str
    html: str
    text: str = ""


def gallery(settings: Settings) -> dict[str, tuple[Shown, ...]]:
    """Return every mail and page by their kind, each with the operator's own templates. Raises DigestdError."""
    mails = check_templates(build.snapshot(settings))
    renderer = Renderer(web_templates(settings.paths.templates))
    return {
        "Mails": tuple(Shown(name, one.subject, one.html, one.text) for name, one in mails.items()),
        "Pages of readers": tuple(Shown(name, name, html) for name, html in page_samples(renderer).items()),
        "Pages of the operator": tuple(Shown(name, name, html) for name, html in operator_samples(renderer).items()),
    }


def gallery_page(groups: dict[str, tuple[Shown, ...]]) -> str:
    """Return one page that shows all of them."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(shipped("templates")), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("demo/gallery.html.j2").render(groups=groups)
