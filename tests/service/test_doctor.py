"""`digestd doctor` on sound and unsound parts: a scripted relay, a small name server, folders that are none."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from support.smtp_script import SmtpScript
from support.world import MONDAY, World, papers, reader

from digestd.config import Dkim, Settings
from digestd.service.dns import NoAnswer, resolver, texts
from digestd.service.doctor import Finding, Health, domain, examine, relays


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    made.people(reader("ada", "robot"))
    yield made
    made.close()


def found(settings: Settings, now: datetime = MONDAY) -> dict[str, Finding]:
    return {one.part: one for one in examine(settings, now)}


def test_doctor_finds_a_sound_service_sound(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digestd.service.doctor.resolver", lambda: None)
    world.drop(papers("A Robot"))
    said = found(world.settings)
    assert {name for name, one in said.items() if one.health is not Health.SOUND} == {"dns"}
    assert "1 subscriber" in said["subscribers"].said
    assert said["store"].said.endswith(", 1 paper")


def test_doctor_names_each_part_that_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digestd.service.doctor.resolver", lambda: None)
    world.drop(papers("A Robot"))
    world.settings.subscribers.write_text(reader("ada", "robot AND"))
    quarantine = world.folder / "file" / "quarantine"
    quarantine.parent.write_text("a file where a folder should be")
    paths = world.settings.paths.model_copy(update={"quarantine": quarantine, "templates": world.folder / "none"})
    disk = world.settings.disk.model_copy(update={"min_free_mb": 10_000_000})
    said = found(world.settings.model_copy(update={"paths": paths, "disk": disk}), MONDAY - timedelta(days=1))
    assert {name: one.health for name, one in said.items() if one.health is not Health.SOUND} == {
        "subscribers": Health.FAILED,
        "templates": Health.FAILED,
        "clock": Health.WARNING,
        "quarantine": Health.FAILED,
        "disk": Health.FAILED,
        "dns": Health.WARNING,
    }
    assert "line 6" in said["subscribers"].said
    assert found(world.settings, datetime(2000, 1, 1, tzinfo=UTC))["clock"].health is Health.FAILED


def test_doctor_finds_a_store_that_is_none(world: World) -> None:
    (world.folder / "other.db").write_text("this is no database, but longer than nothing at all")
    paths = world.settings.paths.model_copy(update={"database": world.folder / "other.db"})
    assert found(world.settings.model_copy(update={"paths": paths}))["store"].health is Health.FAILED


async def test_doctor_greets_the_relay_and_sends_only_when_asked(tmp_path: Path) -> None:
    async with SmtpScript() as server:
        settings = replaced(World(tmp_path, server))
        assert (await relays(settings, None))[0].health is Health.SOUND
        assert server.messages == []
        assert (await relays(settings, "you@example.org"))[0].health is Health.SOUND
        (message,) = server.messages
        assert message.recipients == ("you@example.org",)
    (gone,) = await relays(settings, None)
    assert gone.health is Health.FAILED
    assert "connect" in gone.said


async def test_doctor_says_why_a_relay_refuses(tmp_path: Path) -> None:
    async with SmtpScript({"RCPT": ["550 5.1.1 nobody here"]}) as server:
        (refused,) = await relays(replaced(World(tmp_path, server)), "you@example.org")
        assert refused.health is Health.FAILED
        assert "550" in refused.said
        assert "nobody here" in refused.said


def replaced(world: World) -> Settings:
    world.close()
    return world.settings


def test_doctor_compares_the_dkim_key_with_the_published_one(world: World) -> None:
    pem, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    file = world.folder / "key.pem"
    file.write_bytes(pem.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    mail = world.settings.mail.model_copy(update={"dkim": (Dkim(selector="s1", key_file=file),)})
    settings = world.settings.model_copy(update={"mail": mail})

    def published(key: Ed25519PrivateKey) -> Mapping[str, list[str]]:
        import base64

        half = base64.b64encode(key.public_key().public_bytes_raw()).decode()
        return {
            "example.org": ["v=spf1 -all"],
            "_dmarc.example.org": ["v=DMARC1; p=none", "v=DMARC1; p=reject"],
            "s1._domainkey.example.org": [f"v=DKIM1; k=ed25519; p={half}"],
        }

    right = {one.part: one.health for one in domain(settings, lambda name: published(pem)[name])}
    assert right == {"spf": Health.SOUND, "dmarc": Health.FAILED, "dkim": Health.SOUND}
    wrong = {one.part: one.health for one in domain(settings, lambda name: published(other)[name])}
    assert wrong["dkim"] is Health.WARNING


# The DNS


@contextmanager
def name_server(records: Mapping[str, list[str]], code: int = 0) -> Iterator[int]:
    """Answer questions on loopback until the block ends; yields the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                question, sender = line.recvfrom(512)
                if len(question) < 12:
                    return
                labels, at = [], 12
                while size := question[at]:
                    labels.append(question[at + 1 : at + 1 + size].decode())
                    at += 1 + size
                answers = records.get(".".join(labels), [])
                body = question[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, len(answers), 0, 0) + question[12:]
                for text in answers:
                    parts = [text[begin : begin + 200].encode() for begin in range(0, len(text), 200)]
                    octets = b"".join(bytes([len(part)]) + part for part in parts)
                    body += b"\xc0\x0c" + struct.pack("!HHIH", 16, 1, 60, len(octets)) + octets
                line.sendto(b"xx" + body[2:], sender)  # another's answer is passed over
                line.sendto(body, sender)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield line.getsockname()[1]
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
                end.sendto(b"", line.getsockname())
            thread.join()


def test_texts_are_joined_and_none_where_there_are_none() -> None:
    long = "v=DKIM1; p=" + "A" * 500
    with name_server({"example.org": ["v=spf1 -all", long]}) as port:
        assert texts("example.org.", "127.0.0.1", port) == ["v=spf1 -all", long]
        assert texts("other.example", "127.0.0.1", port) == []


def test_texts_of_a_server_that_fails_or_is_not_there_are_no_answer() -> None:
    with name_server({}, code=2) as port, pytest.raises(NoAnswer):
        texts("example.org", "127.0.0.1", port)
    with pytest.raises(NoAnswer):
        texts("example.org", "127.0.0.1", port, limit=0.2)


def test_resolver_is_the_first_that_is_named(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("# none\nsearch example.org\nnameserver 192.0.2.1\nnameserver 192.0.2.2\n")
    assert resolver(file) == "192.0.2.1"
    assert resolver(tmp_path / "none") is None
