"""Pages in words become HTML: one template, one style sheet inside it, nothing loaded from anywhere."""

from __future__ import annotations

import base64
import hashlib

import jinja2
from markupsafe import Markup

from digestd.errors import TemplateError
from digestd.resources import shipped
from digestd.web.wording import Page

_PAGE = "web/page.html.j2"
_STYLE = "web/style.css"


class Renderer:
    """The compiled web templates, and the policy that lets their style sheet and nothing else through.

    Raises TemplateError when one is missing or does not parse.
    """

    def __init__(self) -> None:
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(shipped("templates")),
            autoescape=True,  # select_autoescape() says no to `.html.j2`
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        try:
            style = environment.get_template(_STYLE).render()
            self._page = environment.get_template(_PAGE, globals={"style": Markup(style)})  # noqa: S704 - our own file
        except jinja2.TemplateError as error:
            raise TemplateError(f"the web pages' templates: {error}; install digestd again") from error
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
        self.policy = (
            f"default-src 'none'; style-src 'sha256-{digest}';"
            " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )

    def html(self, page: Page) -> str:
        """Return a page as an HTML document."""
        return self._page.render(page=page)
