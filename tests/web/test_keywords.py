"""Keywords as one types them, and from where a request comes: the pure parts of the sign-up."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestd.web.forms import Typed, check_form, typed_of
from digestd.web.keywords import MAX_ENTRIES, read_keywords
from digestd.web.networks import client_of, mailbox_of, network_of


@pytest.mark.parametrize(
    ("typed", "queries", "exclude"),
    [
        ('agents, "tool use", -medical', ("agents", '"tool use"'), ("medical",)),
        ("agents\ntool use;robot*", ("agents", "tool use", "robot*"), ()),
        ('"a, b", (x OR y, z), c', ('"a, b"', "(x OR y, z)", "c"), ()),
        ("agents,, ,agents, -x, -x", ("agents",), ("x",)),
        ("-medical imaging, agent", ("agent",), ("medical imaging",)),
        ("agent -medical", ("agent -medical",), ()),
    ],
)
def test_keywords_become_queries_and_exclusions(typed: str, queries: tuple[str, ...], exclude: tuple[str, ...]) -> None:
    read = read_keywords(typed)
    assert (read.queries, read.exclude, read.mistakes) == (queries, exclude, ())


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "Name at least one word or phrase to look for."),
        ("-medical", "Besides what to leave out, name at least one word or phrase to look for."),
        ('agent, "open', '“"open”, character '),
        ("agent, -(", "“-(”, character 2"),
        ("x" * 5_000, "That is 5,000 characters; at most 4,000 are read."),
        (", ".join(f"w{n}" for n in range(MAX_ENTRIES + 1)), "There are 51 search words; at most 50 can be followed."),
    ],
)
def test_keywords_that_cannot_be_used_are_named(typed: str, said: str) -> None:
    assert said in " ".join(read_keywords(typed).mistakes)


@given(st.text(max_size=200))
def test_keywords_of_any_text_are_read_and_come_back_the_same(text: str) -> None:
    checked = check_form(Typed(email="a@example.org", keywords=text))
    if checked.profile is not None:
        again = check_form(typed_of(checked.profile), checked.profile)
        assert again.profile == checked.profile


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.7", "198.51.100.1", "192.0.2.7"),  # nobody's header is believed unless set
        ("127.0.0.1", "203.0.113.9, 198.51.100.1", "198.51.100.1"),  # what stands left of it, the client said
        ("127.0.0.1", "198.51.100.1, 10.0.0.1", "198.51.100.1"),
        ("127.0.0.1", "[2001:db8::1]:443", "2001:db8::1"),
        ("127.0.0.1", "198.51.100.1:5000", "198.51.100.1"),
        ("127.0.0.1", "nonsense", None),
        (None, "198.51.100.1", None),
    ],
)
def test_client_is_the_last_before_trusted_proxies(peer: str | None, forwarded: str, client: str | None) -> None:
    trusted = {ip_address("127.0.0.1"), ip_address("10.0.0.1")}
    assert client_of(peer, forwarded, trusted) == (ip_address(client) if client else None)


def test_network_is_what_one_customer_has() -> None:
    assert network_of(ip_address("198.51.100.77")) == "198.51.100.0/24"
    assert network_of(ip_address("::ffff:198.51.100.77")) == "198.51.100.0/24"
    assert network_of(ip_address("2001:db8:1:2::3")) == "2001:db8:1::/48"
    assert network_of(None) == "unknown"


def test_mailbox_is_one_however_its_address_is_written() -> None:
    assert mailbox_of("Ada+papers@Example.org") == mailbox_of("ada@example.org") == "ada@example.org"
    assert mailbox_of("a.d.a+x@googlemail.com") == "ada@gmail.com"
    assert mailbox_of("+x@example.org") == "+x@example.org"
