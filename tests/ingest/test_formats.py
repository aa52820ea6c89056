"""Every format: golden files, detection by content, gzip and charsets, and what is refused."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from datetime import date
from importlib.metadata import EntryPoint
from itertools import product
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.format_cases import EXPECTED, FOLDER, MODIFIED, cases, read

from digestd.errors import ConfigError, FileRefused
from digestd.ingest import formats
from digestd.ingest.identity import make_paper
from digestd.model import BadRecord, Paper

FIRST = {case.partition("/")[0]: case for case in reversed(cases())}
# A message holds any of the others, and mails may stand between other text: both are one file all the same.
MIXABLE = {("arxiv-mail", "mail")}


def content(case: str) -> bytes:
    return (FOLDER / case).read_bytes()


@pytest.mark.parametrize("case", cases())
def test_golden_file_becomes_what_stands_beside_it(case: str) -> None:
    expected = (FOLDER / f"{case}{EXPECTED}").read_text("utf-8")
    assert read(content(case)) == expected
    assert read(gzip.compress(content(case))) == expected
    assert case.partition("/")[0] == formats.named(case.partition("/")[0]).NAME
    assert read(content(case), case.partition("/")[0]) == expected


def test_golden_files_are_of_every_format() -> None:
    assert set(FIRST) == {one.NAME for one in formats.known()}


@pytest.mark.parametrize("case", cases())
def test_detection_finds_the_format_of_each_golden_file(case: str) -> None:
    text = content(case).decode("latin-1").removeprefix("\xef\xbb\xbf")
    assert case.partition("/")[0] == formats.detect(text[:65_536]).NAME


@pytest.mark.parametrize(("one", "other"), [pair for pair in product(FIRST, FIRST) if pair[0] != pair[1]])
def test_head_of_one_format_and_body_of_another_is_refused(one: str, other: str) -> None:
    lines = content(FIRST[one]).splitlines(keepends=True)
    for kept in (max(1, len(lines) // 2), len(lines)):
        if (one, other) not in MIXABLE:
            assert read(b"".join(lines[:kept]) + content(FIRST[other])).startswith("refused")


@pytest.mark.parametrize("case", ["arxiv-mail/daily.txt", "bibtex/library.bib", "feed/blog.atom", "ris/export.ris"])
@pytest.mark.parametrize("charset", ["utf-16", "utf-32", "utf-8-sig"])
def test_file_in_another_unicode_form_is_the_same(case: str, charset: str) -> None:
    text = content(case).decode("utf-8-sig")
    assert read(text.encode(charset)) == (FOLDER / f"{case}{EXPECTED}").read_text("utf-8")


@pytest.mark.parametrize("ends", ["\r\n", "\r"])
@pytest.mark.parametrize("case", ["arxiv-mail/daily.txt", "bibtex/library.bib", "pubmed/export.nbib"])
def test_lines_that_end_as_on_other_systems_are_the_same(case: str, ends: str) -> None:
    text = content(case).decode().replace("\r\n", "\n").replace("\n", ends)
    assert read(text.encode()) == (FOLDER / f"{case}{EXPECTED}").read_text("utf-8")


CUT_ANYWHERE = [case for case in cases() if not case.startswith(("huggingface/", "markdown/", "jsonl/", "html/"))]


@pytest.mark.parametrize("case", CUT_ANYWHERE)
def test_file_that_breaks_off_invents_no_paper(case: str) -> None:
    """Wherever it is cut, it is refused, or every paper of it is one of the whole file's."""
    whole = content(case)
    titles = {json.loads(line).get("title") for line in read(whole).splitlines()}
    for cut in range(len(whole) * 9 // 10, len(whole), 7):
        told = read(whole[:cut])
        if not told.startswith("refused"):
            assert {json.loads(line).get("title") for line in told.splitlines()} <= titles


@pytest.mark.parametrize("case", cases())
def test_gzip_that_breaks_off_is_refused(case: str) -> None:
    assert read(gzip.compress(content(case))[:-9]).startswith("refused: its gzip data breaks off")


def test_gzip_bomb_and_gzip_within_gzip_are_refused() -> None:
    bomb = gzip.compress(b'{"title": "One"}\n' + b"\n" * 300_000 + b'{"title": "Two"}\n')
    assert len(bomb) < 2_000
    assert read(bomb, limit=150_000) == "refused: it inflates to more than 150,000 bytes\n"
    assert read(bomb).count("\n") == 2
    assert read(gzip.compress(gzip.compress(b"x"))) == "refused: it is gzip within gzip; one is enough\n"


ENTITIES = "".join(f'<!ENTITY x{n} "{f"&x{n - 1};" * 10 if n else "ha"}">' for n in range(9))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"<?xml version='1.0'?><!DOCTYPE rss [{ENTITIES}]><rss><item><title>&x8;</title></item></rss>", "entities"),
        ('<!DOCTYPE feed [<!ENTITY x SYSTEM "file:///etc/passwd">]><feed><entry><title>&x;</title></entry></feed>', ""),
        ("<rss>" + "<a>" * 300 + "</a>" * 300 + "</rss>", "excessive depth"),
        ("<rss><item>" + "<a/>" * 100_001 + "</item></rss>", "more than 100,000 elements"),
        ("<rss><channel><item><title>One</title></item>", "breaks off"),
        ("<rss><item></channel></rss>", "line 1 is not well-formed XML"),
        ('<?xml version="1.0" encoding="martian"?><rss/>', "a charset that is not known: martian"),
        ('{"paperId": "a", "title": ' + "[" * 3_000 + "]" * 3_000 + "}", "nested too deeply"),
        ('{"paperId": "a", "title": "' + "x" * 5_000_000 + '"}', "longer than 4,000,000 characters"),
        ('{"paperId": "a", "title": "' + "x" * 5_000_000, "longer than 4,000,000 characters"),
        ('{"paperId": "a", "title": "x" "y"}', "line 1 is not valid JSON: ',' was expected at column 31"),
        ('[{"paperId": "a", "title": "x"},', "breaks off in the middle of line 1"),
        ("<html><p>No paper</html>", "the page tells of no paper"),
        ("From: a@b\nTo: c@d\n\nHello", "no part of the message holds a digest file"),
        ("TY  - JOUR\nTI  - One\n", "the reference at line 1 has no end"),
        ("@article{a,\n title={One}", "breaks off in the middle of line 2"),
        ("PMID- 1\nTI  - A title that breaks", "breaks off in the middle of line 2"),
        ("\\\\\narXiv:2401.00001\nTitle: One\n", "breaks off"),
        (
            "<feed xmlns='http://www.w3.org/2005/Atom'><id>http://arxiv.org/api/x</id><entry>"
            "<id>http://arxiv.org/api/errors#x</id><title>Error</title><summary>bad query</summary></entry></feed>",
            "arXiv answered with an error: bad query",
        ),
        (
            "<rss><channel><title>Feed error for query: cs.XX</title><link>http://rss.arxiv.org/rss/cs.XX</link>"
            "<item><title>x</title></item></channel></rss>",
            "arXiv answered with an error: Feed error for query: cs.XX",
        ),
    ],
)
def test_hostile_or_broken_file_is_refused_with_its_reason(text: str, reason: str) -> None:
    told = read(text.encode())
    assert told.startswith("refused: ")
    assert reason in told


def test_text_that_was_encoded_twice_is_put_right_and_said() -> None:
    line = json.dumps({"title": "José’s Café", "authors": ["Raúl Úñal"]}, ensure_ascii=False)
    twice = line.encode().decode("cp1252").encode() + b"\n"
    told = read(twice).splitlines()
    assert json.loads(told[0])["title"] == "José’s Café"
    assert json.loads(told[1]) == {"repair": "line 1 was encoded twice; such lines are read as they were meant"}
    assert "repair" not in read('{"title": "Ã is a letter, é too"}\n'.encode())


def test_file_of_another_charset_is_read_and_said() -> None:
    told = read("TY  - JOUR\nTI  - Ã\x96 é “q”\nER  -\n".encode("cp1252", "ignore"))
    assert "repair" in told
    declared = '<?xml version="1.0" encoding="koi8-r"?><rss><item><title>Гнездо</title></item></rss>'
    assert "Гнездо" in read(declared.encode("koi8-r"))


class Nest:
    """A format of another package."""

    NAME = "nest"

    @staticmethod
    def recognise(head: str) -> bool:
        return head.startswith("nest:")

    @staticmethod
    def parse(lines: Iterator[str], modified: date) -> Iterator[Paper | BadRecord]:
        for line in lines:
            yield make_paper(title=line.removeprefix("nest:"), published=modified)


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    points: list[object] = []
    monkeypatch.setattr(formats, "entry_points", lambda group: points if group == "digestd.formats" else [])
    formats._plugged.cache_clear()
    yield points
    formats._plugged.cache_clear()


def test_plug_in_is_a_format_like_the_others(plugged: list[object]) -> None:
    plugged.append(SimpleNamespace(name="nest", value="nests", load=lambda: Nest))
    assert '"title": "A Paper"' in read(b"nest:A Paper\n")
    assert formats.named("nest") is Nest
    assert MODIFIED.isoformat() in read(b"nest:A Paper\n", "nest")


def test_page_with_a_card_in_a_card_or_two_papers_in_one_tells_each_once_and_mixes_no_abstracts() -> None:
    def link(number: int) -> str:
        return f'<h3><a href="/papers/2401.0000{number}">Paper {number}</a></h3>'

    page = f"""<html><article>{link(1)}{link(2)}<p>Whose?</p></article>
        <article><div><article>{link(3)}<p>About three.</p></article></div></article></html>"""
    told = [json.loads(line) for line in read(page.encode()).splitlines()]
    assert [(one["title"], one["abstract"]) for one in told] == [
        ("Paper 1", None), ("Paper 2", None), ("Paper 3", "About three."),
    ]  # fmt: skip


@pytest.mark.parametrize("broken", [EntryPoint("nest", "no_such_module_at_all", "digestd.formats"), None])
def test_plug_in_that_cannot_be_used_is_named(plugged: list[object], broken: object) -> None:
    plugged.append(broken or SimpleNamespace(name="nest", value="nests", load=lambda: SimpleNamespace(NAME=1)))
    with pytest.raises(ConfigError, match="the format 'nest' of .* cannot be used"):
        formats.detect("nest:A Paper")


def test_named_format_that_is_none_lists_those_there_are() -> None:
    with pytest.raises(FileRefused, match="'nothing' is no format; there are jsonl, huggingface, .*, mail"):
        formats.named("nothing")


@pytest.mark.parametrize(
    "text",
    [
        "<" + "0" * 30_000,
        "\n" * 15_000 + "x",
        "<!--" * 30_000 + "-->",
        "[" * 60_000,
        "- " + " " * 60_000 + "x",
        "|" * 60_000,
        "@comment{" + "\t" * 60_000 + "x",
        "@misc" + "(" * 60_000 + "\nx" * 30_000,
        "@misc{a, title={A}, author={" + "\t" * 60_000 + "x}}",
        "<rss><item><title>A</title><author>" + "{" * 60_000 + "</author></item></rss>",
        "Daily Papers\n\n" + "a b c\n" * 20_000,
        "<!DOCTYPE x [\n" * 4_000,
        "From a" + ">" * 60_000 + "\nFrom: a@b\nTo: c@d\n\nx",
        "<html>" + "<article><h3><a href=/papers/2401.00001>A</a></h3>" * 4_000 + "</html>",
        "<html><article>" + "<h3><a href=/papers/2401.00001>A</a></h3><div></div>" * 4_000 + "</article></html>",
        "<html><article><h3><a href=/papers/2401.00001>A</a></h3>" + "<button><p>b" * 20_000 + "</html>",
        "<html>" + "<dl><dt><a href=/abs/2401.00001>A</a></dt><dd>" * 5_000 + "</html>",
    ],
    ids=lambda text: text[:24] + text[-9:],
)
def test_hostile_shapes_cost_linear_time(text: str) -> None:
    def cost() -> float:
        begun = time.process_time()
        for name in (None, *FIRST):
            read(text.encode(), name)
        return time.process_time() - begun

    # Eighteen readings, of which a quadratic one alone takes longer. A shared machine may count tenfold for a while.
    assert any(cost() < 20 for _ in range(3))


PIECES = [line for case in cases() for line in content(case).splitlines(keepends=True)]


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=40), max_size=12), st.sampled_from([None, *FIRST]))
def test_any_mixture_of_lines_is_papers_bad_records_or_refused(lines: list[bytes], name: str | None) -> None:
    assert isinstance(read(b"".join(lines), name), str)
