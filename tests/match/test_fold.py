"""Near-copies: which papers are nearly the same work."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digestd.ingest.stage import read_file
from digestd.match.document import analyse
from digestd.match.fold import NEAR, near_copies
from digestd.match.text import tokens
from digestd.model import Paper

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT.parent / "shared" / "samples"
SEED = ROOT / "seeds" / "huggingface-papers-llms.txt"
MEDICAL = (
    "Medical Adaptation of Large Language and Vision-Language Models: Are We Making Progress?",
    "The Limited Impact of Medical Adaptation of Large Language and Vision-Language Models",
)
# Every pair that is folded in the seeds and the samples, looked at: one work with two titles, and one twice in arXiv.
SAME = {
    SEED: [MEDICAL],
    SAMPLES / "huggingface-papers-llms.txt": [MEDICAL],
    SAMPLES / "arxiv-0704-half.jsonl": [
        (
            "Relativistic treatment in D-dimensions to a spin-zero particle with noncentral equal scalar and vector"
            " ring-shaped Kratzer potential",
            "Elativistic treatment in}$D$ - Dimensions to a spin-zero particle with noncentral equal scalar and vector"
            " ring-shaped Kratzer potential",
        )
    ],
}
WORDS = [f"q{one}k{other}" for one in "abcdef" for other in "bdfgkm"]  # each is a token, and its stem
TEXT = " ".join(f"word{number} of a sentence" for number in range(12))


def _near(*abstracts: str | None, threshold: float = NEAR) -> dict[int, frozenset[int]]:
    documents = [analyse(Paper(str(number), "A Title", abstract=text)) for number, text in enumerate(abstracts)]
    return dict(near_copies(documents, threshold))


@pytest.mark.parametrize("file", SAME, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_near_copies_of_a_sample_are_the_pairs_that_are_one_work(file: Path) -> None:
    if not file.exists():
        pytest.skip(f"{file.name} is not beside this checkout")
    papers = [record for record in read_file(file, 10**9) if isinstance(record, Paper)]
    near = near_copies(map(analyse, papers))
    pairs = {frozenset((papers[one].title, papers[other].title)) for one, others in near.items() for other in others}
    assert pairs == {frozenset(pair) for pair in SAME[file]}


def test_near_copies_look_at_stems_and_not_at_signs_or_titles() -> None:
    assert _near(TEXT, TEXT.replace("sentence", "Sentences,") + "!") == {0: frozenset({1}), 1: frozenset({0})}


def test_near_copies_of_a_short_or_missing_abstract_are_not_known() -> None:
    withdrawn = "This paper has been withdrawn by the author due to an error."
    assert _near(withdrawn, withdrawn, None, None, "", "") == {}


def test_near_copies_are_a_matter_of_the_threshold() -> None:
    half = TEXT.split()
    other = " ".join([*half[:36], *(f"else{number}" for number in range(12))])
    assert _near(TEXT, other, threshold=0.45) == {0: frozenset({1}), 1: frozenset({0})}
    assert _near(TEXT, other, threshold=0.47) == {}
    assert _near(TEXT, TEXT, threshold=1.0) == {0: frozenset({1}), 1: frozenset({0})}


def test_near_copies_at_the_threshold_are_found_by_the_last_run_that_is_looked_at() -> None:
    words = WORDS[:32]  # 30 runs of three, 18 of them in both
    assert _near(" ".join(words), " ".join(words[:20])) == {0: frozenset({1}), 1: frozenset({0})}
    assert _near(" ".join(words), " ".join(words[:19])) == {}


def test_near_copies_are_known_from_fifteen_runs_on_of_the_abstract_alone() -> None:
    words = WORDS[:17]
    assert _near(" ".join(words), " ".join(words)) == {0: frozenset({1}), 1: frozenset({0})}
    assert _near(" ".join(words[:16]), " ".join(words[:16])) == {}
    fields = {"abstract": " ".join(words[:16]), "authors": (" ".join(WORDS[17:]),), "categories": (" ".join(words),)}
    assert near_copies([analyse(Paper(f"{number}", " ".join(WORDS), **fields)) for number in range(2)]) == {}


def test_near_copies_count_a_run_that_comes_twice_once_and_need_some() -> None:
    words = " ".join(WORDS[:17])
    assert _near(words, f"{words} {words}") == {0: frozenset({1}), 1: frozenset({0})}  # 15, and two more
    assert near_copies([]) == near_copies([analyse(Paper("x", "T", abstract="one two"))]) == {}


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.sampled_from((0.3, 0.6, 0.9)))
def test_near_copies_are_those_that_comparing_all_finds(seed: int, threshold: float) -> None:
    random = Random(seed)
    words = [f"w{number}" for number in range(60)]
    texts = [words[:]]
    for _ in range(8):
        text = random.choice(texts)[:]
        for _ in range(random.randint(0, 12)):
            text[random.randrange(len(text))] = f"x{random.randrange(9)}"
        texts.append(text)
    documents = [analyse(Paper(str(number), "A", abstract=" ".join(text))) for number, text in enumerate(texts)]
    sets = [_runs(" ".join(text)) for text in texts]
    expected: dict[int, set[int]] = {}
    for one, other in combinations(range(len(sets)), 2):
        if len(sets[one] & sets[other]) / len(sets[one] | sets[other]) >= threshold:
            expected.setdefault(one, set()).add(other)
            expected.setdefault(other, set()).add(one)
    assert near_copies(documents, threshold) == expected


def _runs(text: str) -> set[tuple[str, ...]]:
    stems = [token.stem for token in tokens(text)]
    return set(zip(stems, stems[1:], stems[2:], strict=False))
