"""A real store for the tests of publishing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.store_room import StoreRoom, opened


@pytest.fixture
def room(tmp_path: Path) -> Iterator[StoreRoom]:
    with opened(tmp_path / "digestd.db") as made:
        yield made
