"""The page of faults says what there is: each test that it names stands where it says."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`(tests/[\w/.]+\.py)?::(\w+)`")


def test_reliability_page_names_tests_that_are_there() -> None:
    rows = [line for line in (ROOT / "docs" / "reliability.md").read_text().splitlines() if "::test_" in line]
    assert len(rows) > 25
    for row in rows:
        file = ""
        for path, name in NAMED.findall(row):
            file = path or file  # a name alone stands in the file that was named before it
            assert f"def {name}(" in (ROOT / file).read_text(), f"{file} has no {name}"
