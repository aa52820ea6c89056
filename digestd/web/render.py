"""Pages in words become HTML: small templates, one style sheet inside each page, nothing loaded from anywhere.

A page's own script, where it has one, stands in it too, and its hash in the policy: no other one runs.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from http import HTTPStatus
from secrets import token_hex

import jinja2
from markupsafe import Markup
from starlette.responses import HTMLResponse

from digestd.errors import TemplateError
from digestd.publish.templates import Sandbox, expanded
from digestd.web.sample import Sight
from digestd.web.unfolding import Unfolding
from digestd.web.wording import Page

_PAGE = "web/page.html.j2"
_CARD = "web/card.html.j2"
_STYLE = "web/style.css"
_SCRIPT = "web/live.js"
_OPERATOR_STYLE = "web/operator/style.css"
CARDS = 512  # kept as they are drawn, some 3 kB each
_REST = "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"


class Renderer:
    """The compiled web templates, and the policies that let their style sheet and their script through.

    Raises TemplateError when one is missing or does not parse.
    """

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._environment = Sandbox(
            # An include that is set in once costs no page anything.
            loader=jinja2.DictLoader({name: expanded(text, sources) for name, text in sources.items()}),
            autoescape=True,  # select_autoescape() says no to `.html.j2`
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            cache_size=-1,  # all of them; one that is looked for costs no lock
        )
        self._environment.filters["thousands"] = "{:,}".format
        self._environment.filters["drawn"] = lru_cache(maxsize=CARDS)(self._drawn)
        try:
            for name, text in sources.items():
                self._environment.compile(text, name)  # as it was written, so that a mistake is found in its line
            style, script, more = (
                self._environment.get_template(name).render() for name in (_STYLE, _SCRIPT, _OPERATOR_STYLE)
            )
            own = {"style": style, "script": script, "operator_style": style + more}
            self._environment.globals |= {name: Markup(text) for name, text in own.items()}  # noqa: S704 - own files
        except jinja2.TemplateSyntaxError as error:
            raise TemplateError(f"{error.name}, line {error.lineno}: {error.message}") from error
        except jinja2.TemplateError as error:
            raise TemplateError(f"the web pages' templates: {type(error).__name__}: {error}") from error
        self.operator_policy = f"default-src 'none'; style-src 'sha256-{_digest(style + more)}'; {_REST}"
        styled = f"default-src 'none'; style-src 'sha256-{_digest(style)}';"
        self.policy = f"{styled} {_REST}"
        self._place = Markup(f"<!-- {token_hex(16)} -->")  # noqa: S704 - which nobody can have typed
        self._live_policy = f"{styled} script-src 'sha256-{_digest(script)}'; connect-src 'self'; {_REST}"

    def __len__(self) -> int:
        """Return how many templates there are."""
        return len(self._environment.list_templates())

    def html(self, page: Page) -> str:
        """Return a page in words as an HTML document."""
        return self.filled(_PAGE, page=page)

    def filled(self, template: str, **values: object) -> Markup:
        """Return a template with its values; it can be set into another one. Raises TemplateError."""
        try:
            made = self._environment.get_template(template).render(values)
        except Exception as error:  # an operator's template is a program: it can fail in any way, and is named
            raise TemplateError(f"{template}: {type(error).__name__}: {error}") from error
        return Markup(made)  # noqa: S704 - the environment escapes every value

    def _drawn(self, sight: Sight) -> Markup:
        return Markup(self._environment.get_template(_CARD).render(card=sight.card))  # noqa: S704 - it escapes all

    def unfolding(self, template: str, middle: Callable[[], Awaitable[str]], **values: object) -> HTMLResponse:
        """Return the answer that is a page with the script, whose `preview` is told when the rest is on the way."""
        before, _, after = str(self.filled(template, preview=self._place, **values)).partition(self._place)
        headers = {"Content-Security-Policy": self._live_policy}
        return Unfolding(before, middle, after, headers) if after else HTMLResponse(before, headers=headers)

    def live(self, template: str, status: int = HTTPStatus.OK, **values: object) -> HTMLResponse:
        """Return the answer that is a page with the script."""
        headers = {"Content-Security-Policy": self._live_policy}
        return HTMLResponse(self.filled(template, **values), status, headers)


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
