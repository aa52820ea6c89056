"""What rspamd and SpamAssassin make of each kind of mail, without network, on messages of this hour.

Run by `make spam` and with the other slow tests: rspamd compiles its rules for ten seconds and more before it answers.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from support.editions import SENDER, edition, entry, paper, section, seed_papers, snapshot

from digestd.letters import Letter, LetterKind
from digestd.model import Cadence, Edition
from digestd.publish.dkim import Signer
from digestd.publish.message import build_message
from digestd.publish.render import render

MOST = 1.0  # of a score
WAIT = 150.0  # seconds
# What may count against a mail, and why that is no fault of it.
EXPECTED = {
    "URI_COUNT_ODD": "an odd number of addresses over both parts: every second mail has one",
    "MANY_INVISIBLE_PARTS": "the line that an inbox shows after the subject is hidden in the mail",
}

CONF = """\
.include "$CONFDIR/common.conf"
options {{
  pidfile = "{folder}/rspamd.pid";
  filters = "chartable,dkim,regexp";
  control_socket = "{folder}/rspamd.sock mode=0600";
  hs_cache_dir = "{folder}";
  dns {{ nameserver = ["127.0.0.1:9:1"]; timeout = 0.05s; retransmits = 1; fake_records = {records}; }}
  local_addrs = [127.0.0.0/8];
}}
logging {{ type = "file"; filename = "{folder}/rspamd.log"; level = "error"; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; mime = true; }}
"""


RSA, ED25519 = generate_private_key(65537, 2048), Ed25519PrivateKey.generate()


def signers() -> tuple[Signer, ...]:
    kept = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return (
        Signer.of_pem("example.org", "rsa", RSA.private_bytes(*kept)),
        Signer.of_pem("example.org", "ed", ED25519.private_bytes(*kept)),
    )


def records() -> str:
    """Return what DNS says of the keys, as rspamd is told."""
    rsa = RSA.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ed25519 = ED25519.public_key().public_bytes_raw()
    texts = {name: base64.b64encode(key).decode() for name, key in (("rsa", rsa), ("ed25519", ed25519))}
    return json.dumps(
        [
            {
                "name": f"{selector}._domainkey.example.org",
                "type": "txt",
                "replies": [f"v=DKIM1; k={kind}; p={texts[kind]}"],
            }
            for selector, kind in (("rsa", "rsa"), ("ed", "ed25519"))
        ]
    )


def mails() -> dict[str, bytes]:
    now = datetime.now(UTC)
    links = paper(5, abstract="Robots learn; see https://agent-robot.github.io/ and https://github.com/agent/robot.")
    letters = [Letter(kind, ("agent",), ("medical",), "every day at 08:00 (UTC)", "1.x") for kind in LetterKind]
    editions: dict[str, Edition] = {
        "digest": edition(section(*(entry(one, "agent") for one in seed_papers(12))), composed_at=now),
        "links": edition(section(entry(links, "robot OR agent")), composed_at=now),
        "alert": edition(cadence=Cadence.IMMEDIATE, issue="immediate:1", composed_at=now),
        "empty": edition(section(), composed_at=now),
        **{letter.kind.value: edition(letter=letter, composed_at=now) for letter in letters},
    }
    return {name: build_message(one, render(one, snapshot()), SENDER) for name, one in editions.items()}


@pytest.fixture(scope="module")
def rspamd() -> Iterator[int]:
    """Run rspamd on loopback without redis and answers of DNS; yields its port."""
    if os.geteuid() != 0 or shutil.which("rspamd") is None:
        pytest.skip("rspamd is not installed, or this is not root")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="rspamd-") as made:
        folder = Path(made)
        shutil.chown(folder, "_rspamd", "_rspamd")
        (folder / "rspamd.conf").write_text(CONF.format(folder=folder, port=port, records=records()))
        places = [f"--var={name}={folder}" for name in ("DBDIR", "RUNDIR", "LOGDIR")]
        command = ["rspamd", "-f", "-u", "_rspamd", "-g", "_rspamd", "-c", str(folder / "rspamd.conf"), *places]
        with (folder / "out").open("wb") as out:
            server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            deadline = time.monotonic() + WAIT
            while not answers(port):
                assert time.monotonic() < deadline, (folder / "out").read_text()
                time.sleep(0.05)  # another process's doing gives no event to wait for
            yield port
        finally:
            server.terminate()
            server.wait(WAIT)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.peer
@pytest.mark.faults
def test_rspamd_finds_nothing_against_any_mail(rspamd: int) -> None:
    for name, message in mails().items():
        told = judged(rspamd, message, "127.0.0.1")
        against = {symbol for symbol, one in told["symbols"].items() if one["score"] > 0}
        assert against <= EXPECTED.keys(), name
        assert told["score"] <= MOST, name


@pytest.mark.peer
@pytest.mark.faults
def test_rspamd_takes_both_signatures_and_refuses_a_changed_letter(rspamd: int) -> None:
    of = edition(section(*(entry(one, "agent") for one in seed_papers(12))), composed_at=datetime.now(UTC))
    message = build_message(of, render(of, snapshot()), SENDER, signers())
    outside = "198.51.100.7"  # what comes from this machine itself is not checked
    allowed = judged(rspamd, message, outside)["symbols"]["R_DKIM_ALLOW"]["options"]
    assert sorted(allowed) == ["example.org:s=ed", "example.org:s=rsa"]
    refused = judged(rspamd, message.replace(b"Agents", b"Agenta", 1), outside)["symbols"]
    assert "R_DKIM_REJECT" in refused
    assert "R_DKIM_ALLOW" not in refused


def judged(port: int, message: bytes, ip: str) -> Any:
    """Return what rspamd says of a message from an address."""
    headers = {"From": SENDER.from_address, "Rcpt": "reader@example.org", "IP": ip}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/checkv2", message, headers)
    with urllib.request.urlopen(request, timeout=WAIT) as answer:
        return json.load(answer)


@pytest.mark.peer
@pytest.mark.faults
def test_spamassassin_finds_nothing_against_any_mail() -> None:
    if shutil.which("spamassassin") is None:
        pytest.skip("spamassassin is not installed")
    for name, message in mails().items():
        if name not in ("digest", "confirm"):  # three seconds each
            continue
        told = subprocess.run(
            ["spamassassin", "--local", "--test-mode"], input=message, capture_output=True, check=True, timeout=WAIT
        )
        status = told.stdout.decode().partition("X-Spam-Status: ")[2].partition("\n")[0]
        score = float(status.partition("score=")[2].split()[0])
        assert score <= 0, f"{name}: {told.stdout.decode()[-2000:]}"
