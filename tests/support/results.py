"""What the long loops came to: lines that `python -m support.reliability` puts into docs/reliability.md."""

from __future__ import annotations

import json
from pathlib import Path

RESULTS = Path(__file__).parents[2] / ".faults.jsonl"


def record(fault: str, result: str) -> None:
    """Keep a result of a long loop, and show it."""
    print(f"\n{fault}: {result}")
    with RESULTS.open("a") as file:
        file.write(json.dumps({"fault": fault, "result": result}) + "\n")
