"""The golden editions: `tests/golden/<case>/` holds the edition and what it must become, to the byte.

`python -m support.golden`, with the root and `tests` on the path, writes the expected files anew after an intended
change; the difference is then read like any other change.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter
from support.editions import ROOT, SENDER, snapshot

from digestd.model import Edition
from digestd.publish.message import build_message
from digestd.publish.render import render

FOLDER = ROOT / "tests" / "golden"
EDITION = "edition.json"


def cases() -> list[str]:
    """Return the names of the golden editions."""
    return sorted(path.parent.name for path in FOLDER.glob(f"*/{EDITION}"))


def read_edition(case: str) -> Edition:
    """Return the edition of a case."""
    return TypeAdapter(Edition).validate_json((FOLDER / case / EDITION).read_bytes())


def write_edition(case: str, edition: Edition) -> None:
    """Make a new case of an edition."""
    (FOLDER / case).mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(edition), default=str, indent=2, ensure_ascii=False)
    (FOLDER / case / EDITION).write_text(text + "\n", encoding="utf-8")


def made(edition: Edition) -> dict[str, bytes]:
    """Return what an edition becomes, by file name."""
    rendered = render(edition, snapshot())
    return {
        "subject.txt": f"{rendered.subject}\n".encode(),
        "text.txt": rendered.text.encode(),
        "mail.html": rendered.html.encode(),
        "message.eml": build_message(edition, rendered, SENDER),
    }


def write_expected(folder: Path = FOLDER) -> None:
    """Write the expected files of every case."""
    for case in cases():
        for name, content in made(read_edition(case)).items():
            (folder / case / name).write_bytes(content)


if __name__ == "__main__":
    write_expected()
