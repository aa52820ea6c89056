"""Templates made ready: the operator's sources become compiled Jinja2, with the style sheet inlined once.

Mail programs strip style sheets, so each rule of `mail/inline.css` is written into the elements it concerns; that
is done to the template and not to the message, which would cost more than all else. Templates run in the
sandbox; what goes wrong in one is a TemplateError that names it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Any

import css_inline
from jinja2 import DictLoader, StrictUndefined, TemplateSyntaxError
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup

from digestd.errors import TemplateError
from digestd.publish.plaintext import columns, underlined, wrap
from digestd.publish.words import only_shows_words

PREFIX = "mail/"
FRAME_HTML = "mail/edition.html.j2"
FRAME_TEXT = "mail/edition.txt.j2"
INLINE_CSS = "mail/inline.css"

_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
# Private-use characters come through an HTML parser untouched, in a text as in an attribute, and nobody types them.
_PLACE = re.compile("(?:<!--)?\ue000(\\d+)\ue001(?:-->)?")
_INDENTATION = re.compile(r"\n\s+")
_INCLUDE = re.compile(r"""[ \t]*\{%-?\s*include\s+["']([\w./-]+)["']\s*-?%\}\n?""")


class Templates:
    """The compiled mail templates of one snapshot. Compared by identity: there is one per snapshot in memory."""

    __slots__ = ("_html", "_text", "only_shows_words")

    def __init__(self, sources: Mapping[str, str]) -> None:
        css = sources.get(INLINE_CSS, "")
        html = {name: inlined(source, css, name) for name, source in sources.items() if name.endswith(".html.j2")}
        # As one line: a frame's lines are encoded one by one.
        html |= {name: " ".join(source.split()) + "\n" for name, source in sources.items() if name.endswith(".css")}
        text = {name: source for name, source in sources.items() if name.endswith(".txt.j2")}
        self._html = _environment(html, autoescape=True)
        self._text = _environment(text, autoescape=False)
        frames = [expanded(of[name], of) for of, name in ((html, FRAME_HTML), (text, FRAME_TEXT)) if name in of]
        self.only_shows_words = all(only_shows_words(self._html.parse(frame)) for frame in frames)

    def html(self, name: str, **values: object) -> Markup:
        """Return the HTML of a template; what comes out is safe to set into another one."""
        # ASCII controls but line feeds are no part of HTML, and Jinja hands on what a template says.
        return Markup(_rendered(self._html, name, values))  # noqa: S704 - the environment escapes every value

    def text(self, name: str, **values: object) -> str:
        """Return the plain text of a template. Nothing is escaped in it, and nothing needs to be."""
        return _rendered(self._text, name, values)


class Sandbox(SandboxedEnvironment):
    """Jinja2's sandbox, with a short way for the values we make ourselves.

    A value of ours has fields and what can be read off them, so the long check of each access, a fifth of
    all the time a card takes and half of a page's, can only find what its name says.
    """

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return what `obj.attribute` says in a template."""
        if _is_ours(type(obj)) and attribute[0] != "_":  # type: ignore[arg-type]  # types have a hash
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)


@cache
def _is_ours(kind: type) -> bool:
    return kind.__module__.startswith("digestd.")


def templates(sources: Mapping[str, str]) -> Templates:
    """Return the compiled templates among `sources`, by name; compiled once for the same sources.

    Raises TemplateError, with the template's name and line, for one that does not parse.
    """
    return _compiled(tuple(sorted((name, text) for name, text in sources.items() if name.startswith(PREFIX))))


def inlined(source: str, css: str, name: str) -> str:
    """Return an HTML template with the rules of `css` written into its elements, and its indentation dropped.

    Jinja tags stand aside while the HTML is parsed: blocks as comments, which may stand between the rows of a table,
    and expressions as text. A template with `<html>` is a document, any other a fragment, whose outermost
    elements may not be bare rows or cells: the parser drops those.
    """
    tags: list[str] = []

    def set_aside(tag: re.Match[str]) -> str:
        tags.append(tag[0])
        place = f"\ue000{len(tags) - 1}\ue001"
        return place if tag[0].startswith("{{") else f"<!--{place}-->"

    plain_html = _INDENTATION.sub("\n", _TAG.sub(set_aside, source))
    inliner = css_inline.CSSInliner(
        inline_style_tags=False, keep_style_tags=True, load_remote_stylesheets=False, minify_css=True, extra_css=css
    )
    try:
        if "<html" in plain_html.lower():
            styled = inliner.inline(plain_html)
        else:
            styled = inliner.inline_fragment(plain_html, css)
    except css_inline.InlineError as error:
        raise TemplateError(f"{name} or {INLINE_CSS}: the style sheet cannot be inlined: {error}") from error
    return _PLACE.sub(lambda place: tags[int(place[1])], styled)


# Two snapshots are in use around a change of the templates; a few more while old editions are retried.
@lru_cache(maxsize=8)
def _compiled(sources: tuple[tuple[str, str], ...]) -> Templates:
    return Templates(dict(sources))


def _environment(sources: Mapping[str, str], autoescape: bool) -> SandboxedEnvironment:
    # `autoescape` is said outright: select_autoescape() decides by the end of the name and says no to `.html.j2`.
    # An include that is set in once costs no edition anything.
    whole = {name: expanded(source, sources) for name, source in sources.items()}
    environment = Sandbox(
        loader=DictLoader(whole),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    filters: dict[str, Callable[..., object]] = {"wrap": wrap, "underlined": underlined, "columns": columns}
    environment.filters.update(filters)
    for name, source in sources.items():
        try:
            if whole[name] == source:
                environment.get_template(name)
            else:  # read as it stands in its file: whole, the lines are others, and a mistake may be the include's
                environment.compile(source, name, raw=True)
        except TemplateSyntaxError as error:
            raise TemplateError(f"{error.name or name}, line {error.lineno}: {error.message}") from error
    return environment


def expanded(source: str, sources: Mapping[str, str], depth: int = 8) -> str:
    """Return a template with the templates that it includes in their places; what is not found is left to fail."""

    def included(tag: re.Match[str]) -> str:
        known = sources.get(tag[1])
        return tag[0] if known is None or depth == 0 else expanded(known, sources, depth - 1)

    return _INCLUDE.sub(included, source)


def _rendered(environment: SandboxedEnvironment, name: str, values: Mapping[str, object]) -> str:
    try:
        template = environment.get_template(name)
        # As `render` does, which takes as long to copy the globals as a card takes for its text.
        context = template.new_context({**environment.globals, **values}, shared=True)
        return environment.concat(template.root_render_func(context))
    except Exception as error:  # an operator's template is a program: it can fail in any way, and is named
        raise TemplateError(f"{name}: {type(error).__name__}: {error}") from error
