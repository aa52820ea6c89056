"""Readers say "more like this" and "less like this", and see, stop or reset what that taught."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.editions import SENDER, snapshot
from support.pages import Page
from support.store_room import MONDAY, opened, work
from support.web_site import LATER, READER, Answer, Site, served

from digestd.match.learn import Wish
from digestd.publish.render import render
from digestd.publish.stage import publish
from digestd.web.app import application
from digestd.web.tune import Pressed, pressed


@pytest.fixture
async def tuned(site: Site) -> Site:
    """A site whose reader was sent an edition of three papers."""
    words = ("robots", "<b>zebras", "ants")
    site.room.ingest([work(number, f"agent {word}") for number, word in enumerate(words, 1)], MONDAY)
    publish(site.room.store, snapshot(), MONDAY)
    return site


def edition_of(site: Site) -> str:
    return f"{site.path}/editions/{site.room.editions(READER)[0].id}/tune"


async def press(site: Site, action: str, place: int | str = 2) -> Answer:
    return await site.post(f"paper={place}&action={action}".encode(), path=edition_of(site))


def wishes(site: Site) -> dict[int, Wish]:
    return dict(site.room.store.leanings.wishes(site.room.store.subscribers.find(READER).pk, 1))


def pressed_buttons(answer: Answer) -> list[bool]:
    return [value == "true" for name, value in answer.page.attributes if name == "aria-pressed"]


async def test_page_of_an_edition_shows_its_papers_and_changes_nothing(tuned: Site) -> None:
    answer = await tuned.get(edition_of(tuned))
    assert answer.status == 200
    assert all(title in answer.words for title in ("agent ants 3", "agent robots 1", "agent <b>zebras 2", "r…@example"))
    assert READER not in answer.body.decode()
    assert pressed_buttons(answer) == [False] * 6
    assert wishes(tuned) == {}
    assert "Nothing yet." in answer.words
    assert "script" not in answer.page.tags


async def test_more_and_less_are_noted_once_and_taken_back(tuned: Site) -> None:
    answer = await press(tuned, "more")
    assert answer.status == 200
    assert pressed_buttons(answer) == [False, False, False, False, True, False]
    assert "robots +0.28" in answer.words
    assert (await press(tuned, "more")).body == answer.body
    assert wishes(tuned) == {2: Wish.MORE}
    assert pressed_buttons(await press(tuned, "less"))[4:] == [False, True]
    assert wishes(tuned) == {2: Wish.LESS}
    assert "robots \u22120.28" in (await press(tuned, "less", 2)).words
    assert pressed_buttons(await press(tuned, "undo")) == [False] * 6
    assert wishes(tuned) == {}


@pytest.mark.parametrize(
    "body", [b"", b"action=more", b"paper=2", b"paper=2&action=buy", b"paper=2&action=\xff", b"&" * 99]
)
async def test_what_is_no_button_of_the_page_notes_nothing(tuned: Site, body: bytes) -> None:
    answer = await tuned.post(body, path=edition_of(tuned))
    assert answer.status in (200, 404)
    assert wishes(tuned) == {}


@pytest.mark.parametrize("place", ["3", "-1", "1e1", "99999999999999999999", "²", ""])
async def test_paper_that_is_not_in_the_edition_is_not_found(tuned: Site, place: str) -> None:
    assert (await tuned.fill(edition_of(tuned), paper=place, action="more")).status == 404
    assert wishes(tuned) == {}


async def test_page_of_another_ones_edition_is_not_found(tuned: Site) -> None:
    ours = edition_of(tuned)
    for path in (ours.replace("/editions/", "/editions/0"), ours[:3] + "9" + ours[4:], f"{tuned.path}x/learned"):
        assert (await tuned.get(path)).status == 404
        assert (await tuned.post(b"paper=0&action=more", path=path)).status == 404
    assert wishes(tuned) == {}


async def test_mail_leads_to_the_page_unless_the_operator_turned_it_off(site: Site) -> None:
    for number, learning in enumerate((True, False), 1):
        site.room.ingest([work(number)], MONDAY)
        sender = replace(SENDER, learning=learning)
        publish(site.room.store, snapshot(sender), MONDAY.replace(day=22 + number))
        edition = site.room.editions(READER)[-1]
        mail = render(edition, snapshot(sender))
        page = f"{SENDER.public_url}/u/{site.token}/editions/{edition.id}/tune"
        assert (page in Page(mail.html).links) is (page in mail.text) is learning
    assert (await site.get(page.removeprefix(SENDER.public_url))).status == 200


async def test_learned_page_shows_stops_and_forgets(tuned: Site) -> None:
    path = f"{tuned.path}/learned"
    assert "Nothing yet." in (await tuned.get(path)).words
    await press(tuned, "more")
    shown = await tuned.get(path)
    assert "robots +0.28" in shown.words
    assert shown.buttons == ["off", "reset"]
    off = await tuned.fill(path, action="off")
    assert "moves nothing" in off.words
    assert "You have turned this off" in (await tuned.get(edition_of(tuned))).words
    assert (await tuned.get(path)).buttons == ["on", "reset"]
    assert "Turned on again" in (await tuned.fill(path, action="on")).words
    assert (await tuned.fill(path, action="buy")).buttons == ["off", "reset"]
    assert "Forgotten." in (await tuned.fill(path, action="reset")).words
    assert (await tuned.get(path)).buttons == ["off"]
    assert wishes(tuned) == {}


async def test_learned_page_shows_the_strongest_words_and_counts_the_others(site: Site) -> None:
    titles = ["agent " + " ".join(f"q{chr(97 + n)}{chr(98 + m)}" for m in range(15)) for n in range(2)]
    site.room.ingest([work(number, title) for number, title in enumerate(titles)], MONDAY)
    publish(site.room.store, snapshot(), MONDAY)
    for place in range(2):
        await press(site, "more", place)
    words = (await site.get(f"{site.path}/learned")).words
    assert "and 11 more" in words


async def test_preferences_lead_to_what_was_learned(site: Site) -> None:
    assert "learned" in (await site.get(f"{site.path}/preferences")).page.links


async def test_pages_are_not_there_where_the_operator_wants_no_learning(tuned: Site, tmp_path: Path) -> None:
    with opened(tuned.room.path) as room:
        async with served(application(room.store, lambda: LATER, learning=False)) as port:
            tuned.port = port
            for path in (edition_of(tuned), f"{tuned.path}/learned"):
                assert (await tuned.get(path)).status == 404
                assert "Unsubscribe" not in (await tuned.post(b"paper=0&action=more", path=path)).words
            assert "learned" not in (await tuned.get(f"{tuned.path}/preferences")).page.links
    assert tuned.state[0] == "active"


def test_pressed_reads_a_form_and_nothing_else() -> None:
    assert pressed(b"paper=12&action=more") == Pressed("more", 12)
    assert pressed(b"a=1&b=2&c=3&d=4&e=5&action=more") == Pressed("", -1)
