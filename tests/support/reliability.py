"""Write the results of `make faults` into docs/reliability.md, with the commit they were measured at."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from support.results import RESULTS

PAGE = RESULTS.with_name("docs") / "reliability.md"
BEGIN, END = "<!-- measured -->\n", "<!-- end of measured -->\n"


def main(page: Path = PAGE) -> None:
    """Put a table of the results between the marks of the page."""
    results = [json.loads(line) for line in RESULTS.read_text().splitlines()]
    said = ["git", "log", "-1", "--format=%h of %cs"]
    commit = subprocess.run(said, capture_output=True, text=True, check=True, cwd=PAGE.parent).stdout.strip()
    rows = "".join(f"| {one['fault']} | {one['result']} |\n" for one in results)
    table = f"Measured at commit {commit} by `make faults`.\n\n| loop | result |\n|---|---|\n{rows}"
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}{table}{END}{after}")


if __name__ == "__main__":
    main()
