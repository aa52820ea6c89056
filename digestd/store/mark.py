"""The mark beside a store: which state of which file on which machine may send mail.

A backup that was put back, a copied folder and a cloned machine hold editions as waiting that have been sent
since. So the store carries a token that changes with every run that sends, and the mark names the token, the file
and the machine; where the two disagree the store is a copy, and held. A backup never carries the mark's token.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from digestd.ingest.inbox import write_durably
from digestd.store.guard import beside

MACHINE_ID = Path("/etc/machine-id")


@dataclass(frozen=True, slots=True)
class Mark:
    """`tokens` may be two while one takes the other's place. `machine` is empty where machines have no id."""

    tokens: tuple[str, ...]
    inode: int
    machine: str

    def strange(self, token: str, inode: int, here: str) -> str | None:
        """Return why a store of this token and file, on this machine, is not the one that was marked."""
        if self.machine and here and self.machine != here:
            return "it was last used on another machine"
        if self.inode != inode:
            return "its file is a copy"
        if token not in self.tokens:
            return "it is older than what was last sent from it"
        return None


def mark_file(path: Path) -> Path:
    """Return where the mark of a database stands."""
    return beside(path, ".instance")


def read_mark(path: Path) -> Mark | None:
    """Return the mark of a database, None where there is none that can be read."""
    try:
        found = json.loads(mark_file(path).read_text("utf-8"))
        return Mark(tuple(map(str, found["tokens"])), int(found["inode"]), str(found["machine"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_mark(path: Path, *tokens: str, inode: int | None = None) -> None:
    """Mark the database, durably; `inode` is that of its file. Raises OSError."""
    mark = Mark(tokens, path.stat().st_ino if inode is None else inode, machine())
    write_durably(mark_file(path), json.dumps(asdict(mark)) + "\n")


def new_token() -> str:
    """Return a token that no other state of any store has."""
    return secrets.token_hex(16)


def machine() -> str:
    """Return what tells this machine from others, empty where nothing does.

    machine-id(5) wants the id itself kept private, and hashed with something of the program's own.
    """
    try:
        found = MACHINE_ID.read_bytes().strip()
    except OSError:
        return ""
    return hashlib.sha256(b"digestd " + found).hexdigest()[:32] if found else ""
