"""Alerts of a profile and a day are one thread; nothing else shares it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from support.editions import READER, edition, entry, section, snapshot

from digestd.model import Cadence, Edition
from digestd.publish.message import build_message
from digestd.publish.render import render


def _alert(*names: str, **values: object) -> Edition:
    sections = tuple(section(entry(), profile=name) for name in names or ("Agents",))
    return edition(*sections)._replace(cadence=Cadence.IMMEDIATE, **values)  # type: ignore[arg-type]


def _references(one: Edition) -> list[str]:
    head = build_message(one, render(one, snapshot()), snapshot().sender).partition(b"\r\n\r\n")[0].decode()
    lines = re.sub(r"\r\n ", " ", head).split("\r\n")
    found = [line.partition(": ")[2].split() for line in lines if line.startswith("References: ")]
    parents = [line.partition(": ")[2] for line in lines if line.startswith("In-Reply-To: ")]
    assert parents == [one[0] for one in found]
    return found[0] if found else []


def test_alerts_of_a_profile_and_a_day_have_one_ancestor() -> None:
    first = _alert()
    later = _alert(id="f" * 32, composed_at=first.composed_at + timedelta(hours=3))
    assert _references(first) == _references(later)
    assert len(_references(first)) == 1
    assert set(_references(_alert("Agents", "Robots"))) > set(_references(first))


@pytest.mark.parametrize(
    "other",
    [
        _alert("Robots"),
        _alert(composed_at=_alert().composed_at + timedelta(days=1)),
        _alert(reader=READER._replace(token="18.AbCdEfGhIjKlMnOpQrStUv")),
    ],
)
def test_alerts_of_another_profile_day_or_reader_have_another_ancestor(other: Edition) -> None:
    assert set(_references(other)).isdisjoint(_references(_alert()))


def test_digest_is_in_no_thread() -> None:
    assert _references(edition(section(entry()))) == []
