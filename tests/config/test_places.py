"""Places in a TOML text: what is found is where it stands, for every way to write a string."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestd.config.places import Path, Place, Places


def offset(text: str, place: Place | None) -> int:
    """Return where in the text a place is."""
    assert place is not None
    return sum(len(line) for line in text.split("\n")[: place.line - 1]) + place.line - 1 + place.column - 1


def basic(text: str) -> str:
    """Write a text as a basic string: some characters escaped in one of their ways, the others as they are."""
    named = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "é": "\\u00E9", "😀": "\\U0001F600"}
    return '"' + "".join(named.get(char, char) for char in text) + '"'


WAYS = {
    "basic": basic,
    "literal": lambda text: f"'{text}'",
    "long basic": lambda text: f'""{basic(text)}""',
    "long basic on a line of its own": lambda text: f'"""\n{basic(text)[1:]}""',
    "long literal": lambda text: f"'''{text}'''",
    "long literal on a line of its own": lambda text: f"'''\n{text}'''",
}
PLAIN = st.text("ab #=[],.é😀", max_size=12)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.integers() | st.booleans() | st.tuples(st.sampled_from(sorted(WAYS)), PLAIN),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b-c", "d_1"]), inner, max_size=2)
    ),
    max_leaves=6,
)


def toml(value: Any) -> str:
    """Write a value as TOML; a pair is a way to write a string, and the string."""
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case (str(way), str(text)):
            return WAYS[way](text)
        case list():
            return "[ # a comment, with ]\n" + ",".join(f" {toml(one)}\n" for one in value) + "]"
        case _:
            return "{" + ", ".join(f"{key} = {toml(one)}" for key, one in value.items()) + "}"


def leaves(value: Any, path: Path) -> list[tuple[Path, Any]]:
    """Return the parts of a value that hold no others, with their paths."""
    if isinstance(value, list):
        return [leaf for number, one in enumerate(value) for leaf in leaves(one, (*path, number))]
    if isinstance(value, dict):
        return [leaf for key, one in value.items() for leaf in leaves(one, (*path, key))]
    return [(path, value)]


def at(values: Any, path: Path) -> Any:
    for part in path:
        values = values[part]
    return values


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_value_of_any_document_is_found_where_it_is_written(values: list[Any]) -> None:
    text = "".join(
        f'[[table]] # "\n"key one" = {toml(value)}\n  [table.sub]\n  x.y = {number}\n'
        for number, value in enumerate(values)
    )
    read = tomllib.loads(text)
    places = Places(text)
    for number, value in enumerate(values):
        assert text.startswith("[[table]]", offset(text, places.key(("table", number))))
        assert text.startswith("[table.sub]", offset(text, places.key(("table", number, "sub"))))
        assert text.startswith(f"{number}\n", offset(text, places.value(("table", number, "sub", "x", "y"))))
        for path, leaf in leaves(value, ("table", number, "key one")):
            written = toml(leaf)
            assert text.startswith(written, offset(text, places.value(path)))
            if isinstance(leaf, tuple):
                for column in range(1, len(leaf[1]) + 1):
                    place = offset(text, places.inside(path, column))
                    char = at(read, path)[column - 1]
                    assert text.startswith(basic(char)[1:-1] if "basic" in leaf[0] else char, place)


@pytest.mark.parametrize(
    ("written", "column", "line", "of_line"),
    [
        ("'ab'", 1, 1, 6),
        ("'ab'", 2, 1, 7),
        ("'ab'", 3, 1, 8),
        ("'ab'", 99, 1, 8),
        ("''", 1, 1, 6),
        ('"\\u00e9x"', 2, 1, 12),
        ('"""\nab\ncd"""', 5, 3, 2),
        ('"""a\\\n   b"""', 2, 1, 9),
        ("'''\n\nab'''", 2, 3, 1),
    ],
)
def test_inside_of_a_string_points_at_the_character_or_its_end(
    written: str, column: int, line: int, of_line: int
) -> None:
    place = Places(f"a = {written}\n").inside(("a",), column)
    assert place == Place(line, of_line)


def test_value_right_behind_its_sign_is_found() -> None:
    assert Places("a='x'\n").value(("a",)) == Place(1, 3)


def test_key_that_is_missing_is_its_nearest_parent() -> None:
    places = Places("x = 1\n[a.b]\nc = 1\n[[t]]\n[[t]]\n")
    assert places.key(("a", "b", "none")) == Place(2, 1)
    assert places.key(("t",)) == Place(4, 1)
    assert places.key(("t", 1, "none")) == Place(5, 1)
    assert places.key(("none",)) is None


@pytest.mark.parametrize(
    "text", ["[", "[[", "a", "a =", "a = [", "a = {", "a = [1", "a = {b", "=", "[[a]]", "a = [}", '"', "\\"]
)
def test_places_of_what_is_no_toml_never_fails(text: str) -> None:
    assert Places(text).value(("no such key",)) is None


def test_places_of_a_large_document_are_found() -> None:
    text = "".join(f'[[t]]\na = "{number}"\n' for number in range(20_000))
    assert Places(text).value(("t", 19_999, "a")) == Place(40_000, 5)
