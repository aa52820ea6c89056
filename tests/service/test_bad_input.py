"""Mistakes of an operator in a running service: the status line names each place, and the work goes on as before."""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path

import pytest
from support.editions import TEMPLATES
from support.manager import Manager, under
from support.office_files import configured
from support.serving import serving
from support.smtp_script import SmtpScript
from support.world import papers

PEOPLE = """[[subscriber]]
email = "ada@example.org"
timezone = "Europe/Berlin"
quiet_hours = "22:00-22:01"
[[subscriber.profile]]
name = "Robots"
queries = ["robot"]
cadence = "immediate"
at = "08:00"
days = ["mon"]
"""
CARD = (TEMPLATES / "mail" / "card.html.j2").read_text()

# What is written instead of what, in which file, and what the status line says of it.
MISTAKES = [
    (
        "subscribers.toml",
        "Europe/Berlin",
        "Europe/Berln",
        "line 3, column 12: timezone: 'Europe/Berln' is not a time zone",
    ),
    ("subscribers.toml", "08:00", "25:00", "line 9, column 6: at: '25:00' is not an hour of the day"),
    ("subscribers.toml", '["mon"]', "[1]", "line 10, column 9: days.0: input should be 'mon'"),
    (
        "subscribers.toml",
        "22:00-22:01",
        "22:00-22:00",
        "line 4, column 15: quiet_hours: '22:00-22:00' begin when they end",
    ),
    ("subscribers.toml", '"robot"', '"(robot"', "line 7"),
    ("subscribers.toml", '"Robots"', '"Robots', "line 6"),
    ("digestd.toml", "tick_seconds =", "tick_second =", "tick_second is not a known key; did you mean"),
    ("digestd.toml", "[schedule]", "[schedule", "line"),
    ("templates/mail/card.html.j2", "card.title", "card.titel", "mail/card.html.j2"),
    ("templates/mail/card.html.j2", "{% if card.why %}", "{% if %}", "mail/card.html.j2, line"),
]


def has_heard(manager: Manager, before: int, words: str) -> bool:
    return any(words in one for one in manager.heard[before:])


@pytest.mark.slow
async def test_mistakes_on_reload_stand_in_the_status_line_and_the_work_goes_on(
    tmp_path: Path,
) -> None:
    manager = Manager(tmp_path / "notify")
    (tmp_path / "templates" / "mail").mkdir(parents=True)
    (tmp_path / "templates" / "mail" / "card.html.j2").write_text(CARD)
    (tmp_path / "subscribers.toml").write_text(PEOPLE)
    async with SmtpScript() as relay:
        config = configured(tmp_path, relay.port)
        config.write_text(config.read_text().replace("[paths]", '[paths]\ntemplates = "templates"', 1))
        async with serving(config, fault=partial(under, manager.path, "100000")) as served:
            for number, (name, good, bad, said) in enumerate(MISTAKES, 1):
                file = tmp_path / name
                sound = file.read_text()
                assert good in sound
                file.write_text(sound.replace(good, bad, 1))
                before = len(manager.heard)
                served.send(signal.SIGHUP)
                await served.until(partial(has_heard, manager, before, said))
                told = next(one for one in manager.heard[before:] if said in one)
                assert told.startswith("STATUS=")
                assert name.rpartition("/")[2] in told
                (tmp_path / "new").write_text(papers(f"Robot {number}"))
                (tmp_path / "new").rename(tmp_path / "inbox" / f"{number}.jsonl")
                await relay.until(lambda count=number: len(relay.messages) == count)  # type: ignore[misc]
                file.write_text(sound)
                before = len(manager.heard)
                served.send(signal.SIGHUP)
                await served.until(partial(has_heard, manager, before, "STATUS=at work"))
            assert await served.stopped() == 0
    manager.close()
