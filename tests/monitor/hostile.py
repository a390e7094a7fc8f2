"""A server that answers as a test wants, byte for byte, and counts what it was asked and could send."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import ssl

type Answer = bytes | Callable[[], Iterator[bytes]]

LOG = Path(__file__).parents[1] / "vectors" / "custos" / "log"


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


class Server:
    """Serves the log of the vectors under /log; `answers` by path come first, each used up in its order but the last."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[str] = []
        self.sent = 0
        self.connections = 0
        self.is_over = threading.Event()
        self._tls = tls
        served = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                served._handle(self.request)

        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}/log"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handle(self, connection) -> None:
        self.connections += 1
        try:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as lines:
                while line := lines.readline():
                    while lines.readline() not in (b"\r\n", b""):
                        pass
                    self._answer(connection, line.split()[1].decode())
        except (OSError, IndexError):
            return  # the other side had enough, or does not speak HTTP

    def _answer(self, connection, path: str) -> None:
        self.asked.append(path)
        answers = self.answers.get(path, [])
        answer = (answers.pop(0) if len(answers) > 1 else answers[0]) if answers else self._file(path)
        for piece in [answer] if isinstance(answer, bytes) else answer():
            connection.sendall(piece)
            self.sent += len(piece)
        if not isinstance(answer, bytes) or b"close" in answer:
            raise ConnectionAbortedError

    @staticmethod
    def _file(path: str) -> bytes:
        file = LOG / path.removeprefix("/log/")
        return ok(file.read_bytes()) if file.is_file() else b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
