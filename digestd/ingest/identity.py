"""Which work a record is about: canonical ids, title keys, and what a second record of a work adds.

An id is the best that is known: arXiv, DOI, PMID, else a digest of the title key. Pure; the store looks the
keys up and asks here what they mean.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import date
from functools import lru_cache

from digestd.match.text import clean, title_key
from digestd.model import BadRecord, Paper

MAX_TITLE = 1_000  # characters; the longest real titles have about 400
MAX_ABSTRACT = 100_000
MAX_AUTHORS = 10_000  # the largest collaborations have some 5,000
MAX_COMMENTS = 2_000
MAX_ID = 2_000  # characters of a text that may name a work: a long link
MAX_EXCERPT = 200  # characters of a bad record that are shown

_ARXIV = re.compile(
    r"(?:^|arxiv[.:]\s*|arxiv\.org:|arxiv\.org/(?:abs|pdf|html|format|src|e-print)/|huggingface\.co/papers/|^/papers/)"
    r"(?:(?P<new>\d{4}\.\d{4,5})|(?P<archive>[a-z-]+)(?:\.[a-z]{2})?/(?P<old>\d{7}))(?:v(?P<version>\d{1,4}))?"
    r"(?:\.pdf)?/?(?=$|[\s?#)\]},;]|\.(?:\s|$))",
    re.IGNORECASE | re.ASCII,
)
_PLAIN = re.compile(r"(?P<id>arXiv:\d{4}\.\d{4,5})(?:v(?P<version>\d{1,4}))?\Z", re.ASCII)
_DOI = re.compile(
    r"(?:^|doi:\s*|doi\.org/|/doi/(?:abs/|full/|pdf/|epdf/)?)(?P<id>10\.\d{4,9}/\S{0,299}[^\s.,;])[.,;]*$",
    re.IGNORECASE | re.ASCII,
)
_BIORXIV = re.compile(
    r"(?:bio|med)rxiv\.org/(?:cgi/)?content/(?:[\d/]*/|early/[\d/]*/)?(?P<id>10\.\d{4,9}/[^?#\s]{1,100}?)"
    r"(?:v(?P<version>\d{1,3}))?(?:\.[a-z][\w.-]{0,30})?(?:[?#]\S*)?$",
    re.IGNORECASE | re.ASCII,
)
_PMID = re.compile(
    r"^(?:pmid:?\s*|https?://(?:www\.)?pubmed\.ncbi\.nlm\.nih\.gov/)(?P<id>\d{1,9})/?$", re.IGNORECASE | re.ASCII
)
_TITLE = re.compile(r"^title:[0-9a-f]{16}$")
_SUFFIX = re.compile(r",?\s+(?:jr|sr|ii|iii|iv)\.?$", re.IGNORECASE)
_RANK = ("arXiv", "doi", "pmid", "title")
# Prefixes under which preprint servers register: a work has one DOI there and another with its journal.
_PREPRINT = re.compile(
    r"doi:10\.(?:1101|64898|48550|2139|20944|21203|31234|31219|31235|26434|36227|22541|14293|32942|12688|51094)/"
)


class NotAPaper(ValueError):
    """A record that cannot become a paper; the text says why."""


def canonical_id(text: str) -> tuple[str, int | None] | None:
    """Return the canonical id that a text names, and its version if it tells one; None when it is no id.

    Reads ids as they stand, with their prefix (`arXiv:`, `oai:arXiv.org:`, `doi:`, `pmid:`), and as links. The
    subject class of an old arXiv id is no part of its name: `math.GT/0309136` is `math/0309136`.
    """
    if found := _PLAIN.match(text):  # as most stand
        return found["id"], int(found["version"]) if found["version"] else None
    text = clean(text[:MAX_ID])
    if found := _ARXIV.search(text):
        work = found["new"] or f"{found['archive'].lower()}/{found['old']}"
        return f"arXiv:{work}", int(found["version"]) if found["version"] else None
    if found := _BIORXIV.search(text):
        return f"doi:{found['id'].lower()}", int(found["version"]) if found["version"] else None
    if found := _DOI.search(text):
        return f"doi:{found['id'].lower()}", None
    if found := _PMID.search(text):
        return f"pmid:{int(found['id'])}", None
    return (text, None) if _TITLE.match(text) else None


def page_of(ids: Iterable[str], link: str | None) -> str | None:
    """Return the link under which a record's work is to be read: None, for its id leads there, or else `link`."""
    return None if any(map(canonical_id, ids)) else _link(link)


def bad_record(line: int, reason: str, text: str) -> BadRecord:
    """Return the bad record that stands at `line`, with the beginning of its text as it may be shown."""
    return BadRecord(line, reason, clean(text[:MAX_EXCERPT]))


def link_of(paper_id: str) -> str | None:
    """Return the address where the work of an id is read, None for one known by title only."""
    scheme, _, rest = paper_id.partition(":")
    roots = {"arXiv": "https://arxiv.org/abs/", "doi": "https://doi.org/", "pmid": "https://pubmed.ncbi.nlm.nih.gov/"}
    return roots[scheme] + rest if scheme in roots else None


def make_paper(
    *,
    title: str,
    ids: Iterable[str] = (),
    authors: Iterable[str] = (),
    abstract: str | None = None,
    url: str | None = None,
    published: date | None = None,
    categories: Iterable[str] = (),
    source: str = "",
    version: int | None = None,
    votes: int | None = None,
    comments: str | None = None,
    pdf: str | None = None,
    code: str | None = None,
    project: str | None = None,
) -> Paper:
    """Return the paper that a record tells of, cleaned and with its canonical id.

    `ids` are texts that may name the work, best guess first. Raises NotAPaper for a record without a usable
    title, or with a field beyond its limit.
    """
    title = clean(title)
    key = _key(title)
    if not key:
        raise NotAPaper("the title is missing" if not title else "the title has no letter or digit")
    names = tuple(filter(None, map(clean, authors)))
    abstract = clean(abstract) if abstract else None
    for what, size, limit in (
        ("title", len(title), MAX_TITLE),
        ("abstract", len(abstract or ""), MAX_ABSTRACT),
        ("list of authors", len(names), MAX_AUTHORS),
    ):
        if size > limit:
            raise NotAPaper(f"the {what} is too long: {size:,}, at most {limit:,} are taken")
    known = [found for text in ids if (found := canonical_id(text))]
    if len(known) > 1:
        known.sort(key=lambda found: rank(found[0]))
    paper_id, told = known[0] if known else (_title_id(key, names), None)
    return Paper(
        id=paper_id,
        title=title,
        authors=names,
        abstract=abstract or None,
        url=clean(url) if url else link_of(paper_id),
        published=published,
        categories=tuple(filter(None, map(clean, categories))),
        source=clean(source),
        version=version if version is not None else told,
        votes=votes,
        comments=clean(comments[:MAX_COMMENTS]) or None if comments else None,
        pdf=_link(pdf),
        code=_link(code),
        project=_link(project),
        other_ids=_others(paper_id, (found for found, _ in known)) if len(known) > 1 else (),
    )


def rank(paper_id: str) -> int:
    """Return how good an id is: 0 is best."""
    return _RANK.index(paper_id.partition(":")[0])


def keys(paper: Paper) -> tuple[str, ...]:
    """Return the keys to look a paper up by and to remember it by, best first."""
    key = _key(paper.title)
    found = [paper.id, *paper.other_ids]
    if paper.authors:
        found.append(_title_id(key, paper.authors))
    found.append(_title_id(key, ()))
    return tuple(dict.fromkeys(found))


@lru_cache(maxsize=64)  # a record's title is asked for when it is made, and again for its keys
def _key(title: str) -> str:
    return title_key(title)


def same_work(known: Paper, known_keys: Iterable[str], new: Paper) -> bool:
    """Return whether two papers that share a title are one work.

    They are not when they carry different ids of one kind, or first authors of different surnames. The DOI of a
    preprint and that of a journal are of two kinds.
    """
    theirs_by_kind: dict[str, set[str]] = {}
    for key in known_keys:
        theirs_by_kind.setdefault(_kind(key), set()).add(key)
    for key in (new.id, *new.other_ids):
        rivals = theirs_by_kind.get(_kind(key), set())
        if _kind(key) != "title" and rivals and key not in rivals:
            return False
    mine, theirs = _surname(known.authors), _surname(new.authors)
    return not mine or not theirs or mine == theirs


def may_be_one(keys: Iterable[str]) -> bool:
    """Return whether a work may have all these keys: no two different ids of one kind."""
    ids = {key for key in keys if not key.startswith("title:")}
    return len(ids) == len({_kind(key) for key in ids})


def merge(known: Paper, new: Paper) -> Paper:
    """Return what is known of a work after a further record of it.

    What the new record does not say stays as it was, and an older version adds nothing but an id.
    """
    best = min(known.id, new.id, key=rank)
    others = _others(best, (known.id, new.id, *known.other_ids, *new.other_ids))
    if known.version is not None and new.version is not None and new.version < known.version:
        return replace(known, id=best, other_ids=others)
    said = {field.name: getattr(new, field.name) for field in fields(Paper)}
    told = {name: value for name, value in said.items() if value not in (None, "", ())}
    first = min(filter(None, (known.published, new.published)), default=None)  # a revision does not make it newer
    told |= {"id": best, "other_ids": others, "source": known.source or new.source, "published": first}
    merged = replace(known, **told)
    if new.url is None or new.id != best:
        merged = replace(merged, url=link_of(best) or known.url or new.url)
    return merged


def is_revision(known: Paper, merged: Paper) -> bool:
    """Return whether a work's title, abstract or version changed (not only that more is known of it)."""
    before = (known.title, known.abstract, known.version)
    after = (merged.title, merged.abstract, merged.version)
    return any(old is not None and old != new for old, new in zip(before, after, strict=True))


def _kind(key: str) -> str:
    """Return what a key is: of each kind a work has one, but for its titles."""
    return "preprint" if _PREPRINT.match(key) else key.partition(":")[0]


def _others(best: str, found: Iterable[str]) -> tuple[str, ...]:
    """Return further ids beside the best one, each once. A title's digest is no id that tells anything more."""
    return tuple(dict.fromkeys(one for one in found if one != best and not one.startswith("title:")))


def _link(text: str | None) -> str | None:
    if not text:
        return None
    link = clean(text)
    return link if link.startswith(("https://", "http://")) and len(link) <= MAX_ID and " " not in link else None


def _title_id(key: str, authors: tuple[str, ...]) -> str:
    surname = _surname(authors)
    return "title:" + hashlib.sha256(f"{key}|{surname}".encode()).hexdigest()[:16]


def _surname(authors: tuple[str, ...]) -> str:
    """Return the first author's surname as a key: `Doe, Jane` and `Jane Doe` are both `doe`."""
    if not authors:
        return ""
    first = authors[0]
    first = _SUFFIX.sub("", first)
    name = first.partition(",")[0] if "," in first else (first.split() or [""])[-1]
    return title_key(name)
