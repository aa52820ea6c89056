"""The history checker: what must be true of a store and of the mail a relay received, whatever happened in between."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from support.smtp_actions import Received

from digestd.model import OutboxState
from digestd.store.base import Store

FINAL = {OutboxState.SENT, OutboxState.FAILED, OutboxState.CANCELLED, OutboxState.UNCERTAIN}


def check_history(store: Store, received: Sequence[Received], *, kills: int, connections: int) -> int:
    """Assert that nothing was lost and that copies are few and equal. Returns the number of extra copies.

    `received` are the messages whose final dot came, whether or not the client heard the reply.
    """
    copies: defaultdict[str, list[Received]] = defaultdict(list)
    for message in received:
        assert len(message.recipients) == 1, "one recipient for each message"
        copies[message.header("Message-ID").strip("<>").partition("@")[0]].append(message)
    rows = [row for state in OutboxState for row in store.outbox.rows(state, 1_000_000)]
    known = {row.edition_id: row for row in rows}
    assert copies.keys() <= known.keys(), "nothing was sent that was not composed"
    for edition, row in known.items():
        got = copies[edition]
        assert row.state in FINAL, f"{edition} is left {row.state}"
        assert row.state is not OutboxState.SENT or any(message.is_accepted for message in got), f"{edition} was lost"
        assert {message.recipients[0] for message in got} <= {row.email}
        assert len({message.sha256 for message in got}) <= 1, f"two copies of {edition} differ"
        said = [line.state for line in store.outbox.row(str(row.edition))[1]]
        assert row.state is not OutboxState.SENT or said.count("sent") == 1, f"{edition} in the ledger: {said}"
        assert said.count("uncertain") >= len(got) - 1, f"a copy of {edition} is not listed: {said}"
    extra = sum(max(0, len(got) - 1) for got in copies.values())
    assert extra <= kills * connections
    issues = {(row.email, row.issue) for row in rows}
    assert len(issues) == len(rows), "one edition for each subscriber and issue"
    return extra
