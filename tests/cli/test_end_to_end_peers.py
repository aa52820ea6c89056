"""`digestd run-once` over a real Postfix and a real Dovecot: what was composed is what arrived."""

from __future__ import annotations

import email
import json
from email.policy import default
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.peers import MailPeers, mail_peers

from digestd.cli import main

__all__ = ["mail_peers"]

SEEDS = Path(__file__).parents[2] / "seeds" / "huggingface-papers-llms.txt"
QUERIES = ("agent", "code", "medical", "telecom*", "safety OR jailbreak*", "robot*", "hallucination", "graph")


@pytest.mark.peer
def test_run_once_over_postfix_and_dovecot_delivers_what_was_composed(mail_peers: MailPeers, tmp_path: Path) -> None:
    people = [f"reader-{number}" for number in range(16)]
    (tmp_path / "subscribers.toml").write_text(
        "".join(
            f'[[subscriber]]\nemail = "{name}@example.test"\nname = "Reader {name}"\n'
            f'[[subscriber.profile]]\nname = "Papers"\nqueries = ["{QUERIES[number % len(QUERIES)]}"]\n'
            for number, name in enumerate(people)
        )
    )
    config = tmp_path / "digestd.toml"
    config.write_text(
        '[paths]\ninbox = "inbox"\n[ingest]\nsettle_seconds = 0\n[smtp]\nhost = "127.0.0.1"\n'
        f'port = {mail_peers.smtp_port}\ntls = "none"\n[mail]\nfrom_address = "papers@example.test"\n'
        'public_url = "https://papers.example.test"\n'
    )

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(main, ["--config", str(config), *arguments])
        assert result.exit_code == 0, result.output
        return result.stdout

    run("ingest", str(SEEDS))
    expected = {}
    for name in people:
        html, text = tmp_path / f"{name}.html", tmp_path / f"{name}.txt"
        run("preview", f"{name}@example.test", "--html", str(html), "--text", str(text))
        expected[name] = (html.read_text(), text.read_text())
    told = json.loads(run("run-once", "--json"))
    assert told["deliver"]["sent"] == len(people)
    for name in people:
        (raw,) = mail_peers.mailbox(f"{name}@example.test", at_least=1)
        message = email.message_from_bytes(raw, policy=default)
        text, html = (part.get_content() for part in message.iter_parts())  # type: ignore[attr-defined]
        assert (html.replace("\r\n", "\n"), text.replace("\r\n", "\n")) == expected[name]
        assert str(message["To"]).endswith(f"<{name}@example.test>")
        assert len(message.get_all("Message-ID")) == 1
