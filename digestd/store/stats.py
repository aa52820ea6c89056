"""How much is in a store, for a person."""

from __future__ import annotations

from digestd.store.guard import beside
from digestd.store.sql import statements
from digestd.store.sqlite import SCHEMA_VERSION, Connections


def stats(connections: Connections) -> dict[str, object]:
    """Return the sizes of the files in bytes, how many there are of each thing, and how old the oldest is."""
    path, sql = connections.path, statements("stats")
    log = beside(path, "-wal")
    with connections.read() as connection:
        counted = {name: connection.execute(sql[name]).fetchone()[0] for name in sql if not name.startswith("by_")}
        grouped = {name[3:]: dict(connection.execute(sql[name]).fetchall()) for name in sql if name.startswith("by_")}
        page_size = connection.execute("PRAGMA page_size").fetchone()[0]
        unused = connection.execute("PRAGMA freelist_count").fetchone()[0]
    sizes = {"bytes": path.stat().st_size, "log_bytes": log.stat().st_size if log.exists() else 0}
    return {"schema": SCHEMA_VERSION, **sizes, "unused_bytes": unused * page_size, **counted, **grouped}
