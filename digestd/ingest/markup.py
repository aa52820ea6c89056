"""XML and HTML, read with the guards that foreign text needs: no entities, no network, no depth, no bombs.

Elements come one at a time and are dropped when the caller has seen them, so memory depends on the largest record.
Control characters, HTML's named entities and lone ampersands, which feeds are full of, are put right on the way; what
is not well-formed beyond that is refused with its line.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterator
from html.entities import html5
from types import MappingProxyType
from typing import Any

from lxml import etree

from digestd.errors import FileRefused
from digestd.ingest.reading import half_written

MAX_PROLOG = 20  # comments and instructions before the first element
MAX_ELEMENTS = 100_000  # in one record: 5,000 authors with three affiliations each are about 50,000

Element = Any  # lxml has no types of its own

_NETSCAPE = "http://my.netscape.com/rdf/"
NAMESPACES = MappingProxyType(
    {
        "arxiv": ("http://arxiv.org/schemas/atom",),
        "content": ("http://purl.org/rss/1.0/modules/content/",),
        "dc": ("http://purl.org/dc/elements/1.1/", "http://purl.org/dc/terms/"),
        "prism": (
            "http://purl.org/rss/1.0/modules/prism/",
            "http://prismstandard.org/namespaces/basic/2.0/",
            "http://prismstandard.org/namespaces/2.0/basic/",
            "http://prismstandard.org/namespaces/1.2/basic/",
        ),
        # what stands in a feed without a prefix: RSS 2.0, Atom, RSS 1.0 and 0.90, Atom 0.3
        "": (
            "",
            "http://www.w3.org/2005/Atom",
            "http://purl.org/rss/1.0/",
            f"{_NETSCAPE}simple/0.9/",
            "http://purl.org/atom/ns#",
        ),
    }
)
_BLOCKS = frozenset(
    """
    p div br li ul ol tr td th table h1 h2 h3 h4 h5 h6 dt dd section blockquote hr title sec list list-item
    """.split()  # noqa: SIM905 - a table of tags is easier to read than a list of strings
)
_INLINE = "a abbr b bdi big cite code em font i img italic bold mark q s small span strong sub sup tt u"
_NAMES = "|".join(sorted({*_BLOCKS, *_INLINE.split()}, key=lambda name: -len(name)))
_TAG = re.compile(
    rf"</?(?:jats:)?(?P<name>{_NAMES})"
    r"""(?:\s+[\w:-]+\s*=\s*(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>=]+))*\s*/?>""",
    re.IGNORECASE,
)
_DECLARATION = re.compile(r"\A\ufeff?\s*<\?xml[^>]*\?>")
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")  # XML 1.0, 2.2
_AMPERSAND = re.compile(r"&(?:(?P<code>#\d{1,7}|#x[0-9a-fA-F]{1,6}|amp|lt|gt|quot|apos);|(?P<name>[A-Za-z]\w{1,30});)?")
_ROOT = re.compile(r"<(?:[\w.-]{1,40}:)?([\w.-]{1,60})(?=[\s/>])")
_CDATA = re.compile(r"(<!\[CDATA\[|\]\]>)")


def root(head: str) -> tuple[str, str]:
    """Return the local name of a document's first element in lower case, and the text of its tag; empty if none."""
    at = 1 if head.startswith("\ufeff") else 0
    for _ in range(MAX_PROLOG):
        while head[at : at + 1].isspace():
            at += 1
        ends = {"<?": "?>", "<!--": "-->", "<!": ">"}
        opening = next((opening for opening in ends if head.startswith(opening, at)), None)
        if opening is None:
            break
        end, subset = head.find(ends[opening], at), head.find("[", at)
        if opening == "<!" and 0 <= subset < end:  # a DOCTYPE with declarations of its own
            end = head.find(">", head.find("]", subset))
        if end < 0:
            return "", ""
        at = end + len(ends[opening])
    found, end = _ROOT.match(head, at), head.find(">", at)
    return (found[1].lower(), head[found.end() : end]) if found and end >= 0 else ("", "")


def elements(lines: Iterator[str], wanted: Collection[str], *, several: bool = False) -> Iterator[Element]:
    """Yield the elements with one of the local names `wanted`, not those within another such.

    With `several`, further documents may follow. Raises FileRefused for XML that is not well-formed, breaks off,
    declares entities or holds a record beyond all measure.
    """
    document = _Document(wanted)
    inside_cdata = False
    number = 0
    for number, line in enumerate(lines, 1):
        if several and document.ended and line.strip():
            document = _Document(wanted, number - 1)
        text, inside_cdata = _repaired(_DECLARATION.sub("", line) if document.fresh else line, inside_cdata)
        if not document.begun and "<!ENTITY" in text:
            raise FileRefused(f"line {number}: it declares entities, which digest files need not")
        yield from document.feed(text)
    yield from document.close(number)


def local(element: Element) -> str:
    """Return the name of an element without its namespace."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def children(element: Element, name: str) -> list[Element]:
    """Return the children of a name as a feed has them: `title`, or with a prefix of NAMESPACES `dc:creator`."""
    prefix, _, plain = name.rpartition(":")
    tags = {f"{{{space}}}{plain}" if space else plain for space in NAMESPACES[prefix]}
    return [child for child in element if child.tag in tags]


def text(element: Element, *names: str) -> str:
    """Return the text of the first child of one of the names that has one, blanks collapsed."""
    for name in names:
        for child in children(element, name):
            if said := inner(child):
                return said
    return ""


def inner(element: Element | None) -> str:
    """Return all text within an element, blanks collapsed; what stands in different blocks is kept apart."""
    if element is None:
        return ""
    parts: list[str] = []
    for event, node in etree.iterwalk(element, events=("start", "end")):
        block = local(node) in _BLOCKS
        if event == "start":
            parts += [" " if block else "", node.text or ""] if isinstance(node.tag, str) else []
        elif node is not element:
            parts += [" " if block else "", node.tail or ""]
    return " ".join("".join(parts).split())


def html_text(markup: str) -> str:
    """Return a text that may hold HTML as readers see it; what only looks like a tag (`a<b and c>d`) stays."""
    if "<" in markup:
        markup = _without_comments(markup) if "<!--" in markup else markup
        markup = _TAG.sub(lambda tag: " " if tag["name"].lower() in _BLOCKS else "", markup)
    return " ".join(html.unescape(markup).split())


def _without_comments(markup: str) -> str:
    kept: list[str] = []
    while (begin := markup.find("<!--")) >= 0 and (end := markup.find("-->", begin)) >= 0:
        kept.append(markup[:begin])
        markup = markup[end + 3 :]
    return " ".join([*kept, markup])


class _Document:
    """One XML document on its way through the parser."""

    def __init__(self, wanted: Collection[str], lines_before: int = 0) -> None:
        self._wanted = wanted
        self._parser = etree.XMLPullParser(
            events=("start", "end"),
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )
        self._before = lines_before
        self._depth = 0
        self._within = 0  # elements deep in a wanted one
        self._counted = 0
        self.fresh = True
        self.begun = False

    @property
    def ended(self) -> bool:
        return self.begun and self._depth == 0

    def feed(self, text: str) -> Iterator[Element]:
        self.fresh &= not text.strip()
        try:
            self._parser.feed(text.encode("utf-8", "replace"))
        except etree.XMLSyntaxError as error:
            raise self._refused(error) from None
        yield from self._events()

    def close(self, number: int) -> Iterator[Element]:
        try:
            self._parser.close()
        except etree.XMLSyntaxError as error:
            if not self.ended:
                raise half_written(number) from None
            raise self._refused(error) from None
        yield from self._events()

    def _events(self) -> Iterator[Element]:
        for event, element in self._parser.read_events():
            if event == "start":
                self.begun = True
                self._depth += 1
                if self._within or local(element) in self._wanted:
                    self._within += 1
                    self._counted += 1
                    if self._counted > MAX_ELEMENTS:
                        raise FileRefused(
                            f"line {self.line(element)}: a record has more than {MAX_ELEMENTS:,} elements"
                        )
                continue
            self._depth -= 1
            if self._within:
                self._within -= 1
                if self._within:
                    continue
                self._counted = 0
                element.set("digestd-line", str(self.line(element)))
                yield element
            element.clear()
            parent = element.getparent()
            while parent is not None and element.getprevious() is not None:
                del parent[0]

    def line(self, element: Element) -> int:
        return self._before + (element.sourceline or 0)

    def _refused(self, error: Any) -> FileRefused:
        line = self._before + (error.lineno or 0)
        return FileRefused(f"line {line} is not well-formed XML: {str(error.msg).partition(', line ')[0].lower()}")


def line_of(element: Element) -> int:
    """Return the line that an element of `elements` begins in."""
    return int(element.get("digestd-line", "0"))


def _repaired(line: str, inside_cdata: bool) -> tuple[str, bool]:
    line = _ILLEGAL.sub("", line)
    if not inside_cdata and "&" not in line and "<![CDATA[" not in line:
        return line, False
    parts = _CDATA.split(line)
    for index, part in enumerate(parts):
        if part == "<![CDATA[":
            inside_cdata = True
        elif part == "]]>":
            inside_cdata = False
        elif not inside_cdata and "&" in part:
            parts[index] = _AMPERSAND.sub(_ampersand, part)
    return "".join(parts), inside_cdata


def _ampersand(found: re.Match[str]) -> str:
    code, name = found["code"], found["name"]
    if code and code.startswith("#"):
        number = int(code[2:], 16) if code[1] == "x" else int(code[1:])
        return "" if number >= 0x110000 or _ILLEGAL.match(chr(number)) else found[0]
    if name and (known := html5.get(f"{name};")):
        return html.escape(known)
    return found[0] if code else "&amp;" + found[0][1:]
