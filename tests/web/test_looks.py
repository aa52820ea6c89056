"""Every mail and page looks as it did when somebody looked at it, in both widths and both colour schemes."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess

import numpy as np
import pytest
from support.browser import chromium
from support.looks import COLUMNS, PLAIN, REFERENCES, ROWS, SCHEMES, WIDTHS, Look, looks, shown

ANEW = "PYTHONPATH=.:tests .venv/bin/python -m support.looks FOLDER, and look at the screenshots"


def missing_fonts() -> list[str]:
    """Return which of the fonts are not here that the references were taken with; .ci/run installs them."""
    match = shutil.which("fc-match")
    fonts = ("Roboto", "Caladea")
    return [font for font in fonts if not match or font not in subprocess.check_output([match, font], text=True)]


@pytest.mark.slow
@pytest.mark.peer
async def test_mails_and_pages_look_as_before() -> None:
    if missing := await asyncio.to_thread(missing_fonts):
        pytest.skip(f"fonts are not here: {missing}; letters of another width look otherwise")
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
    assert page.difference(Look(page.height * 2, page.blocks, page.palette)) != ""
    dark = page.blocks.sum(axis=2).argmin()
    bleached = page.blocks.copy()
    bleached[dark // COLUMNS, dark % COLUMNS] = 255  # where the main button is
    assert page.difference(Look(page.height, bleached, page.palette)) != ""
    noise = np.random.default_rng(1).normal(0, 2, (ROWS, COLUMNS, 3))
    smudged = {**page.palette, "123456": PLAIN / 2}  # the edge of a letter
    assert page.difference(Look(page.height + 20, page.blocks + noise, smudged)) == ""
    button = "143f6b"
    green = {{button: "1b6b3a"}.get(colour, colour): share for colour, share in page.palette.items()}
    assert Look(page.height, page.blocks, green).difference(page) == "the colour 1b6b3a is new"
    without = {colour: share for colour, share in page.palette.items() if colour != button}
    assert Look(page.height, page.blocks, without).difference(page) == "the colour 143f6b is gone"
