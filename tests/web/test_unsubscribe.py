"""POST to a reader's own page: one click of a mail program (RFC 8058), and the buttons."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest
from support.store_room import MONDAY
from support.web_site import FORM, LATER, READER, Site, site_of, token_of

from digestd.errors import NotAllowed
from digestd.model import Origin, Subscriber, SubscriberState

LEFT = (SubscriberState.UNSUBSCRIBED, Origin.READER)
MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n',
    "multipart/form-data; boundary=b",
)


def count_changes(site: Site) -> None:
    """Have the database itself count every write to a subscriber."""
    with sqlite3.connect(site.room.path) as connection:
        connection.execute("CREATE TABLE change (number INTEGER)")
        connection.execute(
            "CREATE TRIGGER counted AFTER UPDATE ON subscriber BEGIN INSERT INTO change VALUES (NEW.pk); END"
        )
    connection.close()


def changes(site: Site) -> int:
    connection = sqlite3.connect(site.room.path)
    count: int = connection.execute("SELECT count(*) FROM change").fetchone()[0]
    connection.close()
    return count


async def test_post_of_any_kind_unsubscribes_at_once_without_redirect(site: Site) -> None:
    posted = [
        (b"List-Unsubscribe=One-Click", FORM),
        (b"List-Unsubscribe=One-Click", f"{FORM}; charset=UTF-8"),
        MULTIPART,
        (b"", FORM),
        (b"", ""),
        (b"action=unsubscribe", FORM),
        (b"List-Unsubscribe=One-Click&action=pause", FORM),
        (b"\xff\0%%%&&&===", FORM),
        (b"{}", "application/json"),
    ]
    for body, kind in posted:
        site.room.store.subscribers.set_state(READER, SubscriberState.ACTIVE, Origin.READER, MONDAY)
        answer = await site.post(body, kind)
        assert answer.status == 200, body
        assert site.state == LEFT, body
        assert "You are unsubscribed. Nothing more will be sent." in answer.words
        assert answer.page.text("title") == "You are unsubscribed. Nothing more will be sent."
        assert answer.header("location") is None
        assert answer.header("set-cookie") is None


async def test_post_from_another_site_with_foreign_headers_unsubscribes(site: Site) -> None:
    answer = await site.post(
        b"List-Unsubscribe=One-Click", Origin="https://mail.example.net", Cookie="a=b", Referer="https://x.example"
    )
    assert answer.status == 200
    assert site.state == LEFT


async def test_post_in_pieces_and_after_100_continue_unsubscribes(site: Site) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    head = f"POST {site.path} HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\nTransfer-Encoding: chunked\r\n"
    writer.write(head.encode() + b"Expect: 100-continue\r\nConnection: close\r\n\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
    for piece in (b"List-Unsub", b"scribe=One", b"-Click"):
        writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        await writer.drain()
    writer.write(b"0\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    writer.close()
    assert site.state == LEFT


async def test_post_again_and_again_is_one_change_and_always_200(site: Site) -> None:
    count_changes(site)
    answers = [await site.post(b"List-Unsubscribe=One-Click") for _ in range(3)]
    assert [answer.status for answer in answers] == [200] * 3
    assert changes(site) == 1


async def test_post_a_hundred_at_once_is_one_change_and_always_200(site: Site) -> None:
    count_changes(site)
    answers = await asyncio.gather(*(site.post(b"List-Unsubscribe=One-Click") for _ in range(100)))
    assert {answer.status for answer in answers} == {200}
    assert changes(site) == 1
    assert site.state == LEFT


async def test_post_writes_the_clocks_time(site: Site) -> None:
    await site.post()
    connection = sqlite3.connect(site.room.path)
    assert connection.execute("SELECT changed_at FROM subscriber").fetchall() == [(LATER.timestamp() * 1000,)]
    connection.close()


async def test_post_concerns_nobody_else(site: Site) -> None:
    site.room.subscribe("other@example.org")
    await site.post()
    other = site.room.store.subscribers.find("other@example.org")
    assert (other.subscriber.state, other.state_by) == (SubscriberState.ACTIVE, Origin.OPERATOR)


async def test_unsubscribed_page_says_how_to_come_back(site: Site) -> None:
    answer = await site.post()
    assert "To come back one day, open this page again, or ask whoever sent you the mails." in answer.words
    assert answer.page.text("button") == "Subscribe again"
    assert answer.buttons == ["resume"]


async def test_buttons_pause_and_resume_and_leave_and_come_back(site: Site) -> None:
    steps = [
        ("pause", SubscriberState.PAUSED, "Your mail is paused."),
        ("pause", SubscriberState.PAUSED, "Your mail is paused."),
        ("resume", SubscriberState.ACTIVE, "You get papers again."),
        ("resume", SubscriberState.ACTIVE, "You get papers again."),
        ("unsubscribe", SubscriberState.UNSUBSCRIBED, "You are unsubscribed."),
        ("resume", SubscriberState.ACTIVE, "You get papers again."),
    ]
    for action, state, heading in steps:
        answer = await site.press(action)
        assert (answer.status, answer.page.text("h1")) == (200, heading)
        assert site.state == (state, Origin.READER)


async def test_button_that_is_not_the_readers_changes_nothing_and_says_how_things_are(site: Site) -> None:
    for state, by in (
        (SubscriberState.PENDING, Origin.OPERATOR),
        (SubscriberState.UNSUBSCRIBED, Origin.OPERATOR),
        (SubscriberState.UNSUBSCRIBED, Origin.FILE),
        (SubscriberState.SUPPRESSED, Origin.OPERATOR),
    ):
        site.room.store.subscribers.set_state(READER, state, by, MONDAY)
        shown = await site.get()
        for action in ("pause", "resume"):
            answer = await site.press(action)
            assert (answer.status, answer.body) == (409, shown.body), (state, action)
            assert site.state == (state, by), action


async def test_pause_of_one_who_left_does_not_bring_them_half_back(site: Site) -> None:
    await site.post()
    assert (await site.press("pause")).status == 409
    assert site.state == LEFT


async def test_unsubscribing_where_nothing_is_sent_keeps_the_wish_and_opens_no_way_back(site: Site) -> None:
    for state, by in (
        (SubscriberState.PENDING, Origin.OPERATOR),
        (SubscriberState.UNSUBSCRIBED, Origin.OPERATOR),
        (SubscriberState.UNSUBSCRIBED, Origin.FILE),
        (SubscriberState.SUPPRESSED, Origin.OPERATOR),
    ):
        async with site_of(site.room.path.parent / f"{state}-{by}") as other:
            other.room.store.subscribers.set_state(READER, state, by, MONDAY)
            for _ in range(2):
                answer = await other.post()
                assert (answer.status, answer.buttons) == (200, []), (state, by)
                assert "You asked to leave, and that stands" in answer.words
            assert (await other.press("resume")).status == 409, (state, by)
            assert other.state == (state, by), "a suppression or a removal is not lifted by leaving and coming back"
            assert other.room.store.subscribers.find(READER).has_left


async def test_unsubscribing_outlives_the_operators_removal_and_the_file(site: Site) -> None:
    site.room.state(READER, SubscriberState.UNSUBSCRIBED)
    await site.post()
    site.room.people(Subscriber(READER))
    assert site.state == (SubscriberState.UNSUBSCRIBED, Origin.OPERATOR)
    with pytest.raises(NotAllowed, match="asked to leave"):
        site.room.state(READER, SubscriberState.ACTIVE)


async def test_resuming_takes_back_the_wish_to_leave(site: Site) -> None:
    await site.post()
    assert site.room.store.subscribers.find(READER).has_left
    await site.press("resume")
    assert not site.room.store.subscribers.find(READER).has_left


async def test_link_of_an_address_written_otherwise_still_opens(site: Site) -> None:
    token = token_of(site.room, READER)
    site.room.people(Subscriber("Reader@Example.ORG"))
    assert (await site.post(path=f"/u/{token}")).status == 200
    assert site.state == LEFT
