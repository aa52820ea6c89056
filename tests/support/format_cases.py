"""The golden digest files: `tests/ingest/formats/<format>/<file>`, each with what it must become beside it.

`python -m support.format_cases`, with the root and `tests` on the path, writes the expected files anew after an
intended change; the difference is then read like any other change.
"""

from __future__ import annotations

import io
import json
from datetime import date
from pathlib import Path

from digestd.errors import FileRefused
from digestd.ingest import formats, reading
from digestd.ingest.formats import json_lines
from digestd.model import Paper

FOLDER = Path(__file__).parents[1] / "ingest" / "formats"
EXPECTED = ".expected"
MODIFIED = date(2024, 1, 15)
LIMIT = 10**8


def cases() -> list[str]:
    """Return the golden files, by format and name."""
    found = (path for path in FOLDER.glob("*/*") if path.suffix != EXPECTED)
    return sorted(str(path.relative_to(FOLDER)) for path in found)


def read(content: bytes, name: str | None = None, limit: int = LIMIT) -> str:
    """Return all that a digest file's content becomes: a line a paper, bad record or repair, or why it is refused."""
    try:
        text = reading.Text(io.BytesIO(content), limit)
        told = []
        for record in formats.chosen(text.head, name).parse(text.lines(), MODIFIED):
            if isinstance(record, Paper):
                told.append(json_lines.dump(record))
            else:
                told.append(json.dumps({"line": record.line, "bad": record.reason}))
        told += [json.dumps({"repair": repair}) for repair in text.repairs]
    except FileRefused as error:
        return f"refused: {error}\n"
    return "".join(f"{line}\n" for line in told)


if __name__ == "__main__":
    for case in cases():
        path = FOLDER / case
        path.with_name(path.name + EXPECTED).write_text(read(path.read_bytes()), encoding="utf-8")
