"""A web server on loopback that says what it is told, byte by byte, and remembers what it was asked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Answer = bytes | Callable[[socket.socket], None]


def ok(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Return an answer with a body of known length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def forever(begin: bytes, piece: bytes, pause: float = 0.0) -> Callable[[socket.socket], None]:
    """Return an answer that never ends: `piece` again and again, `pause` seconds apart, until the other side leaves."""

    def answer(line: socket.socket) -> None:
        line.sendall(begin)
        line.settimeout(pause or 0.001)
        while True:
            try:
                line.recv(1)
            except TimeoutError:
                line.settimeout(5)
                line.sendall(piece)
                line.settimeout(pause or 0.001)
                continue
            return

    return answer


def silent(line: socket.socket) -> None:
    """Say nothing until the other side leaves."""
    line.settimeout(20)
    line.recv(1)


class HttpScript:
    """The server: `answers` are given one a connection, the last one again and again; `asked` are the requests."""

    def __init__(self, *answers: Answer, ends: bytes = b"\r\n\r\n") -> None:
        """Answer each request once it holds what `ends` it."""
        self.answers = list(answers)
        self._ends = ends
        self.asked: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/feed?x=1"

    def serve(self) -> None:
        """Answer until the socket is closed."""
        while True:
            try:
                line, _ = self._socket.accept()
            except OSError:
                return
            with line, suppress(OSError):
                self._answer(line)

    def _answer(self, line: socket.socket) -> None:
        line.settimeout(5)
        asked = b""
        while self._ends not in asked:
            piece = line.recv(65_536)
            if not piece:
                return
            asked += piece
        self.asked.append(asked.decode("latin-1"))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            answer(line)
        else:
            line.sendall(answer)

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@contextmanager
def http_script(*answers: Answer, ends: bytes = b"\r\n\r\n") -> Iterator[HttpScript]:
    """Run a server while the block lasts."""
    server = HttpScript(*answers, ends=ends)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join(10)
