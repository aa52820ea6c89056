"""Random papers and queries over few words, so that they meet often and in many ways."""

from __future__ import annotations

from random import Random

from digestd.errors import QueryError
from digestd.match.query import Query, parse_query
from digestd.model import Paper

# Words that join, split, inflect, carry signs or digits, or are small ones.
WORDS = (
    "fine", "tuning", "tuned", "finetuning", "fine-tuning", "Fine-Tuned", "model", "models", "model's", "GPT4", "GPT-4",
    "gpt", "4", "LLM", "LLMs", "C", "C++", "C#", "CodeT5+", "in", "finite", "infinite", "a", "data", "database", "RAG",
    "rag", "cs.CL", "cs", "hep-th", "Páez", "on-line", "online", "state-of-the-art", "2", "H2O",
)  # fmt: skip
_PREFIXES = ("fi", "fine", "finet", "fine-t", "mod", "GPT", "GPT-4", "data", "cs", "cs.", "in", "C++2")
_SEPARATORS = (" ", " ", " ", " ", " ", "-", ", ", ". ", " (", ") ", "/", ": ", "'", "")
_CATEGORIES = ("cs.CL", "cs.LG", "hep-th", "Data Models", "stat", "CS")
_FIELDS = ("title:", "abstract:", "author:", "category:", "source:")


def text(random: Random, longest: int) -> str:
    """Return words with blanks, hyphens, punctuation or nothing between them."""
    count = random.randint(0, longest)
    return "".join(random.choice(WORDS) + random.choice(_SEPARATORS) for _ in range(count)).strip()


def paper(random: Random) -> Paper:
    return Paper(
        id="x",
        title=text(random, 6),
        abstract=random.choice((None, text(random, 10), text(random, 10))),
        authors=tuple(text(random, 2) for _ in range(random.randint(0, 2))),
        categories=tuple(random.choice(_CATEGORIES) for _ in range(random.randint(0, 2))),
        source=random.choice(("", "arxiv", "data model")),
    )


def query(random: Random) -> Query:
    """Return a valid query; one that only says what to leave out is thrown away."""
    while True:
        try:
            return parse_query(_tree(random, random.randint(0, 3)))
        except QueryError as error:
            if "only says what to leave out" not in error.problem:
                raise


def _words(random: Random, least: int) -> str:
    return " ".join(random.choice(WORDS) for _ in range(random.randint(least, 3)))


def _term(random: Random) -> str:
    word = random.choice(WORDS)
    term = random.choice(
        (
            word,
            word,
            word,
            f"={word}",
            f"{random.choice(_PREFIXES)}*",
            f'"{_words(random, 1)}"',
            f'="{_words(random, 1)}"',
        )
    )
    return f"{random.choice(_FIELDS)}{term}" if random.random() < 0.2 else term


def _tree(random: Random, depth: int) -> str:
    if depth == 0:
        kind = random.random()
        if kind < 0.15:
            return f'"{_words(random, 2)}"~{random.randint(1, 5)}'
        if kind < 0.3:
            left = f"({_term(random)} OR {_term(random)})" if kind < 0.2 else _term(random)
            return f"{left} NEAR/{random.randint(1, 4)} {_term(random)}"
        return _term(random)
    one, other = _tree(random, depth - 1), _tree(random, random.randint(0, depth - 1))
    form = random.choice(
        ("{} {}", "{} AND {}", "({}) ({})", "({} OR {})", "{} OR {}", "{} -({})", "NOT ({}) {}", "NOT ({} OR NOT ({}))",
         f"{random.choice(_FIELDS)}({{}} {{}})", f"{_words(random, 2)} {{}} OR {{}}")
    )  # fmt: skip
    return form.format(one, other)
