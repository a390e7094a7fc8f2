"""Where a log is read from: an http(s) address or a folder, both with the layout of C2SP tlog-tiles.

The other side is not trusted: answers are limited in size and time, redirects are not followed, and nothing but the
address that was named is spoken to (no proxy of the environment, no cookies, no compression).
"""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import ssl
import stat
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from evidence.errors import EvidenceError
from evidence.log.growth import tile_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from evidence.log.tile import Tile

SILENCE, PATIENCE = 10.0, 30.0
"""Seconds without a byte, and seconds for one answer as a whole."""
ATTEMPTS = 3
PASSING = (429, 502, 503, 504)
AT_ONCE = 4
AHEAD = 32
GONE = (404, 410)


class AddressError(EvidenceError):
    """An address that cannot be one of a log."""


class AnswerError(EvidenceError):
    """No answer that can be used; `code` is that of the finding."""

    def __init__(self, code: str, text: str, *, got: str = "", wanted: str = "", passing: bool = False) -> None:
        super().__init__(text)
        self.code, self.got, self.wanted, self.passing = code, got, wanted, passing


class Source(Protocol):
    """A log's files. `get` may be called by several threads, at most `at_once` of them."""

    at_once: int

    def get(self, path: str, limit: int) -> bytes:
        """The file at `path`, at most `limit` bytes of it. Raises `AnswerError`."""

    def close(self) -> None:
        """Let go of what was kept open."""


class FolderSource:
    """A folder that holds a log's files."""

    at_once = 1

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, path: str, limit: int) -> bytes:
        try:
            # A pipe would never end and a link could lead anywhere; so neither is opened for real.
            descriptor = os.open(self._folder / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise AnswerError("answer-garbled", "not a regular file")
                return _limited(file.read(limit + 1), limit)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise AnswerError("tile-missing", "the file is not there") from error
        except OSError as error:
            raise AnswerError("answer-none", "the file cannot be read", got=error.strerror or str(error)) from error

    def close(self) -> None:
        """Nothing is kept open."""


class HttpSource:
    """An http(s) address under which a log is served."""

    at_once = AT_ONCE

    def __init__(self, url: str, silence: float = SILENCE, patience: float = PATIENCE) -> None:
        try:
            parts = urlsplit(url)
            self._host, self._port, self._secure = parts.hostname or "", parts.port, parts.scheme == "https"
        except ValueError as error:
            raise AddressError(f"{url}: {error}") from error
        plain = url.isascii() and url.isprintable() and " " not in url
        if not plain or parts.query or parts.fragment or parts.username is not None or not self._host:
            raise AddressError(f"{url}: write http(s)://HOST[:PORT]/PREFIX, without a name, a query or a fragment")
        self._prefix = parts.path.rstrip("/")
        self._silence, self._patience = silence, patience
        self._idle: list[http.client.HTTPConnection] = []

    def get(self, path: str, limit: int) -> bytes:
        for attempt in range(ATTEMPTS):
            try:
                return self._once(path, limit)
            except AnswerError as error:
                if not error.passing or attempt + 1 == ATTEMPTS:
                    raise
                time.sleep(attempt)
        raise AssertionError  # the last attempt returns or raises

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _once(self, path: str, limit: int) -> bytes:
        late = threading.Event()
        try:
            connection = self._open_still() or self._connected()
            with _ended_after(self._patience, connection, late):
                data = _asked(connection, f"{self._prefix}/{path}", limit)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._no_answer(error, late=late.is_set()) from error
        self._idle.append(connection)
        return data

    def _open_still(self) -> http.client.HTTPConnection | None:
        """A connection whose last answer was read whole, if the other side left it open."""
        while self._idle:
            connection = self._idle.pop()
            if connection.sock is not None:
                return connection
        return None

    def _connected(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port)
        connection.auto_open = 0
        plain = socket.create_connection((connection.host, connection.port), self._silence)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._secure:
            context = ssl.create_default_context()
            # The handshake comes with the first request, where a watch ends it.
            plain = context.wrap_socket(plain, server_hostname=self._host, do_handshake_on_connect=False)
        connection.sock = plain
        return connection

    def _no_answer(self, error: Exception, *, late: bool) -> AnswerError:
        if late or isinstance(error, TimeoutError):
            limits = f"{self._patience:.0f} s, none without a byte for {self._silence:.0f} s"
            return AnswerError("answer-slow", "the answer did not come in time", wanted=f"an answer within {limits}")
        # A connection that was kept open may have been closed by the other side meanwhile.
        passing = isinstance(error, ConnectionError)
        code = "answer-none" if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) else "answer-garbled"
        text = "nobody answers" if code == "answer-none" else "the answer is not HTTP as it should be"
        return AnswerError(code, text, got=f"{type(error).__name__}: {error}"[:200], passing=passing)


@contextlib.contextmanager
def _ended_after(seconds: float, connection: http.client.HTTPConnection, late: threading.Event) -> Iterator[None]:
    """Ends an answer that drips: the reader sees the end of the connection, and `TimeoutError` is raised.

    The socket is held here, for the connection lets go of it as soon as an answer says that it is the last.
    """
    held = connection.sock

    def cut() -> None:
        late.set()
        with contextlib.suppress(OSError):  # it may be over in this very moment
            socket.socket.shutdown(held, socket.SHUT_RDWR)

    watch = threading.Timer(seconds, cut)
    watch.daemon = True
    watch.start()
    try:
        yield
        _refuse_late(late)
    except BaseException:
        connection.close()
        raise
    finally:
        watch.cancel()


def _refuse_late(late: threading.Event) -> None:
    if late.is_set():  # what was read ended because it was cut
        raise TimeoutError


def _asked(connection: http.client.HTTPConnection, path: str, limit: int) -> bytes:
    connection.request("GET", path, headers={"User-Agent": "custos-verify"})
    with connection.getresponse() as answer:
        if answer.status in GONE:
            raise AnswerError("tile-missing", "it is not served", got=f"HTTP {answer.status}", wanted="HTTP 200")
        if answer.status != http.client.OK:
            passing = answer.status in PASSING
            text = "no answer that can be used; redirects are not followed"
            raise AnswerError("answer-status", text, got=f"HTTP {answer.status}", wanted="HTTP 200", passing=passing)
        data = _limited(answer.read(limit + 1), limit)
        if answer.length:
            raise http.client.IncompleteRead(data, answer.length)
    return data


def _limited(data: bytes, limit: int) -> bytes:
    if len(data) > limit:
        text = "the answer is longer than it can be"
        raise AnswerError("answer-too-large", text, wanted=f"at most {limit} bytes")
    return data


def tiles_of(source: Source, tiles: Iterable[Tile]) -> Iterator[tuple[Tile, bytes | AnswerError]]:
    """Each tile in order, with its bytes or why there are none; over the network some are asked for ahead."""
    if source.at_once == 1:
        yield from ((tile, _tile(source, tile)) for tile in tiles)
        return
    remaining = iter(tiles)
    with ThreadPoolExecutor(source.at_once) as pool:
        waiting = deque((tile, pool.submit(_tile, source, tile)) for tile in islice(remaining, AHEAD))
        try:
            while waiting:
                tile, future = waiting.popleft()
                waiting.extend((more, pool.submit(_tile, source, more)) for more in islice(remaining, 1))
                yield tile, future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _tile(source: Source, tile: Tile) -> bytes | AnswerError:
    try:
        return source.get(tile.path, tile_bytes(tile))
    except AnswerError as error:
        return error
