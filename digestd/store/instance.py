"""Whether this store is the one that sent last, and the turn of its token with every run that sends."""

from __future__ import annotations

import sqlite3

from digestd.errors import StoreFull
from digestd.store.mark import machine, new_token, read_mark, write_mark
from digestd.store.sql import statements
from digestd.store.sqlite import Connections


class Instance:
    """The token of a store. A run takes a new one before it sends, and another one once it has."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._sql = statements("instance")

    def strange(self) -> str | None:
        """Return why the store is not the one that sent last, None when it is."""
        mark = read_mark(self._connections.path)
        if mark is None:
            return "its mark is missing: it was copied to here"
        with self._connections.read() as connection:
            token = self._token(connection)
        return mark.strange(token, self._connections.path.stat().st_ino, machine())

    def turn(self, connection: sqlite3.Connection) -> str:
        """Take a new token within a transaction; until `confirm` the mark names both. Returns it."""
        token = new_token()
        self._write(self._token(connection), token)
        connection.execute(self._sql["set_token"], {"token": token})
        return token

    def confirm(self, token: str) -> None:
        """Forget the token that was before, now that the new one is committed."""
        self._write(token)

    def renew(self) -> None:
        """Make this store the one that sends: what others know of it counts no more."""
        with self._connections.write() as connection:
            token = self.turn(connection)
        self.confirm(token)

    def _token(self, connection: sqlite3.Connection) -> str:
        return str(connection.execute(self._sql["token"]).fetchone()[0])

    def _write(self, *tokens: str) -> None:
        try:
            write_mark(self._connections.path, *tokens)
        except OSError as error:
            raise StoreFull(f"{self._connections.path}: its mark cannot be written: {error.strerror}") from error
