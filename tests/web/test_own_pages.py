"""A reader's own pages: preferences, editions read online, all that is stored, and to be forgotten."""

from __future__ import annotations

import json
import sqlite3
from datetime import timedelta

import pytest
from support.editions import seed_papers, snapshot
from support.hostile import HOSTILE
from support.pages import Page
from support.store_room import MONDAY, profile
from support.web_site import LATER, READER, Site, site_of, token_of

from digestd.model import Cadence, Origin, OutboxState, Subscriber, SubscriberState
from digestd.publish.stage import publish

SAVED = "Saved. Your next mail follows it."


async def change(site: Site, **fields: str) -> tuple[int, str]:
    known = {"action": "save", "profile": "Agents", "keywords": "robot*, -medical", "day": "tue", "at": "06:15"}
    answer = await site.fill(
        f"{site.path}/preferences", **{**known, "zone": "Asia/Tokyo", "cadence": "weekly", **fields}
    )
    return answer.status, answer.words


@pytest.fixture
async def mine(site: Site) -> Site:
    """A site whose reader signed up on the page, with papers and an edition."""
    site.room.store.subscribers.add(Subscriber("own@example.org", profiles=(profile(),)), Origin.READER, MONDAY)
    site.room.ingest(seed_papers(), MONDAY)
    publish(site.room.store, snapshot(), MONDAY)
    site.token = token_of(site.room, "own@example.org")
    return site


def followed(site: Site) -> Subscriber:
    return site.room.store.subscribers.find("own@example.org").subscriber


async def test_preferences_show_what_is_followed_what_it_finds_and_what_was_sent(mine: Site) -> None:
    answer = await mine.get(f"{mine.path}/preferences")
    assert answer.status == 200
    assert answer.page.text("textarea") == "agent"
    for said in ("of 82 papers", "23 November 2026", "Daily digest, ", "o…@example.org"):
        assert said in answer.words, said
    assert "own@example.org" not in answer.body.decode()
    assert len(answer.body) < 50_000


async def test_preferences_saved_are_followed_by_the_next_mail(mine: Site) -> None:
    status, words = await change(mine)
    assert (status, SAVED in words) == (200, True)
    [now] = followed(mine).profiles
    assert [query.query for query in now.queries] == ["robot*"]
    assert (now.exclude, now.cadence, f"{now.at:%H:%M}", now.timezone) == (
        ("medical",), Cadence.WEEKLY, "06:15", "Asia/Tokyo",
    )  # fmt: skip
    assert now.name == "Agents"


async def test_preferences_with_a_mistake_are_not_saved_and_keep_what_was_typed(mine: Site) -> None:
    before = followed(mine)
    status, words = await change(mine, keywords="robot*, (", at="99")
    assert (status, "“(”" in words, "robot*, (" in words) == (422, True, True)
    assert followed(mine) == before


async def test_preferences_tried_change_nothing(mine: Site) -> None:
    before = followed(mine)
    for action in ("preview", "fragment"):
        answer = await mine.fill(f"{mine.path}/preferences", action=action, profile="Agents", keywords="telecom*")
        assert answer.status == 200
        assert "of 82 papers" in answer.page.text("p")
    assert followed(mine) == before


async def test_preferences_of_the_operators_list_can_be_tried_and_not_saved(mine: Site) -> None:
    mine.room.people(Subscriber("listed@example.org", profiles=(profile(),)))
    mine.token = token_of(mine.room, "listed@example.org")
    status, words = await change(mine)
    assert (status, "operator's own list" in words) == (409, True)
    [kept] = mine.room.store.subscribers.find("listed@example.org").subscriber.profiles
    assert kept.queries[0].query == "agent"


async def test_preferences_pause_for_two_weeks_and_resume(mine: Site) -> None:
    answer = await mine.fill(f"{mine.path}/preferences", action="pause")
    assert "Your mail is paused until 7 December 2026." in answer.words
    stored = mine.room.store.subscribers.find("own@example.org")
    assert (stored.subscriber.state, stored.paused_until) == (SubscriberState.PAUSED, LATER + timedelta(days=14))
    await mine.fill(f"{mine.path}/preferences", action="resume")
    assert followed(mine).state is SubscriberState.ACTIVE


async def test_weekly_and_fewer_change_the_profiles_and_nothing_else(mine: Site) -> None:
    assert "One mail a week." in (await mine.press("weekly")).words
    assert "Fewer papers" in (await mine.press("fewer")).words
    person = followed(mine)
    assert [(one.cadence, one.max_papers) for one in person.profiles] == [(Cadence.WEEKLY, 10)]
    assert person.state is SubscriberState.ACTIVE
    assert (await mine.press("weekly")).status == 409


async def test_edition_is_read_online_by_its_reader_alone(mine: Site) -> None:
    [edition] = mine.room.editions("own@example.org")
    answer = await mine.get(f"{mine.path}/editions/{edition.id}")
    assert answer.status == 200
    assert answer.page.text("h1") == "Agents"
    policy = answer.header("content-security-policy") or ""
    assert "style-src 'unsafe-inline'" in policy
    assert "script" not in policy
    assert answer.header("x-robots-tag") == "noindex"
    assert f"/u/{mine.token}/editions/{edition.id}" in "".join(answer.page.links)
    other = token_of(mine.room, READER)
    assert (await mine.get(f"/u/{other}/editions/{edition.id}")).status == 404
    assert (await mine.get(f"{mine.path}/editions/{'0' * 32}")).status == 404


async def test_export_holds_all_about_the_reader_and_nothing_of_others(mine: Site) -> None:
    answer = await mine.get(f"{mine.path}/export")
    assert answer.header("content-disposition") == 'attachment; filename="digestd-about-me.json"'
    told = json.loads(answer.body)
    assert told["subscriber"]["email"] == "own@example.org"
    assert told["profiles"][0]["content"]["queries"] == [["agent", 1.0]]
    assert told["editions"][0]["state"] == "ready"
    assert told["papers"]
    assert READER not in answer.body.decode()


async def test_forgetting_asks_once_more_and_leaves_nothing_of_the_person(mine: Site) -> None:
    mine.room.store.subscribers.follow(
        mine.room.store.subscribers.find("own@example.org").pk, [profile("Secret plans", "zyxwvut*")]
    )
    answer = await mine.fill(f"{mine.path}/preferences", action="forget")
    assert answer.buttons == ["forget-all", "keep"]
    assert followed(mine).profiles
    answer = await mine.fill(f"{mine.path}/preferences", action="forget-all")
    assert answer.page.text("h1") == "Everything about you is deleted."
    with sqlite3.connect(mine.room.path) as connection:
        dumped = "\n".join(connection.iterdump())
    connection.close()
    for trace in ("own@example.org", "Secret plans", "zyxwvut"):
        assert trace not in dumped, trace
    assert mine.room.store.outbox.counts()[OutboxState.CANCELLED] == 1
    assert (await mine.get(mine.path)).status == 404
    assert mine.room.store.subscribers.find(READER).subscriber.profiles, "others keep what they follow"
    again = mine.room.store.subscribers.add(Subscriber("own@example.org"), Origin.READER, MONDAY)
    assert again.subscriber.state is SubscriberState.ACTIVE


async def test_own_pages_of_an_altered_link_are_not_found_and_say_what_to_do(mine: Site) -> None:
    for token in (mine.token + "A", "1.x", "1." + "A" * 22, mine.token.swapcase()):
        for page in ("preferences", "export", f"editions/{'0' * 32}"):
            answer = await mine.get(f"/u/{token}/{page}")
            assert (answer.status, answer.page.text("h1")) == (404, "This link is not complete"), page
        assert (await mine.fill(f"/u/{token}/preferences", action="forget-all")).status == 404
    assert followed(mine).state is SubscriberState.ACTIVE


async def test_get_and_head_of_own_pages_change_nothing(mine: Site) -> None:
    with sqlite3.connect(mine.room.path) as connection:
        before = "\n".join(connection.iterdump())
        for page in ("preferences", "preferences?action=forget-all", "export", "preferences?profile=None"):
            for method in ("GET", "HEAD"):
                assert (await mine.get(f"{mine.path}/{page}", method)).status == 200
        assert "\n".join(connection.iterdump()) == before
    connection.close()


async def test_hostile_profile_is_shown_and_saved_harmlessly(mine: Site) -> None:
    for name, raw in HOSTILE.items():
        text = raw.replace("\ud800", "\ufffd")
        for action in ("save", "preview", "fragment", text):
            answer = await mine.fill(f"{mine.path}/preferences", action=action, profile=text, keywords=text, zone=text)
            assert answer.status in (200, 413, 422), (name, action)
            page = Page(answer.body.decode())
            assert not [attribute for attribute, _ in page.attributes if attribute.startswith("on")], (name, action)
            assert not {"img", "iframe", "object"} & set(page.tags), (name, action)
        shown = await mine.get(f"{mine.path}/preferences")
        assert (shown.status, shown.page.tags.count("script")) == (200, 1), name


async def test_pages_below_a_root_path_link_to_one_another(tmp_path: object) -> None:
    async with site_of(tmp_path, root_path="/papers") as site:  # type: ignore[arg-type]
        assert (await site.get(f"/papers{site.path}/preferences")).status == 200
        answer = await site.get(f"/papers{site.path}")
        assert f"{site.token}/preferences" in answer.page.links
