"""PubMed's XML, as its E-utilities and its yearly files have it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date

from digestd.ingest.dates import day
from digestd.ingest.identity import NotAPaper, bad_record, make_paper
from digestd.ingest.markup import Element, elements, inner, line_of, root
from digestd.model import BadRecord, Paper

NAME = "pubmed-xml"
NO_TITLE = "Not Available"  # what PubMed writes in brackets where a title was not translated
ARTICLES = frozenset({"PubmedArticle", "PubmedBookArticle"})

_XML = re.compile(r"^[ \t]*(?=<(?:\?xml|!DOCTYPE|Pubmed\w+)\b)", re.MULTILINE)


def recognise(head: str) -> bool:
    """Return whether the root of PubMed's XML stands near the beginning."""
    return any(root(head[found.end() :])[0].startswith("pubmed") for found in _XML.finditer(head))


def parse(lines: Iterator[str], modified: date) -> Iterator[Paper | BadRecord]:
    """Yield a paper for each article."""
    for element in elements(lines, ARTICLES, several=True):
        try:
            yield _paper(element)
        except NotAPaper as error:
            yield bad_record(line_of(element), str(error), inner(element))


def _paper(article: Element) -> Paper:
    pmid = _first(article, "MedlineCitation/PMID", "BookDocument/PMID")
    dois = [inner(found) for found in article.iterfind("PubmedData/ArticleIdList/ArticleId[@IdType='doi']")]
    dois += [inner(found) for found in article.iterfind(".//ELocationID[@EIdType='doi']")]
    dois += [inner(found) for found in article.iterfind("BookDocument/ArticleIdList/ArticleId[@IdType='doi']")]
    body = next(iter([*article.iterfind("MedlineCitation/Article"), *article.iterfind("BookDocument")]), article)
    dates = ("ArticleDate", "Journal/JournalIssue/PubDate", "ContributionDate", "Book/PubDate")
    return make_paper(
        title=_title(body),
        ids=[f"pmid:{pmid}", *dois[:1]],
        authors=[name for author in _authors(body) if (name := _name(author))],
        abstract=" ".join(_labelled(body.iterfind("Abstract/AbstractText")))
        or " ".join(_labelled(article.iterfind("MedlineCitation/OtherAbstract/AbstractText"))),
        url=f"https://pubmed.ncbi.nlm.nih.gov/{pmid}/" if pmid else None,
        published=next((told for path in dates for found in body.iterfind(path) if (told := _day(found))), None),
        categories=dict.fromkeys(
            inner(found) for found in article.iterfind("MedlineCitation/MeshHeadingList/MeshHeading/DescriptorName")
        ),
        source="pubmed",
    )


def _first(element: Element, *paths: str) -> str:
    return next((said for path in paths for found in element.iterfind(path) if (said := inner(found))), "")


def _title(body: Element) -> str:
    """Return the title; where there is none in English, the one in the article's own language."""
    titles = (_first(body, name) for name in ("ArticleTitle", "VernacularTitle", "Book/BookTitle"))
    return next((title for title in titles if title and title.strip("[]. ") != NO_TITLE), "")


def _authors(body: Element) -> list[Element]:
    """Return the authors: of a chapter its own, of a book those of the book; no editors, and no misspelled names."""
    for path in ("AuthorList", "Book/AuthorList"):
        lists = [one for one in body.iterfind(path) if one.get("Type") != "editors"]
        if found := [one for each in lists for one in each.iterfind("Author") if one.get("ValidYN") != "N"]:
            return found
    return []


def _name(author: Element) -> str:
    last, fore = _first(author, "LastName"), _first(author, "ForeName", "Initials")
    return ", ".join(filter(None, (last, fore, _first(author, "Suffix")))) or _first(author, "CollectiveName")


def _labelled(parts: Iterable[Element]) -> Iterator[str]:
    for part in parts:
        label, said = part.get("Label", "").strip(), inner(part)
        if said:
            yield f"{label}: {said}" if label and label != "UNLABELLED" else said


def _day(found: Element) -> date | None:
    parts = [_first(found, name) for name in ("Year", "Month", "Day")]
    return day(" ".join(filter(None, parts)) or _first(found, "MedlineDate")) if parts[0] or not any(parts) else None
