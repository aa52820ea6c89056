"""What a query finds in a paper, and which places it gives; docs/queries.md holds the plain examples."""

from __future__ import annotations

import pytest

from digestd.match.document import analyse
from digestd.match.query import parse_query
from digestd.match.text import plain
from digestd.model import Field, Paper, Span

PAPER = Paper(
    id="arXiv:2402.00001",
    title=r"\framework: Fine-Tuning GPT-4 with C++ for Language Agents",
    authors=("Ada Lovelace", r"P\'aez, Jos\'e"),
    abstract="I study agents. An agent's tools (LLMs) are finetuned in finite time; GPT4 is one of them. RAG, not rag.",
    categories=("cs.CL", "Cell Biology", "q-bio.QM"),
    source="arXiv",
)


def _found(text: str, paper: Paper = PAPER) -> list[str] | None:
    """Return what the spans of a query cover, or None."""
    document = analyse(paper)
    spans = parse_query(text).spans(document)
    assert parse_query(text).hits(document) is (spans is not None)
    if spans is None:
        return None
    assert list(spans) == sorted(set(spans))
    in_reading_order = sorted(spans, key=lambda span: (tuple(Field).index(span.field), span))
    return [document.texts[span.field][span.start : span.end] for span in in_reading_order]


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("agent", ["Agents", "agents", "agent"]),
        ("title:agent", ["Agents"]),
        ("abstract:(agent llm)", ["agents", "agent", "LLMs"]),
        ("finetuning", ["Fine-Tuning", "finetuned"]),
        ("fine-tuning", ["Fine-Tuning", "finetuned"]),
        ("fine tuning", ["Fine", "Tuning"]),
        ("abstract:(fine tuning)", ["finetuned"]),
        ("gpt4", ["GPT-4", "GPT4"]),
        ("framework", ["framework"]),
        ('"fine tuning GPT4"', ["Fine-Tuning GPT-4"]),
        ('"finetuning gpt"', ["Fine-Tuning GPT"]),
        ("c++", ["C++"]),
        ("c", ["C++"]),
        ("c#", None),
        ("infinite", None),
        ("fin*", ["Fine", "finetuned", "finite"]),
        ("finet*", ["Fine-Tuning", "finetuned"]),
        ("GPT-4*", ["GPT-4", "GPT4"]),
        ("=RAG", ["RAG"]),
        ("=Rag", None),
        ("=GPT", ["GPT"]),
        ('="GPT-4"', ["GPT-4"]),
        ("=GPT4", ["GPT4"]),
        ("=C", None),
        ('="agents."', ["agents"]),
        ('="(LLMs)"', ["LLMs"]),
        ('="LLM"', None),
        ("agents OR nothing", ["Agents", "agents", "agent"]),
        ("agents -nothing", ["Agents", "agents", "agent"]),
        ("agents -rag", None),
        ("nothing OR rag lovelace", ["RAG", "rag", "Lovelace"]),
        ("-(-rag OR nothing)", ["RAG", "rag"]),
        ("rag -(agent nothing)", ["RAG", "rag"]),
        ("agent NEAR/1 language", ["Language", "Agents"]),
        ("tools NEAR/1 llm", ["tools", "LLMs"]),
        ("agent NEAR/2 tools", ["agent", "tools"]),
        ("agent NEAR/1 agent", None),
        ("agent NEAR/2 agent", ["agents", "agent"]),
        ("(rag OR nothing) NEAR/2 rag", ["RAG", "rag"]),
        ("fine NEAR/5 finetuning", None),
        ("title:fine NEAR/5 abstract:agent", None),
        ('"tools agent llm"~3', ["agent", "tools", "LLMs"]),
        ('"tools agent llm"~2', None),
        ('"agents agent"~2', ["agents", "agent"]),
        ('"agents agent agent"~9', None),
        ("lovelace", ["Lovelace"]),
        ("author:paez", ["Páez"]),
        ('author:"lovelace paez"', None),
        ("title:lovelace", None),
        ("cs.cl", ["cs.CL"]),
        ("category:cs", ["cs.CL"]),
        ("category:cl", None),
        ("category:q-b*", ["q-bio.QM"]),
        ("category:q-bio", ["q-bio.QM"]),
        ("category:=cs.CL", ["cs.CL"]),
        ("category:=cs.cl", None),
        ("category:biology", ["Biology"]),
        ("source:arxiv", ["arXiv"]),
        ("arxiv", None),
    ],
)
def test_query_on_a_paper_gives_the_places_that_make_it_hit(query: str, places: list[str] | None) -> None:
    assert _found(query) == places


def test_query_spans_index_the_plain_text_of_their_field() -> None:
    spans = parse_query("agent GPT-4 paez").spans(analyse(PAPER))
    assert spans == (
        Span(Field.ABSTRACT, 8, 14),
        Span(Field.ABSTRACT, 19, 24),
        Span(Field.ABSTRACT, 70, 74),
        Span(Field.AUTHOR, 14, 18),
        Span(Field.TITLE, 23, 28),
        Span(Field.TITLE, 51, 57),
    )
    assert plain(PAPER.title)[23:28] == "GPT-4"
    assert plain(PAPER.title)[51:57] == "Agents"
    assert plain(PAPER.abstract or "")[70:74] == "GPT4"


@pytest.mark.parametrize(
    ("query", "text", "hits"),
    [
        ("=RAG", "RAG2", False),
        ("=RAG", "GPT4RAG", False),
        ("=4", "GPT-4", True),
        ("=4", "GPT4", False),
        ("=C++", "C++20", True),
        ("=语言", "大型语言模型", True),
        ("=GPT", "大GPT型", True),
        ('="of art"', "of  art", True),
        ("语言模*", "大型语言模型", True),
        ("a-b*", "ab-c", True),
        ("a-b*", "a bc", True),
        ("a-b*", "a c", False),
        ("dont", "don't", True),
        ("oneil", "O'Neil", True),
        ("model's", "models", True),
        ('"data base systems"', "database systems", True),
        ('"database systems"', "data-base systems", True),
        ('"data base"', "database", True),
        ('"dat abase"', "data base", True),
        ("state-of-the-art", "state of the art", True),
        ("out-of-distribution", "outofdistribution", True),
        ("outofdistribution", "out-of-distribution", True),
        ("3 5", "35", False),
        ("35", "3-5", False),
        ("in finite", "infinite", False),
        ("c++ builder", "cbuilder", False),
        ("fine AND tuning", "finetuning", True),
        ("fine (tuning OR x)", "finetuning", False),
        ("x -(fine tuning)", "x finetuning", False),
        ("fine tuning set", "finetuning set", True),
        ("agent fine tuning", "finetuning", False),
        ("fine tuning agent", "finetuning", False),
        ("GPT4 tuning", "gpttuning", False),
        ("tuning GPT4", "tuninggpt", False),
        ("visual C++", "visualC++", True),
        ("visual C++", "visualC", False),
        ('"model tuning"', "a model's tuning", True),
        ('"connect tuning"', "connect-ed-ly tuning", True),
        ("policy*", "Policy", True),
        ("stateofthe*", "state-of-the-art", True),
        ("stateofthea*", "state-of-the-art", False),
        ("CodeT5", "CodeT5+", True),
        ("CodeT5+", "CodeT5", False),
        ("ai", "AIs", True),
        ('"a b"~100', "a " + "x " * 99 + "b", True),
        ('"a b"~100', "a " + "x " * 100 + "b", False),
        ("a NEAR/1 b", "a GPT4 b", False),
        ("a NEAR/2 b", "a GPT4 b", True),
        ("x NEAR/1 GPT4", "GPT4 x", True),
        ("a NEAR/1 b", "大a b", True),
        ("大 NEAR/1 模", "大型语言模", False),
    ],
)
def test_query_on_a_title_hits_where_it_should(query: str, text: str, hits: bool) -> None:
    assert parse_query(query).hits(analyse(Paper("x", text))) is hits


def test_query_never_crosses_from_one_field_or_author_to_the_next() -> None:
    paper = Paper("x", "large language", abstract="model zoo", authors=("Ann Lee", "Bo Yu"), categories=("a b", "c d"))
    for query in ('"language model"', "languagemodel", "language NEAR/100 model", '"language model"~100', '"lee bo"',
                  "lee NEAR/9 bo", "leebo", '"b c"'):  # fmt: skip
        assert not parse_query(query).hits(analyse(paper)), query


def test_query_on_a_code_of_several_dots_finds_its_whole_and_its_first_part() -> None:
    document = analyse(Paper("x", "", categories=("nlin.AO.x", "hep-th")))
    assert set(document.codes) == {"nlin.ao.x", "nlin", "hep-th"}


def test_query_on_a_code_and_a_source_is_worth_both_fields() -> None:
    assert parse_query("category:cs.CL source:arxiv").points(analyse(PAPER)) == 1 / 2 + 1 / 2


def test_query_on_an_empty_paper_hits_nothing() -> None:
    document = analyse(Paper("x", ""))
    assert document.keys == frozenset()
    assert not parse_query('a OR bc* OR "c d"~5 OR category:cs.*').hits(document)


def test_analyse_of_hostile_lengths_keeps_its_counts() -> None:
    document = analyse(Paper("x", "a " * 5_000, authors=("Ann Lee",) * 1_000))
    assert len(document.words) == len(document.fields) == len(document.numbers) == len(document.borders)
    assert parse_query('"' + "a " * 60 + '"').hits(document)
    assert not parse_query('"' + "a " * 60 + 'b"').hits(document)
    assert parse_query("a NEAR/100 a").hits(document)
