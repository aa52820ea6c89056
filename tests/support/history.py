"""The history checker: what must be true of a store, of the inbox and of the mail that a relay received, whatever
happened in between. Every test of a fault ends with it.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from support.smtp_actions import Received

from digestd.model import OutboxState
from digestd.store.base import OutboxRow, Store

FINAL = {OutboxState.SENT, OutboxState.FAILED, OutboxState.CANCELLED, OutboxState.UNCERTAIN}
ALL = 10_000_000


def check_history(
    store: Store,
    received: Sequence[Received],
    *,
    kills: int,
    connections: int,
    folder: Path | None = None,
    dropped: Collection[str] = (),
    wanted: Mapping[str, Collection[str]] | None = None,
    left: Mapping[str, int] | None = None,
) -> int:
    """Assert that nothing was lost and that copies are few and equal. Returns the number of extra copies.

    `received` are the messages whose final dot came, whether or not the client heard the reply. `dropped` are the
    texts that were put into the inbox under `folder`. `wanted` are the titles that each address must have been told
    of, each once. `left` maps those who left to how many messages had been received when they were told so.
    """
    copies: defaultdict[str, list[Received]] = defaultdict(list)
    for message in received:
        assert len(message.recipients) == 1, "one recipient for each message"
        copies[message.header("Message-ID").strip("<>").partition("@")[0]].append(message)
    known = {row.edition_id: row for state in OutboxState for row in store.outbox.rows(state, ALL)}
    assert copies.keys() <= known.keys(), "something was sent that was not composed"
    for row in known.values():
        _check_edition(store, row, copies[row.edition_id])
    assert len({(row.email, row.issue) for row in known.values()}) == len(known), "an issue has two editions"
    extra = sum(max(0, len(got) - 1) for got in copies.values())
    assert extra <= kills * connections, f"{extra} extra copies after {kills} kills on {connections} connections"
    if wanted is not None:
        _check_papers(store, known.values(), wanted)
    if folder is not None:
        _check_files(store, folder, dropped)
    for address, count in (left or {}).items():
        late = [message for message in received[count:] if address in message.recipients]
        assert not late, f"{address} was told to have left, and {len(late)} messages came afterwards"
    return extra


def _check_edition(store: Store, row: OutboxRow, got: Sequence[Received]) -> None:
    edition, said = row.edition_id, [line.state for line in store.outbox.row(str(row.edition))[1]]
    assert row.state in FINAL, f"{edition} is left {row.state}"
    assert {message.recipients[0] for message in got} <= {row.email}
    assert len({message.sha256 for message in got}) <= 1, f"two copies of {edition} differ"
    if row.state is OutboxState.SENT:
        assert any(message.is_accepted for message in got), f"{edition} was lost"
        assert said.count("sent") == 1, f"{edition} in the ledger: {said}"
    assert said.count("uncertain") >= len(got) - 1, f"a copy of {edition} is not listed: {said}"


def _check_papers(store: Store, rows: Collection[OutboxRow], wanted: Mapping[str, Collection[str]]) -> None:
    told: defaultdict[str, Counter[str]] = defaultdict(Counter)
    loaded = store.editions.load([row.edition for row in rows], lambda *_: "")
    for edition, _ in loaded.values():
        told[edition.reader.email].update(one.paper.title for part in edition.sections for one in part.entries)
    assert {address: dict(titles) for address, titles in told.items() if titles} == {
        address: dict.fromkeys(titles, 1) for address, titles in wanted.items() if titles
    }, "each matching paper must be in one edition of each reader"


def _check_files(store: Store, folder: Path, dropped: Collection[str]) -> None:
    """Each file is in place, archived or quarantined, and an archived one is counted."""
    standing: Counter[str] = Counter()
    for place in ("inbox", "archive", "quarantine"):
        for path in (folder / place).rglob("*"):
            if path.is_file() and path.suffix not in (".reason", ".tmp"):
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                standing[digest] += 1
                assert place != "archive" or store.papers.ingested(digest), f"{path} is not counted"
    for text in dropped:
        assert standing[hashlib.sha256(text.encode()).hexdigest()] >= 1, "a file of the inbox is lost"
