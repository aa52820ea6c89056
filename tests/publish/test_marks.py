"""Which words are marked, and how a text is cut for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.editions import paper

from digestd.match.text import plain
from digestd.model import Field, Paper
from digestd.publish.card import card
from digestd.publish.marks import Run, of_field, runs, spans
from digestd.publish.plaintext import starred


def test_card_marks_the_words_that_hit_in_title_and_abstract() -> None:
    shown_card = card(paper(title="Agents of Change", abstract="An agent acts. Others do not."), ("agent",))
    assert [run.text for run in shown_card.title if run.marked] == ["Agents"]
    assert [run.text for run in shown_card.abstract if run.marked] == ["agent"]
    assert shown_card.abstract_text == "An *agent* acts. Others do not."


@pytest.mark.parametrize(
    ("query", "title", "marked"),
    [
        ("low rank", "Low-rank adapters", "[Low]-[rank] adapters"),
        ("low rank", "Lowrank adapters", "[Lowrank] adapters"),
        ("low-rank", "low rank and lowrank", "[low rank] and [lowrank]"),
        ("lowrank", "Low-Rank adapters", "[Low-Rank] adapters"),
        ("finetuning", "fine tuning, fine-tuned", "[fine tuning], [fine-tuned]"),
        ('"language agent"', "Language-agents, language agents", "[Language-agents], [language agents]"),
        (r'"\ell_1"', r"Sparse $\ell_1$ norms", "Sparse [ℓ1] norms"),
        ("ℓ1", r"Sparse $\ell_1$ norms", "Sparse [ℓ1] norms"),
        ("H2O", "Ice of H$_2$O", "Ice of [H2O]"),
        ("erdos", "Erdős graphs", "[Erdős] graphs"),
        ("Erdős", "Erdos graphs", "[Erdos] graphs"),
        ("schrodinger", r"Schr\"odinger's cat", "[Schrödinger]'s cat"),
        ("Straße", "STRASSE", "[STRASSE]"),
        ("LLM", "LLMs, an LLM's and LLMOps", "[LLMs], an [LLM]'s and LLMOps"),
        ("llms", "One LLM", "One [LLM]"),
        ("GPT4", "GPT-4, GPT 4 and GPT4V", "[GPT-4], [GPT 4] and [GPT4]V"),
        ("=RAG", "RAG, rag, RAGs, RAG2", "[RAG], rag, RAGs, RAG2"),
        ("C++", "C++ and C", "[C++] and C"),
        ("robot*", "Robotics of robots", "[Robotics] of [robots]"),
        ("agent NEAR/3 tool", "Agents use tools", "[Agents] use [tools]"),
        ("深度", "深度学习", "[深度]学习"),
        ("agent -survey", "Agents", "[Agents]"),
    ],
)
def test_marked_words_are_those_that_are_read(query: str, title: str, marked: str) -> None:
    found = of_field(spans(Paper("x", title), [query]), Field.TITLE)
    assert "".join(f"[{run.text}]" if run.marked else run.text for run in runs(plain(title), found)) == marked


def test_spans_of_a_query_that_does_not_parse_or_hit_are_none() -> None:
    assert spans(paper(), ("(agent", "zebra")) == ()


@given(
    st.text(max_size=60),
    st.lists(st.tuples(st.integers(0, 70), st.integers(0, 70)), max_size=8),
    st.lists(st.integers(0, 60), max_size=6, unique=True),
)
def test_runs_of_any_marks_join_to_the_text_and_mark_exactly_them_outside_links(
    text: str, marks: list[tuple[int, int]], borders: list[int]
) -> None:
    borders = sorted(border for border in borders if border <= len(text))
    links = [(start, end, f"https://a.org/{start}") for start, end in zip(borders[::2], borders[1::2], strict=False)]
    cut = runs(text, marks, links)
    assert "".join(run.text for run in cut) == text
    place = 0
    for run in cut:
        assert run.text
        for at in range(place, place + len(run.text)):
            link = next((url for start, end, url in links if start <= at < end), None)
            assert run.url == link
            assert run.marked == (link is None and any(start <= at < end <= len(text) for start, end in marks))
        place += len(run.text)


def test_starred_runs_leave_addresses_whole() -> None:
    cut = (Run("an "), Run("agent", True), Run(" at "), Run("https://a.org/agent", True, "https://a.org/agent"))
    assert starred(cut) == "an *agent* at https://a.org/agent"
