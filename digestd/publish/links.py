"""Which links an edition may carry: the only place that lets an address out.

A link is http or https to a plain host, or it is not emitted at all; what papers and feeds say is foreign
text. Pure: nothing is fetched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from urllib.parse import quote, quote_plus, urlsplit

from digestd.model import Paper

# Browsers and relays alike carry 2,000 characters; a longer address is an attack or an accident.
_LONGEST_URL = 2_000
_LONGEST_SEARCH = 150  # the first words find it, and the address fits on a screen of text

# Quotes, angle brackets, backslashes and blanks end an address in prose and have no place inside one (RFC 3986).
# ASCII alone: a CJK sentence goes on directly behind a link.
_URL_IN_TEXT = re.compile(r"https?://[!#-;=?-\[\]_a-z~]+", re.IGNORECASE)
_FORBIDDEN_IN_URL = re.compile(r"[\s\"<>\\^`{|}]")
_NO_WORD = re.compile(r"[^\w]+")
_PAIRS: Final = MappingProxyType({")": "(", "]": "["})

_HOST_NAMES: Final = MappingProxyType(
    {
        "arxiv.org": "arXiv",
        "biorxiv.org": "bioRxiv",
        "medrxiv.org": "medRxiv",
        "doi.org": "DOI",
        "huggingface.co": "Hugging Face",
        "openreview.net": "OpenReview",
        "pubmed.ncbi.nlm.nih.gov": "PubMed",
        "semanticscholar.org": "Semantic Scholar",
    }
)
_CODE_HOSTS: Final = frozenset({"github.com", "gitlab.com", "bitbucket.org", "codeberg.org", "gitee.com"})
_RESOLVERS: Final = MappingProxyType(
    {
        "arXiv": "https://arxiv.org/abs/",
        "doi": "https://doi.org/",
        "pmid": "https://pubmed.ncbi.nlm.nih.gov/",
    }
)


@dataclass(frozen=True, slots=True)
class Link:
    """A link that may be shown: what it leads to in a word or two, the address, and the address for the eye."""

    label: str
    url: str
    short: str


def safe_url(url: str) -> str | None:
    """Return `url` if it may be linked, else None.

    Taken: http and https with a host. Refused: every other scheme, scheme-relative `//host`, blanks and
    controls anywhere (browsers drop them: ` java\\tscript:`), user names (`https://bank@evil` shows one host and
    opens another), and what is too long to be honest.
    """
    url = url.strip(" ")
    if len(url) > _LONGEST_URL or not url.isprintable() or _FORBIDDEN_IN_URL.search(url):
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port  # a ValueError if it is no number
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not host or "@" in parts.netloc:
        return None
    return url


def links_in(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return (start, end, url) of every safe link in a running text, without the punctuation that follows it."""
    found = []
    for hit in _URL_IN_TEXT.finditer(text):
        raw = _without_trailing_punctuation(hit[0])
        if url := safe_url(raw):
            found.append((hit.start(), hit.start() + len(raw), url))
    return tuple(found)


def paper_url(paper: Paper) -> str | None:
    """Return the paper's own page: what the record says, else what its canonical id resolves to."""
    if paper.url and (url := safe_url(paper.url)):
        return url
    scheme, _, number = paper.id.partition(":")
    resolver = _RESOLVERS.get(scheme)
    return safe_url(resolver + quote(number, safe="/.()-_;")) if resolver and number else None


def search_url(title: str) -> str:
    """Return a search for the words of the title, for a paper that came without any address."""
    words = _NO_WORD.sub(" ", title[: 2 * _LONGEST_SEARCH]).split()
    query = " ".join(words)
    if len(query) > _LONGEST_SEARCH:
        query = query[:_LONGEST_SEARCH].rpartition(" ")[0] or query[:_LONGEST_SEARCH]
    return "https://www.semanticscholar.org/search?q=" + quote_plus(query, safe="")


def paper_links(paper: Paper, title: str, abstract: str) -> tuple[Link, ...]:
    """Return the links of a paper, best first and each once: its own page or a search, PDF,
    code and project page, then those in the abstract.

    `title` and `abstract` are the texts as shown.
    """
    own = paper_url(paper)
    links = [_link("Paper", own) if own else Link("Find", search_url(title), "Semantic Scholar, by title")]
    seen = {own}
    told = (("PDF", paper.pdf), ("Code", paper.code), ("Project", paper.project))
    named = [(label, safe_url(url)) for label, url in told if url]
    found = [("Code" if _host(url) in _CODE_HOSTS else "Link", url) for _, _, url in links_in(abstract)]
    for label, address in (*named, *found):
        if address and address not in seen:
            seen.add(address)
            links.append(_link(label, address))
    return tuple(links)


def _link(label: str, url: str) -> Link:
    named = _HOST_NAMES.get(_host(url))
    short = named if named and label == "Paper" else re.sub(r"^https?://(www\.)?", "", url).rstrip("/")
    return Link(label, url, short if len(short) <= 48 else short[:47] + "…")


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").removeprefix("www.")


def _without_trailing_punctuation(url: str) -> str:
    # A closing bracket belongs to the address only when its opening one does: …/wiki/Agent_(software)
    while url and (url[-1] in ".,;:!?'*" or (url[-1] in _PAIRS and url.count(_PAIRS[url[-1]]) < url.count(url[-1]))):
        url = url[:-1]
    return url
