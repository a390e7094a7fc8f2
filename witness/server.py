"""The witness's two addresses (C2SP tlog-witness), each request checked and remembered before it is answered."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from evidence.errors import EvidenceError
from evidence.log.witness import BODY_LIMIT, SIZE_TYPE, Answer, Verdict, judge, log_lines, parse_request
from witness import state

if TYPE_CHECKING:
    from pathlib import Path

_PATIENCE = 10.0  # seconds for a request to arrive
TEXT = "text/plain; charset=utf-8"


class Witness:
    """One folder's witness. Judging and remembering are one step, whatever number of requests come at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = state.open_keys(folder)
        self.logs = state.followed(folder)
        self._lock = threading.Lock()

    def add_checkpoint(self, body: bytes) -> tuple[Verdict, str]:
        """The verdict, and the signature lines if it was cosigned. Raises `EvidenceError` for a damaged memory."""
        try:
            request = parse_request(body)
        except EvidenceError as error:
            return Verdict(Answer.BAD_REQUEST, str(error)), ""
        origin = request.note.partition("\n")[0]
        with self._lock:
            verdict = judge(request, self.logs, state.remembered(self.folder, origin))
            if verdict.checkpoint is None:
                return verdict, ""
            lines = self.keys.cosign(verdict.checkpoint, int(time.time()))
            signed = log_lines(request, self.logs)
            state.remember(self.folder, origin, f"{verdict.checkpoint.text}\n{signed}{lines}")
        return verdict, lines

    def last(self, name: str) -> bytes | None:
        """The checkpoint cosigned last, by the hexadecimal SHA-256 of its origin."""
        for origin in {vkey.name for vkey in self.logs}:
            path = state.memory(self.folder, origin)
            if path.name == f"{name}.checkpoint" and path.exists():
                return path.read_bytes()
        return None


class _Handler(BaseHTTPRequestHandler):
    served: Witness
    protocol_version = "HTTP/1.1"
    server_version = "custos-witness"
    sys_version = ""
    timeout = _PATIENCE
    wbufsize = 1 << 16  # head and body leave in one packet: the client would not acknowledge the first of two at once

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if self.path != "/add-checkpoint":
            self._answer(404, TEXT, "POST /add-checkpoint, GET /HASH/checkpoint\n", close=True)
        elif not (length.isascii() and length.isdecimal()) or len(length) > 9 or int(length) > BODY_LIMIT:
            self._answer(413, TEXT, f"send Content-Length of at most {BODY_LIMIT}\n", close=True)
        else:
            self._add(self.rfile.read(int(length)), int(length))

    def _add(self, body: bytes, length: int) -> None:
        if len(body) != length:
            self._answer(400, TEXT, "the request ended early\n", close=True)
            return
        try:
            verdict, lines = self.served.add_checkpoint(body)
        except (EvidenceError, OSError) as error:
            self._answer(500, TEXT, f"{error}\n")
            return
        kind = SIZE_TYPE if verdict.answer is Answer.OTHER_SIZE else TEXT
        self._answer(int(verdict.answer), kind, lines or f"{verdict.reason}\n")

    def do_GET(self) -> None:
        name, _, rest = self.path.removeprefix("/").partition("/")
        note = self.served.last(name) if rest == "checkpoint" else None
        if note is None:
            self._answer(404, TEXT, "no checkpoint of such a log was cosigned here\n")
        else:
            self._answer(200, TEXT, note.decode())

    def _answer(self, status: int, kind: str, text: str, *, close: bool = False) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if close:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)


def serve(folder: Path, host: str, port: int) -> ThreadingHTTPServer:
    """A server that is bound and ready for `serve_forever`. Raises `WitnessError` or `OSError`."""
    handler = type("Handler", (_Handler,), {"served": Witness(folder)})
    server = ThreadingHTTPServer((host, port), handler)
    server.daemon_threads = True
    return server
