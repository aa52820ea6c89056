"""How things stand: counted by the hour, today by the operator's midnight, and drawn in one line."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from support.command_line import command
from support.office import office
from support.store_room import EVERY_DAY, MONDAY, StoreRoom, opened, profile, work

from digestd.service import build
from digestd.service.status import chart, is_served, status_of

BERLIN = ZoneInfo("Europe/Berlin")


async def test_status_counts_what_happened_today_and_what_is_to_come(tmp_path: Path) -> None:
    async with office(tmp_path, {"RCPT": ["550 5.1.1 gone"]}, people=3) as one:
        await one.deliver()
        found = status_of(one.world.store, one.world.now, BERLIN, is_served=False, problems=())
        assert found.today == {"sent": 2, "failed": 1}
        assert (sum(found.sent_by_hour), found.sent_by_hour[-1]) == (2, 2)
        assert (found.ingested.files, found.ingested.new) == (1, 1)
        assert sum(found.due_by_hour) == 3
        assert found.next_due is not None
        assert found.is_well
        tomorrow = status_of(
            one.world.store, one.world.now + timedelta(days=1), BERLIN, is_served=True, problems=("x",)
        )
        assert (tomorrow.today, tomorrow.ingested.files) == ({}, 0)
        assert tomorrow.ingested.last_at == one.world.now
        assert not tomorrow.is_well


def test_status_of_an_empty_store(tmp_path: Path) -> None:
    with opened(tmp_path / "digestd.db") as room:
        found = status_of(room.store, MONDAY, BERLIN, is_served=False, problems=())
        assert (found.today, found.next_due, found.ingested.last_at, sum(found.due_by_hour)) == ({}, None, None, 0)


@pytest.mark.parametrize(
    ("counts", "expected"), [((), ""), ((0, 0), "  "), ((1, 8), "▁█"), ((0, 5, 10), " ▄█"), ((1, 10_000), "▁█")]
)
def test_chart_shows_counts_by_height_and_none_as_a_blank(counts: tuple[int, ...], expected: str) -> None:
    assert chart(counts) == expected


def test_is_served_while_the_lock_is_held(tmp_path: Path) -> None:
    from support.world import World

    world = World(tmp_path)
    assert not is_served(world.settings.paths.database)
    with build.only_service(world.settings):
        assert is_served(world.settings.paths.database)
    assert not is_served(world.settings.paths.database)
    world.close()


def test_history_finds_the_first_line_of_a_ledger_by_halving(tmp_path: Path) -> None:
    with opened(tmp_path / "digestd.db") as room:
        _ledger(room, hours=50)
        for back in (0, 1, 7, 49, 60):
            since = MONDAY - timedelta(hours=back)
            counted = sum(room.store.history.attempts(since).get("sent", {}).values())
            assert counted == min(back + 1, 50)


def _ledger(room: StoreRoom, hours: int) -> None:
    """Write a line for each of the last hours, the newest at MONDAY."""
    room.ingest([work(1)])
    room.subscribe("a@example.org", profile(days=EVERY_DAY))
    room.publish()
    with room.store.outbox._connections.write() as connection:
        for hour in reversed(range(hours)):
            at = MONDAY - timedelta(hours=hour)
            room.store.outbox._write(connection, 1, at, "sent", "ok")


def test_status_and_doctor_speak_to_people_and_to_programs(tmp_path: Path) -> None:
    (tmp_path / "digestd.toml").write_text(
        '[smtp]\nhost = "127.0.0.1"\nport = 1\ntls = "none"\n[mail]\nfrom_address = "papers@example.org"\n'
    )
    (tmp_path / "subscribers.toml").write_text("")
    run = command(tmp_path)
    said = run("status")
    assert (said.exit_code, said.stderr) == (0, "")
    assert "nothing waits" in said.stdout
    assert json.loads(run("status", "--json").stdout)["is_served"] is False
    doctor = run("doctor", "--json")
    findings = {one["part"]: one["health"] for one in json.loads(doctor.stdout)}
    assert (doctor.exit_code, findings["relay"], findings["store"]) == (1, "failed", "sound")
