"""The message, judged by its bytes and by a mail reader that is not ours."""

from __future__ import annotations

import email
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import example, given
from hypothesis import strategies as st
from support.editions import READER, ROOT, SENDER, edition, entry, paper, section, snapshot
from support.hostile import HOSTILE

from digestd.errors import AddressRefused, ConfigError
from digestd.letters import Letter, LetterKind
from digestd.match.text import clean
from digestd.model import Cadence, Edition, Place, Sender
from digestd.publish.addresses import ascii_address
from digestd.publish.dkim import Signer
from digestd.publish.encode import encoded
from digestd.publish.headers import mailbox, unstructured
from digestd.publish.message import build_message
from digestd.publish.render import Rendered, render

HEADERS = [
    "Message-ID",
    "Date",
    "From",
    "To",
    "Reply-To",
    "Subject",
    "List-Id",
    "List-Help",
    "List-Owner",
    "List-Archive",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Auto-Submitted",
    "Precedence",
    "X-Auto-Response-Suppress",
    "Feedback-ID",
    "MIME-Version",
    "Content-Language",
    "Content-Type",
]

TEXTS = st.text(st.characters(exclude_categories=["Cs"])).map(clean)
# Where a line may begin with one: alone, behind a line's end, in a fold, at the place of a soft break.
DOTTED = st.lists(st.sampled_from([".", ". ", "a", "é", "=", "\n", "x" * 74, "." * 80])).map("".join)
SIGNER = Signer("example.org", "s", Ed25519PrivateKey.generate())


def built(of: Edition | None = None, sender: Sender = SENDER, rendered: Rendered | None = None) -> bytes:
    of = of or edition()
    return build_message(of, rendered or render(of, snapshot(sender)), sender)


def parsed(message: bytes) -> EmailMessage:
    read = email.message_from_bytes(message, policy=default)
    assert isinstance(read, EmailMessage)
    return read


def header_lines(message: bytes) -> list[str]:
    return message.partition(b"\r\n\r\n")[0].decode("ascii").split("\r\n")


def header_names(message: bytes) -> list[str]:
    return [line.partition(":")[0] for line in header_lines(message) if not line.startswith(" ")]


def part_text(message: bytes, number: int) -> str:
    part = list(parsed(message).iter_parts())[number]
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode("utf-8").replace("\r\n", "\n")


def decoded(value: str) -> str:
    return str(make_header(decode_header(value.replace("\r\n", ""))))


def assert_sound(message: bytes) -> None:
    assert message.isascii()
    assert b"\r" not in message.replace(b"\r\n", b"")
    assert b"\n" not in message.replace(b"\r\n", b"")
    assert b"\0" not in message
    head, _, body = message.partition(b"\r\n\r\n")
    assert max(map(len, head.split(b"\r\n"))) <= 998
    assert max(map(len, body.split(b"\r\n"))) <= 76
    assert message.endswith(b"--\r\n")
    assert not message.startswith(b".")
    assert b"\n." not in message


def test_message_headers_stand_there_once_each_and_no_other() -> None:
    assert header_names(built()) == HEADERS


def test_message_values_are_those_of_the_mail_rules() -> None:
    message = parsed(built())
    assert message["Message-ID"] == "<0123456789abcdef0123456789abcdef@example.org>"
    assert message["Date"] == "Mon, 23 Nov 2026 07:00:00 +0000"
    assert message["From"] == "Paper Digest <papers@example.org>"
    assert message["To"] == '"A. Reader" <reader@example.org>'
    assert message["Reply-To"] == "desk@example.org"
    assert message["Subject"] == "Agents: Agent Study 1 · 23 Nov"
    assert message["List-Id"] == "Paper Digest <papers.example.org>"
    assert message["List-Help"] == "<mailto:desk@example.org?subject=help>"
    assert message["List-Owner"] == "<mailto:desk@example.org>"
    assert message["List-Archive"] == "<https://papers.example.org>"
    assert message["List-Unsubscribe"] == (
        "<https://papers.example.org/u/17.AbCdEfGhIjKlMnOpQrStUv>,"
        " <mailto:desk@example.org?subject=unsubscribe%2017.AbCdEfGhIjKlMnOpQrStUv>"
    )
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Precedence"] == "bulk"
    assert message["X-Auto-Response-Suppress"] == "All"
    assert message["Feedback-ID"] == "daily:papers.example.org:example.org"
    assert message["Content-Language"] == "en"


def test_message_without_reply_to_and_list_id_uses_the_sender() -> None:
    message = parsed(built(sender=replace(SENDER, reply_to="", list_id="")))
    assert message["Reply-To"] is None
    assert message["List-Owner"] == "<mailto:papers@example.org>"
    assert message["List-Id"] == "Paper Digest <digestd.example.org>"


def test_message_composed_in_another_zone_is_dated_in_utc() -> None:
    at = datetime(2026, 11, 23, 9, 0, tzinfo=timezone(timedelta(hours=2)))
    assert parsed(built(edition(composed_at=at)))["Date"] == "Mon, 23 Nov 2026 07:00:00 +0000"


def test_message_parts_are_the_rendered_text_then_the_rendered_html() -> None:
    rendered = render(edition(), snapshot())
    message = built(rendered=rendered)
    assert parsed(message).get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in parsed(message).iter_parts()] == ["text/plain", "text/html"]
    assert part_text(message, 0) == rendered.text
    assert part_text(message, 1) == rendered.html
    assert_sound(message)


@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r")), html=TEXTS)
@example(text="trailing blank \nand tab\t\n.\n..\n--=_0123456789abcdef0123456789abcdef--\n", html="From x\n")
@example(text="no line end and a very long line " * 20, html="=" * 300)
def test_message_any_text_arrives_as_it_was(text: str, html: str) -> None:
    message = built(rendered=Rendered("Subject", (encoded(text),), (encoded(html),)))
    assert part_text(message, 0) == text
    assert part_text(message, 1) == html
    assert_sound(message)


@given(st.lists(DOTTED, min_size=6, max_size=6), st.sampled_from([*Cadence, *LetterKind]))
@example(["."] * 6, Cadence.IMMEDIATE)
@example(["." * 200] * 6, LetterKind.MISTAKE)
def test_message_of_any_texts_has_nothing_that_a_courier_would_double(
    texts: list[str], kind: Cadence | LetterKind
) -> None:
    title, query, profile, author, from_name, name = texts
    of = edition(
        section(entry(paper(1, title=title, abstract=title, authors=(author,), source=author), query), profile=profile),
        section(entry(paper(2, title=query), title, place=Place.TITLE), profile=title, matched=3),
        cadence=kind if isinstance(kind, Cadence) else Cadence.DAILY,
        reader=READER._replace(name=name),
    )
    if isinstance(kind, LetterKind):
        told = Letter(kind, (query,), (title,), rhythm=profile, token="1.a", found=(title, query), over=(author,))
        of = of._replace(sections=(), letter=told)
    sender = replace(SENDER, from_name=from_name)
    assert_sound(build_message(of, render(of, snapshot(sender)), sender, (SIGNER,)))


@given(DOTTED, DOTTED)
@example(".", "\n.")
def test_message_of_any_templates_has_nothing_that_a_courier_would_double(before: str, behind: str) -> None:
    text = f"{before}{{% for section in sections %}}{before}{{{{ section.name }}}}{behind}{{% endfor %}}{behind}"
    looked = f"{{{{ intro | upper }}}}{before}"  # laid out for each edition anew
    for frame in (text, looked):
        of = edition(section(entry(paper(1)), profile=behind))
        made = snapshot(mail__edition__txt__j2=frame, mail__edition__html__j2=frame, mail__card__txt__j2=behind)
        assert_sound(build_message(of, render(of, made), SENDER, (SIGNER,)))


@pytest.mark.parametrize("id", ["Grüße", "a\n."])
def test_message_of_an_id_that_no_header_can_carry_is_refused(id: str) -> None:
    with pytest.raises(ValueError, match="ascii|a line of the headers begins with a dot"):
        build_message(edition(id=id), render(edition(), snapshot()), SENDER)


def test_message_long_unsubscribe_url_is_folded_only_between_the_two() -> None:
    sender = replace(SENDER, public_url="https://papers.example.org/" + "a" * 200)
    lines = header_lines(built(sender=sender))
    place = next(number for number, line in enumerate(lines) if line.startswith("List-Unsubscribe:"))
    assert lines[place] == f"List-Unsubscribe: <{sender.public_url}/u/{READER.token}>,"
    assert lines[place + 1] == f" <mailto:desk@example.org?subject=unsubscribe%20{READER.token}>"
    assert lines[place + 2].startswith("List-Unsubscribe-Post:")


@pytest.mark.parametrize(
    "public_url", ["papers.example.org", "ftp://x.org", "https://ä.example", "https://x/" + "a" * 990]
)
def test_message_public_url_that_no_header_carries_is_refused(public_url: str) -> None:
    rendered = render(edition(), snapshot())
    with pytest.raises(ConfigError, match=r"mail\.public_url"):
        build_message(edition(), rendered, replace(SENDER, public_url=public_url))


def test_message_of_a_sender_without_web_pages_is_left_by_mail_alone() -> None:
    sender = replace(SENDER, public_url="")
    raw = built(sender=sender, rendered=render(edition(), snapshot(sender)))
    message = parsed(raw)
    assert message["List-Unsubscribe"] == f"<mailto:desk@example.org?subject=unsubscribe%20{READER.token}>"
    assert message["List-Unsubscribe-Post"] is None
    assert message["List-Archive"] is None
    assert 'href="mailto:desk@example.org?subject=unsubscribe%20' in part_text(raw, 1)


def test_message_list_id_that_is_no_name_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"mail\.list_id"):
        built(sender=replace(SENDER, list_id="my papers"))


def test_message_of_every_cadence_says_so_in_the_feedback_id() -> None:
    ids = [parsed(built(edition(cadence=cadence)))["Feedback-ID"].partition(":")[0] for cadence in Cadence]
    assert ids == ["immediate", "daily", "weekly"]


def test_message_same_edition_in_a_process_with_other_hashes_gives_the_same_bytes() -> None:
    code = (
        "import hashlib\n"
        "from support.editions import edition, snapshot, SENDER\n"
        "from digestd.publish.render import render\n"
        "from digestd.publish.message import build_message\n"
        "e = edition()\n"
        "print(hashlib.sha256(build_message(e, render(e, snapshot()), SENDER)).hexdigest())\n"
    )
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    }
    assert len(digests) == 1


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize(
    "place", ["title", "abstract", "author", "source", "url", "query", "name", "profile", "from_name"]
)
def test_message_hostile_text_adds_no_header_and_breaks_no_line(place: str, text: str) -> None:
    message = built(*hostile(place, text))
    assert header_names(message) == HEADERS
    assert_sound(message)
    assert Counter(parsed(message).keys()) == Counter(HEADERS)
    assert len(parsed(message)["To"].addresses) == 1
    assert parsed(message)["To"].addresses[0].addr_spec == "reader@example.org"
    assert parsed(message)["From"].addresses[0].addr_spec == "papers@example.org"


def hostile(place: str, text: str) -> tuple[Edition, Sender]:
    sender = replace(SENDER, from_name=text) if place == "from_name" else SENDER
    reader = READER._replace(name=text) if place == "name" else READER
    fields = {"author": {"authors": (text, "Ben Two")}}.get(place, {place: text} if place in PAPER_FIELDS else {})
    hit = entry(paper(**fields), *((text,) if place == "query" else ()))
    return edition(section(hit, profile=text if place == "profile" else "Agents"), reader=reader), sender


PAPER_FIELDS = {"title", "abstract", "source", "url"}


@given(TEXTS)
@example("=?utf-8?q?a=0D=0ABcc:_evil@example.net?=")
@example("word " * 60 + "end")
@example("x" * 300)
@example("論文" * 60)
@example("Agents: ScienceAgentBench, TouchStone and 5 more · 23 Nov")
def test_unstructured_any_text_is_decoded_to_itself(text: str) -> None:
    value = unstructured("Subject", text)
    assert decoded(value) == text
    assert value.isascii()
    lines = f"Subject: {value}".split("\r\n")
    assert max(map(len, lines)) <= 78
    assert all(line.startswith(" ") and line.strip() for line in lines[1:])
    assert all(len(word) <= 75 for word in re.findall(r"=\?\S+?\?[bq]\?\S*?\?=", value))


@given(TEXTS)
def test_unstructured_any_character_is_never_split(text: str) -> None:
    for word in unstructured("Subject", text).split("\r\n "):
        decoded(word).encode()  # a half character would have become a replacement or an error
        assert "\ufffd" not in decoded(word).replace("\ufffd", "", text.count("\ufffd"))


@given(st.text(st.characters(exclude_categories=["Cs"])))
@example("a\r\nBcc: evil@example.net")
@example("a\n.\nMAIL FROM:<evil@example.net>")
def test_unstructured_of_what_nobody_cleaned_adds_no_line(text: str) -> None:
    lines = unstructured("Subject", text).split("\r\n ")
    assert not any("\n" in line or "\r" in line for line in lines)


def test_unstructured_plain_ascii_is_left_readable() -> None:
    assert unstructured("Subject", "Agents and robots") == "Agents and robots"


@given(TEXTS.map(lambda name: name[:80].strip()))
@example('Ben, the "reader" \\ (x)')
@example("=?utf-8?q?evil?=")
@example("A" * 80)
@example("")
def test_mailbox_any_name_is_read_back_with_one_address(name: str) -> None:
    value = mailbox("To", name, "reader@example.org")
    read = parsed(f"To: {value}\r\n\r\n".encode("ascii"))["To"]
    assert [address.addr_spec for address in read.addresses] == ["reader@example.org"]
    assert read_name(value) == name
    assert max(map(len, f"To: {value}".split("\r\n"))) <= 78


def read_name(value: str) -> str:
    # Python 3.11 reads a blank between two encoded-words of a name, against RFC 2047 6.2: read here by hand.
    phrase = value.rpartition("<")[0].strip()
    if phrase.startswith('"'):
        return re.sub(r"\\(.)", r"\1", phrase[1:-1])
    return decoded(phrase)


def test_mailbox_name_of_thousands_of_characters_is_cut() -> None:
    assert len(mailbox("To", "word " * 2_000, "reader@example.org")) < 200


@pytest.mark.parametrize(
    ("address", "carried"),
    [
        ("reader@example.org", "reader@example.org"),
        ("a.b+c'd@sub.example.org", "a.b+c'd@sub.example.org"),
        ("reader@bücher.example", "reader@xn--bcher-kva.example"),
        ("reader@BÜCHER.example", "reader@xn--bcher-kva.example"),
        ("root@localhost", "root@localhost"),
    ],
)
def test_ascii_address_of_a_deliverable_one_is_what_a_header_carries(address: str, carried: str) -> None:
    assert ascii_address(address) == carried


@pytest.mark.parametrize(
    "address",
    [
        "",
        "reader",
        "@example.org",
        "reader@",
        "jürgen@example.org",
        "a@b\nBcc:x",
        "a\r\nBcc: x@example.org",
        '"x@evil>"@b.org',
        "a b@example.org",
        "a..b@example.org",
        ".a@example.org",
        "a" * 65 + "@example.org",
        "a@" + "b" * 64 + ".org",
        "a@" + "b." * 130 + "org",
        "a@-b.org",
        "a@b-.org",
        "a@b..org",
        "a@b.org>",
        "a@\u2028.org",
        "a@xn--\u00fc.org",
        "a@b.org\n",
    ],
)
def test_ascii_address_that_no_header_carries_is_refused_by_name(address: str) -> None:
    with pytest.raises(AddressRefused, match=re.escape(repr(address))):
        ascii_address(address)


def test_message_to_a_refused_address_is_not_built() -> None:
    with pytest.raises(AddressRefused):
        built(edition(reader=READER._replace(email="jürgen@example.org")))
