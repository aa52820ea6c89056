"""Signing up: the form, its preview, the question by mail, and the yes."""

from __future__ import annotations

import asyncio
import statistics
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from support.editions import SENDER, seed_papers, snapshot
from support.hostile import HOSTILE
from support.pages import Page
from support.store_room import MONDAY, StoreRoom, profile
from support.web_site import LATER, READER, Answer, Site, served, site_of, token_of

from digestd.letters import LetterKind
from digestd.model import Edition, Origin, SubscriberState
from digestd.publish.message import build_message
from digestd.publish.render import render
from digestd.store.base import Limits
from digestd.web.app import application

NEW = "new@example.net"
WISH = {"action": "subscribe", "email": NEW, "keywords": 'agent, "tool use", -medical', "day": "mon", "at": "07:30"}
SAID = "is on its way there"


async def sign_up(site: Site, email: str = NEW, **fields: str) -> Answer:
    return await site.fill(**{**WISH, "email": email, "zone": "Europe/Berlin", **fields})


def letters(site: Site, kind: LetterKind = LetterKind.CONFIRM) -> list[Edition]:
    return [one for one in site.room.editions() if one.letter is not None and one.letter.kind is kind]


def question(site: Site) -> str:
    """Return the path of the confirm page, as the mail has it."""
    [letter] = letters(site)
    html = render(letter, snapshot()).html
    [link] = {link for link in Page(html).links if "/c/" in link}
    return link.removeprefix(SENDER.public_url)


async def test_signup_asks_by_mail_and_a_yes_begins_the_papers(site: Site) -> None:
    site.room.ingest(seed_papers(), MONDAY)
    answer = await sign_up(site)
    assert (answer.status, SAID in answer.words, NEW in answer.words) == (200, True, True)
    stored = site.room.store.subscribers.find(NEW)
    assert (stored.subscriber.state, stored.subscriber.profiles) == (SubscriberState.PENDING, ())
    assert site.woken == 1
    path = question(site)

    shown = await site.get(path)
    assert shown.buttons == ["confirm", "refuse"]
    assert "every Monday at 07:30 (Europe/Berlin)" in shown.words
    assert 'agent "tool use" not medical' in shown.words
    assert site.room.store.subscribers.find(NEW).subscriber.state is SubscriberState.PENDING, "GET changes nothing"

    answer = await site.fill(path, action="confirm")
    assert (answer.status, answer.page.text("h1")) == (200, "Welcome!")
    stored = site.room.store.subscribers.find(NEW)
    assert (stored.subscriber.state, stored.state_by, stored.origin) == (
        SubscriberState.ACTIVE, Origin.READER, Origin.READER,
    )  # fmt: skip
    [followed] = stored.subscriber.profiles
    assert [query.query for query in followed.queries] == ["agent", '"tool use"']
    assert (followed.exclude, followed.name) == (("medical",), "agent, tool use")
    assert f"{followed.at:%H:%M} {followed.timezone} {followed.days}" == "07:30 Europe/Berlin (<Weekday.MON: 'mon'>,)"
    [welcome] = letters(site, LetterKind.WELCOME)
    assert welcome.letter is not None
    assert len(welcome.letter.taste) == 3
    assert f"../u/{token_of(site.room, NEW)}/preferences" in answer.page.links


async def test_confirm_is_single_use_and_says_so_again(site: Site) -> None:
    await sign_up(site)
    path = question(site)
    for _ in range(3):
        assert (await site.fill(path, action="confirm")).status == 200
    assert len(letters(site, LetterKind.WELCOME)) == 1
    await site.post(path=f"/u/{token_of(site.room, NEW)}")  # leaves; the old link must not bring them back
    assert (await site.fill(path, action="confirm")).status == 200
    assert site.room.store.subscribers.find(NEW).subscriber.state is SubscriberState.UNSUBSCRIBED


async def test_confirm_after_three_days_or_a_newer_signup_says_what_to_do(site: Site) -> None:
    await sign_up(site)
    first = question(site)
    site.now = LATER + timedelta(days=2)
    await sign_up(site, keywords="robot")
    answer = await site.fill(first, action="confirm")
    assert (answer.status, answer.page.text("h1")) == (410, "This link has expired")
    second = next(one for one in letters(site) if one.letter and one.letter.queries == ("robot",))
    assert second.letter
    site.now += timedelta(hours=72)
    answer = await site.get(f"/c/{second.letter.token}")
    assert answer.page.links == ["../"], "which leads to the subscribe page"
    assert (await site.fill(f"/c/{second.letter.token}", action="confirm")).status == 410
    assert site.room.store.subscribers.find(NEW).subscriber.state is SubscriberState.PENDING


async def test_confirm_token_altered_anywhere_or_of_another_purpose_opens_nothing(site: Site) -> None:
    await sign_up(site)
    path = question(site)
    token = path.removeprefix("/c/")
    altered = [token[:place] + ("A" if sign != "A" else "B") + token[place + 1 :] for place, sign in enumerate(token)]
    wrong = [*altered, site.token, token + "A", "", "1." + "A" * 22, "9" * 19 + "." + "A" * 22]
    got = await asyncio.gather(*(site.get(f"/c/{one}") for one in wrong))
    sent = await asyncio.gather(*(site.fill(f"/c/{one}", action="confirm") for one in wrong))
    assert {answer.status for answer in (*got, *sent)} == {404}
    assert (await site.get(f"/u/{token}")).status == 404
    assert site.room.store.subscribers.find(NEW).subscriber.state is SubscriberState.PENDING


async def test_signup_a_thousand_times_for_one_victim_is_one_mail(tmp_path: Path) -> None:
    async with site_of(tmp_path, limits=Limits(10_000, 10_000, 10_000)) as site:
        names = ["victim@example.net", "Victim@Example.net", "victim+1@example.net", "VICTIM+x@example.net"]
        for batch in range(4):
            answers = await asyncio.gather(*(sign_up(site, names[n % 4], keywords=f"k{batch}") for n in range(250)))
            assert {answer.status for answer in answers} == {200}
        assert len(letters(site)) == 1


async def test_signup_asks_a_mailbox_three_times_a_month(site: Site) -> None:
    for day in range(0, 40, 2):
        site.now = LATER + timedelta(days=day, minutes=day)
        assert (await sign_up(site)).status == 200
    assert len(letters(site)) == 3 + 3, "three in the first thirty days, three in the second"


@pytest.mark.parametrize("bound", ["network", "domain", "everybody"])
async def test_signup_past_a_limit_of_many_is_refused_for_all_alike(tmp_path: Path, bound: str) -> None:
    limits = {"network": 100, "domain": 100, "everybody": 100} | {bound: 2}
    async with site_of(tmp_path, limits=Limits(**limits)) as site:
        statuses = [(await sign_up(site, f"r{n}@example.net")).status for n in range(3)]
        assert statuses == [200, 200, 429]
        assert (await sign_up(site, READER)).status == (200 if bound == "domain" else 429)
        site.now = LATER + timedelta(days=1, seconds=1)
        assert (await sign_up(site, "r9@example.net")).status == 200


async def test_signup_of_known_and_unknown_is_the_same_page(site: Site) -> None:
    room = site.room
    for name, state, by in (
        ("qqpaused", SubscriberState.PAUSED, Origin.OPERATOR),
        ("qqleft", SubscriberState.UNSUBSCRIBED, Origin.READER),
        ("qqremoved", SubscriberState.UNSUBSCRIBED, Origin.OPERATOR),
        ("qqsuppressed", SubscriberState.SUPPRESSED, Origin.OPERATOR),
    ):
        room.subscribe(f"{name}@example.org", profile())
        room.store.subscribers.set_state(f"{name}@example.org", state, by, MONDAY)
    pages = set()
    for name in ("reader", "qqpaused", "qqleft", "qqremoved", "qqsuppressed", "qqunknown"):
        answer = await sign_up(site, f"{name}@example.org")
        pages.add((answer.status, answer.body.replace(name.encode(), b"NAME"), len(answer.headers)))
    assert len(pages) == 1
    asked = {one.reader.email.partition("@")[0] for one in letters(site)}
    assert asked == {"reader", "qqpaused", "qqleft", "qqunknown"}


async def test_signup_takes_as_long_for_known_as_for_unknown(site: Site) -> None:
    took: dict[str, list[float]] = {"known": [], "new": []}
    loop = asyncio.get_running_loop()
    await sign_up(site, READER)
    for number in range(9):
        for kind, email in (("known", READER), ("new", f"n{number}@example.net")):
            begun = loop.time()
            await sign_up(site, email)
            took[kind].append(loop.time() - begun)
    known, new = (statistics.median(times) for times in took.values())
    assert abs(known - new) < 0.01
    assert min(known, new) >= 0.05


async def test_confirm_of_one_who_left_brings_them_back_with_the_new_profile(site: Site) -> None:
    await site.post()
    await sign_up(site, READER, keywords="robot")
    await site.fill(question(site), action="confirm")
    stored = site.room.store.subscribers.find(READER)
    assert (site.state, stored.has_left) == ((SubscriberState.ACTIVE, Origin.READER), False)
    assert [one.name for one in stored.subscriber.profiles] == ["Agents", "robot"]


async def test_confirm_does_not_lift_a_suppression_that_came_meanwhile(site: Site) -> None:
    await sign_up(site, READER)
    path = question(site)
    site.room.state(READER, SubscriberState.SUPPRESSED)
    answer = await site.fill(path, action="confirm")
    assert (answer.status, site.state[0]) == (409, SubscriberState.SUPPRESSED)


async def test_refusing_closes_the_question_and_the_next_ones(site: Site) -> None:
    await sign_up(site)
    path = question(site)
    assert (await site.fill(path, action="refuse")).page.text("h1") == "You will not be asked again."
    assert (await site.fill(path, action="confirm")).status == 410
    site.now += timedelta(days=9)
    assert SAID in (await sign_up(site)).words
    assert len(letters(site)) == 1


async def test_trap_filled_by_a_program_asks_nobody_and_says_the_same(site: Site) -> None:
    caught = await sign_up(site, website="https://spam.example")
    assert SAID in caught.words
    assert letters(site) == []
    with pytest.raises(Exception, match="no subscriber"):
        site.room.store.subscribers.find(NEW)


async def test_letters_show_nothing_that_a_stranger_typed(site: Site) -> None:
    await sign_up(site, keywords="buy cheap pills at evil.example.com")
    [letter] = letters(site)
    rendered = render(letter, snapshot())
    raw = build_message(letter, rendered, SENDER)
    assert "pills" not in rendered.text + rendered.html + rendered.subject
    message = message_from_bytes(raw, policy=default)
    assert message["To"] == NEW
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Feedback-ID"].startswith("confirm:")


async def test_form_says_at_each_field_what_is_wrong_and_keeps_what_was_typed(site: Site) -> None:
    typed = {"email": "nobody", "keywords": 'agent, ), "tool use"', "at": "25:00", "zone": "Mars/Base"}
    answer = await site.fill(action="subscribe", cadence="hourly", **typed)
    assert answer.status == 422
    for said in (
        "This is not an e-mail address",
        "“)”, character 1: ",
        "Expected an hour of the day such as 08:00.",
        "'Mars/Base' is not a time zone",
        "Choose daily or weekly.",
        "Choose at least one day.",
    ):
        assert said in answer.words, said
    values = [value for name, value in answer.page.attributes if name == "value"]
    assert {"nobody", "25:00", "Mars/Base"} <= set(values)
    assert 'agent, ), "tool use"' in answer.page.text("textarea")
    assert letters(site) == []


async def test_preview_shows_the_papers_with_their_words_marked_and_counts_each_query(site: Site) -> None:
    site.room.ingest(seed_papers(), MONDAY)
    page = await site.fill(action="preview", keywords="agent, telecom*", day="mon", at="08:00", zone="UTC", email="x")
    assert page.status == 200
    assert "of 82 papers" in page.words
    assert "agent" in page.page.text("mark").lower()
    assert "This is not" not in page.words, "nobody is told of an address they have not finished"
    fragment = await site.fill(action="fragment", keywords="agent, telecom*", day="mon", at="08:00", zone="UTC")
    assert fragment.page.tags.count("article") == page.page.tags.count("article") == 5
    nothing = await site.fill(action="fragment", keywords="zyxwv", day="mon", at="08:00", zone="UTC")
    assert "None of 82 papers" in nothing.page.text("p")
    wrong = await site.fill(action="fragment", keywords="(", day="mon", at="08:00", zone="UTC")
    assert "“(”" in wrong.page.text("p")
    assert letters(site) == []


async def test_preview_forgets_papers_older_than_the_week_and_takes_up_new_ones(site: Site) -> None:
    site.room.ingest(seed_papers(), MONDAY)

    async def hits() -> str:
        return (await site.fill(action="fragment", keywords="agent", day="mon", zone="UTC")).page.text("p")

    assert "of 82 papers" in await hits()
    site.now = LATER + timedelta(days=8)
    assert "No papers have come in lately" in await hits()


async def test_hostile_text_in_every_field_is_harmless_on_every_page(site: Site) -> None:
    asked = 0
    for number, (name, raw) in enumerate(HOSTILE.items()):
        text = raw.replace("\ud800", "\ufffd")
        for action in ("subscribe", "preview", "fragment", text):
            fields: dict[str, Any] = dict.fromkeys(
                ("email", "keywords", "at", "zone", "cadence", "day", "profile"), text
            )
            answer = await site.fill(**{**fields, "action": action})
            where = (name, action)
            assert answer.status in (200, 422, 413), where
            page = Page(answer.body.decode())
            assert page.tags.count("script") == (action != "fragment" and answer.status != 413), where
            assert not [attribute for attribute, _ in page.attributes if attribute.startswith("on")], where
            assert not [link for link in page.links if not link.startswith("https://")], where
            assert len(answer.body) < 50_000, where
        email = f"new{number}@example.net"
        await sign_up(site, email, keywords=text)
        for letter in (one for one in letters(site) if one.reader.email == email):
            asked += 1
            await confirmed_harmlessly(site, letter, name)
    assert asked > len(HOSTILE) / 3, "many of these texts are search words"


async def confirmed_harmlessly(site: Site, letter: Edition, name: str) -> None:
    [link] = {link for link in Page(render(letter, snapshot()).html).links if "/c/" in link}
    path = link.removeprefix(SENDER.public_url)
    shown = await site.get(path)
    assert "script" not in shown.page.tags, name
    assert (await site.fill(path, action="confirm")).status == 200, name
    [welcome] = [one for one in letters(site, LetterKind.WELCOME) if one.reader.email == letter.reader.email]
    rendered = render(welcome, snapshot())
    build_message(welcome, rendered, SENDER)
    assert not {"script", "img", "iframe"} & set(Page(rendered.html).tags), name
    assert (await site.get(f"/u/{token_of(site.room, letter.reader.email)}/preferences")).status == 200, name


async def test_pages_set_no_cookies_are_small_and_let_only_their_own_script_run(site: Site) -> None:
    site.room.ingest(seed_papers(), MONDAY)
    for answer in (await site.get("/"), await site.fill(action="preview", keywords="agent, robot*, graph", day="mon")):
        assert answer.header("set-cookie") is None
        assert len(answer.body) < 50_000
        policy = answer.header("content-security-policy") or ""
        assert "default-src 'none'" in policy
        assert "script-src 'sha256-" in policy
        assert "unsafe" not in policy


async def test_site_without_an_opening_has_no_subscribe_page(tmp_path: Path) -> None:
    room = StoreRoom(tmp_path / "digestd.db")
    async with served(application(room.store, lambda: LATER)) as port:
        assert (await Site(room, port, "").get("/")).status == 404
    room.store.close()
