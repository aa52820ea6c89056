"""An HTML part taken apart the way a mail program does it, and the shortest way to get one."""

from __future__ import annotations

from html.parser import HTMLParser

from support.editions import edition, entry, paper, snapshot

from digestd.model import Edition, Entry, Place, Snapshot
from digestd.publish.render import Rendered, render

VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """An HTML part as a mail program takes it apart."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.comments: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.links += [value or "" for name, value in attrs if name in {"href", "src", "action", "background"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in self.open:
            self.texts.setdefault(tag, []).append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def text(self, tag: str) -> str:
        return " ".join("".join(self.texts.get(tag, [])).split())


def shown(of: Edition | None = None, by: Snapshot | None = None) -> Rendered:
    return render(of or edition(), by or snapshot())


def many(number: int, place: Place = Place.CARD, **values: object) -> tuple[Entry, ...]:
    return tuple(entry(paper(n, **values), place=place) for n in range(1, number + 1))
