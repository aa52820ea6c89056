"""Every mail and page looks as it did when somebody looked at it, in both widths and both colour schemes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from support.browser import chromium
from support.looks import COLUMNS, REFERENCES, ROWS, SCHEMES, WIDTHS, Look, looks, shown

ANEW = "PYTHONPATH=.:tests .venv/bin/python -m support.looks FOLDER, and look at the screenshots"


@pytest.mark.slow
@pytest.mark.peer
async def test_mails_and_pages_look_as_before() -> None:
    references = json.loads(REFERENCES.read_text())
    assert len(references) == len(shown()) * len(WIDTHS) * len(SCHEMES), f"something is new or gone: {ANEW}"
    wrong = {}
    async with chromium() as browser:
        async for name, look in looks(browser):
            if difference := look.difference(Look.read(references[name])):
                wrong[name] = difference
    assert wrong == {}, ANEW


def test_look_is_another_with_another_scheme_button_or_height_and_not_with_another_font() -> None:
    references = {name: Look.read(written) for name, written in json.loads(REFERENCES.read_text()).items()}
    page = references["Pages of readers: unsubscribe, 360 light"]
    assert page.difference(references["Pages of readers: unsubscribe, 360 dark"]) != ""
    assert page.difference(Look(page.height * 2, page.blocks)) != ""
    dark = page.blocks.sum(axis=2).argmin()
    bleached = page.blocks.copy()
    bleached[dark // COLUMNS, dark % COLUMNS] = 255  # where the main button is
    assert page.difference(Look(page.height, bleached)) != ""
    noise = np.random.default_rng(1).normal(0, 2, (ROWS, COLUMNS, 3))
    assert page.difference(Look(page.height + 20, page.blocks + noise)) == ""
