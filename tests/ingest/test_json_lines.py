"""Our own JSON lines: what is half a record and what a bad one, what makes a file one of ours, hostile values."""

from __future__ import annotations

import io
import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestd.errors import FileRefused
from digestd.ingest import reading
from digestd.ingest.formats import json_lines
from digestd.model import BadRecord, Paper

RECORDS = [
    {
        "id": "arXiv:2310.10637",
        "title": "H$_2$O: {Water}",
        "authors": ["Páez, J."],
        "abstract": 'Say "é\\n".',
        "votes": 3,
    },
    {"title": "Two", "categories": ["cs.CL"], "more": {"a": {"b": [1, None, True]}}, "version": 2},
    {"title": "Three}", "published": "2026-05-19", "url": "https://example.org/3"},
]
WHOLE = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in RECORDS)
LIMIT = 10**9
HALF = r"it breaks off in the middle of line \d; it looks half-written"


def parsed(text: str) -> list[Paper | BadRecord]:
    return list(json_lines.parse(iter(text.splitlines(keepends=True)), date(2026, 1, 1)))


def test_every_prefix_is_whole_papers_or_refused_as_half() -> None:
    papers = parsed(WHOLE)
    for length in range(len(WHOLE)):
        cut = WHOLE[:length]
        complete = cut.count("\n") + any(cut.endswith(json.dumps(one, ensure_ascii=False)) for one in RECORDS)
        if cut.endswith("\n") or complete > cut.count("\n") or not cut:
            assert parsed(cut) == papers[:complete]
        else:
            with pytest.raises(FileRefused, match=HALF):
                parsed(cut)


def test_prefix_within_a_character_is_refused_as_half() -> None:
    content = WHOLE.encode()
    cut = content[: content.index("á".encode()) + 1]
    with pytest.raises(FileRefused, match=HALF):
        list(reading.Text(io.BytesIO(cut), LIMIT).lines())


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "[1, 2",
        '"text',
        "{bad}",
        '{"title": "x",}',
        "[" * 100_000,
        "9" * 5_000,
        '{"a":' * 100_000 + "}",
        '{"version": ' + "9" * 5_000 + "}",
    ],
)
def test_last_line_that_no_continuation_could_mend_is_a_bad_record_and_the_others_kept(line: str) -> None:
    *papers, bad = parsed(WHOLE + line)
    assert papers == parsed(WHOLE)
    assert isinstance(bad, BadRecord)
    assert (bad.line, bad.excerpt) == (4, line[:200])


@pytest.mark.parametrize(
    "line", ['{"title": "x"', '{"title": "x}', '{"a": {"title": "x"}', '{"a": [{}', "{", '{"t": tr']
)
def test_last_line_that_lacks_its_end_is_half_a_file(line: str) -> None:
    with pytest.raises(FileRefused, match="middle of line 4"):
        parsed(WHOLE + line)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{bad", "not valid JSON: expecting property name enclosed in double quotes at column 2"),
        ("[" * 100_000, "not usable JSON: nested too deeply"),
        ('{"a":' * 100_000, "not usable JSON: nested too deeply"),
        ('{"title": "x", "version": ' + "9" * 5_000 + "}", "not usable JSON: a number with too many digits"),
        ("[1]", "expected an object, found list"),
        ("null", "expected an object, found NoneType"),
        ('{"title": "a\0b"}', "not valid JSON: invalid control character at column 13"),
        ("{}", "the title is missing"),
        ('{"title": null}', "the title is missing"),
        ('{"title": NaN}', "title must be text, not float"),
        ('{"title": "x", "id": 7}', "id must be text, not int"),
        ('{"title": "x", "authors": {"a": 1}}', "authors must be a list of texts"),
        ('{"title": "x", "authors": [null]}', "authors must be a list of texts"),
        ('{"title": "x", "version": true}', "version must be a whole number from 0"),
        ('{"title": "x", "version": 1.5}', "version must be a whole number from 0"),
        ('{"title": "x", "votes": -1}', "votes must be a whole number from 0"),
        ('{"title": "x", "votes": 2147483648}', "votes must be a whole number from 0"),
        ('{"title": "x", "published": "19 May"}', "published must be a date such as 2026-05-19, not '19 May'"),
    ],
)
def test_bad_record_says_what_is_wrong(line: str, reason: str) -> None:
    good, bad, other = parsed('{"title": "Good"}\n' + line + '\n{"title": "Other"}\n')
    assert isinstance(good, Paper)
    assert isinstance(other, Paper)
    assert isinstance(bad, BadRecord)
    assert (bad.line, bad.reason) == (2, reason)


def test_values_that_could_do_harm_are_clean() -> None:
    (paper,) = parsed(
        '{"title": "a\\ud800\\u0000\\u202eb", "authors": ["x\\r\\nBcc: y"], "id": "doi:10.1000/\\udfffx"}\n'
    )
    assert isinstance(paper, Paper)
    assert (paper.title, paper.authors) == ("a\ufffdb", ("x Bcc: y",))
    assert json_lines.dump(paper).encode()


def test_blank_lines_windows_ends_and_unknown_keys_are_passed_over() -> None:
    text = '\r\n{"title": "One", "new key": []}\r\n  \r\n{"title": "Two"}\r\n'
    assert [record.title for record in parsed(text) if isinstance(record, Paper)] == ["One", "Two"]


@pytest.mark.parametrize(
    ("head", "ours"),
    [
        ('{"title": "x"}\n', True),
        ('\n  \n{"title": "x"}\n', True),
        ('nonsense\n{"id": 1}\n{"title": "x"}\n', True),
        ("{bad\n" * 99 + '{"title": "x"}\n', True),
        ('{"id": "x", "title": "cut o', True),
        ('{"papers": []}\n', False),
        ('{"paper": "cut o', False),
        ('[{"title": "x"}]\n', False),
        ("", False),
        ("A title\n", False),
    ],
)
def test_recognise_goes_by_a_title_in_the_first_lines(head: str, ours: bool) -> None:
    assert json_lines.recognise(head) is ours


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["id", "title", "authors", "abstract", "url", "published", "categories", "source", "version", "votes"]
)


@given(st.dictionaries(KEYS, JSON), st.booleans())
def test_record_of_any_values_is_a_paper_that_round_trips_or_a_bad_record(
    record: dict[str, object], ended: bool
) -> None:
    (found,) = parsed(json.dumps(record) + "\n" * ended)
    if isinstance(found, Paper):
        assert parsed(json_lines.dump(found)) == [found]
    else:
        assert found.line == 1
        assert found.reason


def test_lines_of_a_disk_that_fails_are_refused_with_its_words() -> None:
    class Broken(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            if self.tell():
                raise OSError(5, "Input/output error")
            return super().readline(size)

    with pytest.raises(FileRefused, match="it cannot be read to its end: input/output error"):
        list(reading.Text(Broken(b"one\ntwo\n"), LIMIT).lines())


def test_head_of_a_long_file_ends_with_a_whole_line_or_character() -> None:
    assert reading.Text(io.BytesIO(b"ab\n" * 30_000), LIMIT).head == "ab\n" * (reading.HEAD // 3)
    assert reading.Text(io.BytesIO(b"x" + "é".encode() * 40_000), LIMIT).head == "x" + "é" * ((reading.HEAD - 1) // 2)


def test_fingerprint_is_of_the_content_and_rewinds() -> None:
    file = io.BufferedReader(io.BytesIO(b"abc"))  # type: ignore[arg-type]
    assert reading.fingerprint(file) == ("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", 3)
    assert file.read() == b"abc"
