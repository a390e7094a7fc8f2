"""A TCP proxy between an S3 client and its server, which can be told to misbehave from now on."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Self

PIECE = 4096
_REFUSAL = "HTTP/1.1 {status} {words}\r\nContent-Type: application/xml\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
_CODES = {500: ("Internal Server Error", "InternalError"), 503: ("Service Unavailable", "SlowDown")}


class Proxy:
    """Forwards to `port` on the loopback.

    `manner`: `well`; `slow` (each 4 KiB of an answer takes its time); `gone` (every connection is reset); 500 or 503
    (answered without asking the server); `half` (an answer of more than `half` bytes is cut there).
    `faults` counts what was done wrong; when it reaches `at_most`, the proxy behaves again.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self.manner: str | int = "well"
        self.half, self.at_most, self.faults = 0, 0, 0
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listening.getsockname()[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def behave(self, manner: str | int, *, half: int = 0, at_most: int = 0) -> None:
        self.manner, self.half, self.at_most, self.faults = manner, half, at_most, 0

    def _serve(self) -> None:
        while True:
            try:
                client = self._listening.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            if self.manner == "gone":
                self._count()
                return
            if isinstance(self.manner, int):
                self._refuse(client, self.manner)
                return
            with socket.create_connection(("127.0.0.1", self._target)) as server:
                threading.Thread(target=self._upward, args=(client, server), daemon=True).start()
                self._downward(server, client)

    def _refuse(self, client: socket.socket, status: int) -> None:
        client.recv(1 << 16)
        words, code = _CODES[status]
        body = f"<Error><Code>{code}</Code><Message>{words}</Message></Error>"
        head = _REFUSAL.format(status=status, words=words, length=len(body))
        client.sendall((head + body).encode())
        client.shutdown(socket.SHUT_WR)
        client.settimeout(1)
        while client.recv(1 << 16):  # what is still being sent must not turn the answer into a reset
            pass
        self._count()

    def _upward(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := client.recv(PIECE * 16):
                if self.manner == "gone" or isinstance(self.manner, int):
                    break  # a connection that was kept open is not spared
                server.sendall(piece)
            server.shutdown(socket.SHUT_RDWR)

    def _downward(self, server: socket.socket, client: socket.socket) -> None:
        sent = 0
        while piece := server.recv(PIECE):
            if self.manner == "slow":
                time.sleep(0.02)
                self._count()
            if self.manner == "half" and sent + len(piece) > self.half:
                client.sendall(piece[: self.half - sent])
                client.shutdown(socket.SHUT_RDWR)
                self._count()
                return
            client.sendall(piece)
            sent += len(piece)

    def _count(self) -> None:
        self.faults += 1
        if self.faults == self.at_most:
            self.manner = "well"
