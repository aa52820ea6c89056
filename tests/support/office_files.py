"""The configuration file of a digestd whose folders all lie in one folder."""

from __future__ import annotations

from pathlib import Path

TICK = 0.2  # seconds; the shortest that leaves a slow machine time between two rounds


def configured(
    folder: Path, port: int, *, connections: int = 4, smtp: str = "", more: str = "", under: str = ""
) -> Path:
    """Write `digestd.toml` for a relay on a port of this machine, and return it.

    `smtp` adds keys of its table, `more` other tables; `under` is a folder in the folder for all that digestd writes.
    """
    config = folder / "digestd.toml"
    config.write_text(
        f'[paths]\ninbox = "{under}inbox"\narchive = "{under}archive"\nquarantine = "{under}quarantine"\n'
        f'database = "{under}digestd.db"\n'
        f"[ingest]\nsettle_seconds = 0\n[schedule]\ntick_seconds = {TICK}\n"
        f'[smtp]\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\nconnections = {connections}\n{smtp}\n'
        f'[mail]\nfrom_address = "papers@example.org"\n{more}\n'
    )
    return config
