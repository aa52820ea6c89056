"""The store that the contract is asked of: one room for each kind there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.store_room import StoreRoom, opened


@pytest.fixture(params=["sqlite"])
def room(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreRoom]:
    assert request.param == "sqlite", "the second store's room comes with the second store"
    with opened(tmp_path / "digestd.db") as made:
        yield made
