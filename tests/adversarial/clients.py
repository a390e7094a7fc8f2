"""Clients that hand files in through the public API while everything around them is killed."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from client.api import PASSING, ClientError, Server

if TYPE_CHECKING:
    from collections.abc import Callable

PIECE = 64 << 10
STEP = 256 << 10  # that one request brings
BUSY, OFFSET, NOT_YET = 423, 409, 409
RECEIPT_WITHIN = 15.0  # then the next file is handed in, and this receipt is asked for at the end
GIVEN_UP_AFTER = 300.0
LINE = b"04-May-2016 00:00:12.345 queries: info: client 192.0.2.17#53124 (a.example): query: a.example IN A + (198.51.100.53)\n"


@dataclass(slots=True)
class Upload:
    """One file on its way. `acknowledged`: the server said that it has all bytes."""

    data: bytes
    submission: str = ""
    said: int = 0
    acknowledged: bool = False
    receipt: bytes | None = None

    @property
    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.data).hexdigest()}"


@dataclass(slots=True)
class Ledger:
    """What all clients were told. Each thread appends; nobody else writes before they are done."""

    uploads: list[Upload] = field(default_factory=list)
    taken_back: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    cuts: int = 0


class Client(threading.Thread):
    """Hands in one file after another until `ended` is set."""

    def __init__(self, url: str, token: str, ledger: Ledger, seed: int, ended: threading.Event) -> None:
        super().__init__(daemon=True)
        self._server, self._ledger, self._ended = Server(url, token), ledger, ended
        self._dice = random.Random(seed)

    def run(self) -> None:
        with self._server:
            while not self._ended.is_set():
                try:
                    self._hand_in(Upload(self._data()))
                except ClientError as error:  # an answer that no restart explains
                    self._ledger.faults.append(str(error))

    def _data(self) -> bytes:
        """Mostly small, some of several requests, some empty, some text that is read; always different."""
        size = self._dice.choice((0, 90, 4_000, 70_000, 400_000, 1_500_000))
        if size == 0 or self._dice.random() < 0.8:
            return self._dice.randbytes(size)
        return b"# %d\n" % self._dice.getrandbits(64) + LINE * (size // len(LINE))

    def _hand_in(self, upload: Upload) -> None:
        said = {"filename": "a.log", "case": "storm"}
        brings = upload.data[: self._dice.choice((0, STEP))]
        location, stands = self._again(lambda: self._server.begin(len(upload.data), said, brings))
        upload.submission = location.rsplit("/", 1)[1]
        self._ledger.uploads.append(upload)
        self._check_offset(upload, stands)
        while not upload.acknowledged:
            self._check_offset(upload, self._again(lambda: self._server.offset(location)))
            self._send(location, upload)
        self._take_receipt(upload)
        time.sleep(self._dice.random() / 4)

    def _check_offset(self, upload: Upload, stands: int) -> None:
        """What was once acknowledged must not be asked for again."""
        if stands < upload.said:
            self._ledger.taken_back.append(f"{upload.submission}: {stands} after {upload.said}")
        upload.said = stands
        upload.acknowledged = stands == len(upload.data)

    def _send(self, location: str, upload: Upload) -> None:
        try:
            while not upload.acknowledged:
                stop = min(len(upload.data), upload.said + STEP)
                pieces = [upload.data[at : min(at + PIECE, stop)] for at in range(upload.said, stop, PIECE)]
                self._check_offset(upload, self._server.append(location, upload.said, stop - upload.said, iter(pieces)))
        except ClientError as error:
            self._wait(error, BUSY, OFFSET)

    def _take_receipt(self, upload: Upload) -> None:
        deadline = time.monotonic() + RECEIPT_WITHIN
        while upload.receipt is None and time.monotonic() < deadline and not self._ended.is_set():
            try:
                upload.receipt = self._server.request("GET", f"/api/v1/submissions/{upload.submission}/receipt").content
            except ClientError as error:
                self._wait(error, NOT_YET)

    def _again[Answer](self, act: Callable[[], Answer]) -> Answer:
        """The answer, however long a restart takes. Raises `ClientError` for what no restart explains."""
        deadline = time.monotonic() + GIVEN_UP_AFTER
        while True:
            try:
                return act()
            except ClientError as error:
                if time.monotonic() > deadline:
                    raise
                self._wait(error)

    def _wait(self, error: ClientError, *also: int) -> None:
        if error.status not in (*PASSING, *also):
            raise error
        self._ledger.cuts += error.status in PASSING
        time.sleep(0.1)
