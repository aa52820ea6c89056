"""Addresses of people and of the list's own pages, as headers, envelopes and links carry them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.editions import SENDER
from support.hostile import HOSTILE

from digestd.errors import AddressRefused, ConfigError
from digestd.publish.addresses import ascii_address, contact_url, unsubscribe_urls


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("reader@example.org", "reader@example.org"),
        ("A.Reader+papers@Example.ORG", "A.Reader+papers@Example.ORG"),
        ("o'neil/x=y@example.org", "o'neil/x=y@example.org"),
        ("root@localhost", "root@localhost"),
        ("reader@bücher.example", "reader@xn--bcher-kva.example"),
        ("reader@BÜCHER。example", "reader@xn--bcher-kva.example"),
        ("reader@faß.example", "reader@xn--fa-hia.example"),  # IDNA 2008: not fass
        ("reader@xn--bcher-kva.example", "reader@xn--bcher-kva.example"),
        ("a" * 64 + "@example.org", "a" * 64 + "@example.org"),
    ],
)
def test_ascii_address_is_what_a_header_and_a_command_carry(address: str, written: str) -> None:
    assert ascii_address(address) == written


@pytest.mark.parametrize(
    "address",
    [
        "",
        "@",
        "reader",
        "reader@",
        "@example.org",
        "a@b@example.org",
        "rea der@example.org",
        ".reader@example.org",
        "reader.@example.org",
        "rea..der@example.org",
        '"x@evil>"@example.org',
        "lès@example.org",
        "a" * 65 + "@example.org",
        "reader@-example.org",
        "reader@example-.org",
        "reader@example..org",
        "reader@example.org.",
        "reader@exam_ple.org",
        "reader@[192.0.2.1]",
        "reader@" + "x" * 64 + ".org",
        "reader@" + ".".join(["x" * 60] * 5),
        "reader@bü cher.example",
        "reader@\u200d.example",
        "reader@ü" + "x" * 70 + ".example",
        "a@b\nBcc:x",
        "reader@example.org\n",
        "reader@example.org\r\nBcc: e@x",
        "reader\x00@example.org",
        "=?utf-8?q?x=40evil?=@[b]",
    ],
)
def test_ascii_address_that_is_none_is_refused_with_its_text(address: str) -> None:
    with pytest.raises(AddressRefused) as caught:
        ascii_address(address)
    assert repr(address) in str(caught.value)
    assert caught.value.key == "address-refused"


def test_ascii_address_of_254_characters_passes_and_of_255_does_not() -> None:
    domain = ".".join(["x" * 61] * 4)
    assert len(domain) == 247
    assert len(ascii_address(f"reader@{domain}")) == 254
    with pytest.raises(AddressRefused, match="at most 254"):
        ascii_address(f"reader1@{domain}")


_TEXTS = st.text(max_size=20) | st.sampled_from([*HOSTILE.values(), "reader", "example.org"])


@given(_TEXTS, _TEXTS)
def test_ascii_address_of_any_text_is_one_safe_word_or_refused(local: str, domain: str) -> None:
    try:
        written = ascii_address(f"{local}@{domain}")
    except AddressRefused:
        return
    assert written.isascii()
    assert written.isprintable()
    assert written.count("@") == 1
    assert not set(written) & set(' "<>()[]:;\\,')


def test_unsubscribe_urls_are_a_page_and_a_mail() -> None:
    web, mail = unsubscribe_urls(SENDER, "17.AbC_-")
    assert web == "https://papers.example.org/u/17.AbC_-"
    assert mail == "mailto:desk@example.org?subject=unsubscribe%2017.AbC_-"


def test_unsubscribe_urls_under_a_path_keep_it() -> None:
    web, _ = unsubscribe_urls(replace(SENDER, public_url="https://example.org/papers/"), "17.AbC")
    assert web == "https://example.org/papers/u/17.AbC"


def test_unsubscribe_urls_of_a_foreign_token_stay_inside_it() -> None:
    web, mail = unsubscribe_urls(SENDER, "a/../b?c&d>")
    assert web == "https://papers.example.org/u/a%2F..%2Fb%3Fc%26d%3E"
    assert mail.endswith("unsubscribe%20a%2F..%2Fb%3Fc%26d%3E")


def test_unsubscribe_urls_without_web_pages_are_a_mail_alone() -> None:
    web, mail = unsubscribe_urls(replace(SENDER, public_url=""), "17.AbC")
    assert web is None
    assert mail.startswith("mailto:desk@example.org?")


@pytest.mark.parametrize("url", ["ftp://example.org", "//example.org", "example.org", "https://bücher.example"])
def test_unsubscribe_urls_of_a_sender_with_no_web_address_are_a_config_error(url: str) -> None:
    with pytest.raises(ConfigError, match=r"mail\.public_url: expected an http or https address"):
        unsubscribe_urls(replace(SENDER, public_url=url), "17.AbC")


def test_contact_url_is_where_replies_go_or_else_the_sender() -> None:
    assert contact_url(SENDER) == "mailto:desk@example.org"
    assert contact_url(replace(SENDER, reply_to="")) == "mailto:papers@example.org"
    assert contact_url(replace(SENDER, reply_to="o?x&y@example.org")) == "mailto:o%3Fx%26y@example.org"


def test_contact_url_of_no_address_is_refused() -> None:
    with pytest.raises(AddressRefused):
        contact_url(replace(SENDER, reply_to="nobody"))
