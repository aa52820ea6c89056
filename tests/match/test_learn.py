"""What "more like this" and "less like this" come to: small, bounded, fading, and told word by word."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestd.match.document import analyse
from digestd.match.learn import (
    HALF_LIFE,
    MOST_OF_A_TERM,
    MOST_TERMS,
    STEP,
    Leaning,
    Opinion,
    Term,
    Wish,
    lean,
    learned,
    moved,
    moves,
    terms,
    told,
)
from digestd.model import Paper

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def _said(title: str, wish: Wish = Wish.MORE, days: float = 0, categories: tuple[str, ...] = ()) -> Opinion:
    return Opinion(wish, NOW - timedelta(days=days), title, categories)


def _weights(*opinions: Opinion) -> dict[str, float]:
    return {term.word: term.weight for term in learned(opinions, NOW).terms}


@pytest.mark.parametrize(
    ("title", "categories", "expected"),
    [
        ("Language Agents", (), {"languag": "Language", "agent": "Agents"}),
        ("A Survey of Agents for the Web", (), {"agent": "Agents", "web": "Web"}),
        ("GPT-4 and LLMs", (), {"gpt": "GPT", "llm": "LLMs"}),  # neither digits nor small words
        ("Agents of Agent Agency", (), {"agent": "Agents", "agenc": "Agency"}),  # a stem once, as it came first
        ("$H_2O$ in C++", (), {}),  # single letters
        ("Erdős graphs", (), {"erdo": "Erdős", "graph": "graphs"}),
        ("机器", (), {}),
        ("AI on x", (), {"ai": "AI"}),
        ("", ("cs.CL", "Cell Biology"), {"=cs.cl": "cs.CL"}),
    ],
)
def test_terms_of_a_paper_are_its_words_and_categories(
    title: str, categories: tuple[str, ...], expected: dict[str, str]
) -> None:
    assert terms(title, categories) == expected


def test_terms_of_an_endless_title_are_few() -> None:
    assert len(terms(" ".join(f"w{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(600)))) == 24


def test_learned_of_one_opinion_is_shared_by_the_words() -> None:
    assert _weights(_said("Language Agents Web Robots")) == dict.fromkeys(
        ("Language", "Agents", "Web", "Robots"), STEP / 2
    )
    assert _weights(_said("Robots", Wish.LESS)) == {"Robots": -STEP}


def test_learned_of_more_and_less_of_one_word_is_their_sum() -> None:
    assert _weights(_said("Robots"), _said("Robots arms", Wish.LESS)) == {
        "arms": round(-STEP / sqrt(2), 4),
        "Robots": round(STEP - STEP / sqrt(2), 4),
    }
    assert _weights(_said("Robots"), _said("robot", Wish.LESS)) == {}


def test_learned_weight_has_a_bound_and_a_word_as_last_written() -> None:
    assert _weights(*(_said("robots", days=day) for day in range(1, 5)), _said("Robot")) == {"Robot": MOST_OF_A_TERM}
    assert _weights(*[_said("robots", Wish.LESS)] * 5) == {"robots": -MOST_OF_A_TERM}


def test_learned_of_a_paper_takes_in_its_categories() -> None:
    assert _weights(_said("Robots", categories=("cs.RO",))).keys() == {"Robots", "cs.RO"}


def test_learned_word_is_the_last_written_whatever_came_first() -> None:
    old, new = _said("Robot", days=9), _said("ROBOTS", days=1)
    assert _weights(old, new).keys() == _weights(new, old).keys() == {"ROBOTS"}


def test_learned_terms_stand_by_their_strength() -> None:
    found = learned([_said("Ants", days=40), _said("Bees", Wish.LESS, 10), _said("Cats", days=20)], NOW).terms
    assert [term.word for term in found] == ["Bees", "Cats", "Ants"]


def test_learned_fades_by_half_in_ninety_days() -> None:
    assert timedelta(days=90) == HALF_LIFE
    assert _weights(_said("Robots", days=90)) == {"Robots": STEP / 2}
    assert _weights(_said("Robots", days=-5)) == {"Robots": STEP}  # a clock that was ahead makes nothing heavier
    assert _weights(_said("Robots", days=900)) == {}
    leaning = learned([_said("Robots")], NOW)
    assert leaning.faded(NOW + timedelta(days=180)) == (Term("robot", "Robots", STEP / 4),)
    assert leaning.faded(NOW - timedelta(days=1)) == leaning.terms
    assert leaning.faded(NOW + timedelta(days=900)) == ()


def test_learned_keeps_the_strongest_terms() -> None:
    many = [_said(f"{chr(97 + n // 26)}{chr(97 + n % 26)}{chr(97 + n % 26)}q", days=n) for n in range(MOST_TERMS + 20)]
    found = learned(many, NOW).terms
    assert len(found) == MOST_TERMS
    assert [term.weight for term in found] == sorted((term.weight for term in found), reverse=True)
    assert found[0].word == "aaaq"
    assert learned([_said("Zebras"), _said("Ants", Wish.LESS)], NOW).terms[0].word == "Ants"  # equals: by the key


@given(st.permutations([_said("Robot arms", days=day) for day in (1, 7, 30)] + [_said("arms race", Wish.LESS, 3)]))
def test_learned_does_not_depend_on_the_order_of_opinions(opinions: list[Opinion]) -> None:
    assert learned(opinions, NOW) == learned(sorted(opinions, key=lambda one: one.said_at), NOW)


def test_moves_are_the_terms_that_stand_in_a_paper_strongest_first() -> None:
    paper = analyse(Paper("x", "On robots", abstract="An arm.", authors=("B. Web",), categories=("cs.RO",)))
    leaning = [Term("arm", "Arms", 0.1), Term("robot", "Robot", -0.3), Term("zebra", "Zebra", 0.5)]
    assert moves([*leaning, Term("=cs.ro", "cs.RO", 0.2)], paper.keys) == (
        ("Robot", -0.3),
        ("cs.RO", 0.2),
        ("Arms", 0.1),
    )
    assert moves([], paper.keys) == ()


def test_moved_standing_is_doubled_or_halved_at_most() -> None:
    assert moved(3.0, ()) == 3.0
    assert moved(3.0, (("a", 0.5), ("b", 0.5))) == 6.0
    assert moved(3.0, (("a", 0.5), ("b", 0.5), ("c", 0.5))) == 6.0
    assert moved(3.0, (("a", -0.5),) * 4) == 1.5
    assert moved(2.0, (("a", 0.5),)) == 2.8284
    assert moved(2.0, (("a", 0.5), ("b", -0.5))) == 2.0


def test_told_says_where_to_and_by_what() -> None:
    assert told(()) == ""
    assert told((("agents", 0.4), ("planning", -0.125))) == "up by agents +0.40, planning -0.12"
    assert told((("agents", -0.4),)) == "down by agents -0.40"
    assert told((("a", 0.4), ("b", -0.4))) == "nowhere by a +0.40, b -0.40"
    assert lean((("a", 0.1), ("b", 0.2))) == 0.3


def test_leaning_without_terms_moves_nothing() -> None:
    assert Leaning((), NOW).faded(NOW) == ()
