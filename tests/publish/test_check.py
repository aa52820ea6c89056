"""Whether templates work is found out on samples, before any reader sees them."""

from __future__ import annotations

import pytest
from support.editions import snapshot

from digestd.errors import TemplateError
from digestd.model import Cadence, Place
from digestd.publish.check import check_templates, sample_editions


def test_check_templates_of_the_tree_shows_each_kind_of_edition() -> None:
    shown = check_templates(snapshot())
    assert list(shown) == ["digest", "one section", "alert", "empty", "confirm", "welcome", "notice", "mistake"]
    assert len({one.subject for one in shown.values()}) == 8
    for name, one in shown.items():
        assert ("H2O" in one.text or "H₂O" in one.text) is (name in {"digest", "one section", "alert"})
        assert "<tags>" not in one.html
        assert "reader@example.org" in one.text


def test_sample_editions_hold_a_card_a_title_an_alert_and_nothing() -> None:
    editions = sample_editions().values()
    entries = [entry for edition in editions for section in edition.sections for entry in section.entries]
    assert {entry.place for entry in entries} == set(Place)
    assert {edition.cadence for edition in editions} == set(Cadence)
    assert {len(edition.sections) for edition in editions} == {1, 2}
    assert any(not section.entries for edition in editions for section in edition.sections)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{% if %}", r"mail/edition\.html\.j2, line 1"),
        ("a\n{{ 1 / 0 }}", r"mail/edition\.html\.j2: ZeroDivisionError"),
        ("{{ nobody.knows }}", r"mail/edition\.html\.j2: UndefinedError: 'nobody' is undefined"),
        ("{% include 'mail/other.j2' %}", r"mail/edition\.html\.j2: TemplateNotFound"),
    ],
)
def test_check_templates_with_a_broken_one_names_it(source: str, said: str) -> None:
    with pytest.raises(TemplateError, match=said):
        check_templates(snapshot(mail__edition__html__j2=source))


def test_check_templates_that_fail_only_on_an_alert_are_found() -> None:
    text = snapshot().templates["mail/edition.txt.j2"]
    broken = text + "{% if label == 'Alert' %}{{ nobody.knows }}{% endif %}"
    with pytest.raises(TemplateError, match="nobody"):
        check_templates(snapshot(mail__edition__txt__j2=broken))
