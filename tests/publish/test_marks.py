"""Which words are marked, and how a text is cut for it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from support.editions import paper

from digestd.publish.card import card
from digestd.publish.marks import Run, runs, spans
from digestd.publish.plaintext import starred


def test_card_marks_the_words_that_hit_in_title_and_abstract() -> None:
    shown_card = card(paper(title="Agents of Change", abstract="An agent acts. Others do not."), ("agent",))
    assert [run.text for run in shown_card.title if run.marked] == ["Agents"]
    assert [run.text for run in shown_card.abstract if run.marked] == ["agent"]
    assert shown_card.abstract_text == "An *agent* acts. Others do not."


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
