"""Byte-exact chunks of whole lines from a file descriptor, in constant memory however long a line is.

`os.pread` and not a memory map: a file that is cut under a map kills the process. The chunk size decides the row groups
of the table, so it belongs to the version of a format.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 8 << 20
LONGEST_LINE = 1 << 20


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines (the last of a file may lack its newline) from byte `start`; its first line is number `line`.

    `too_long` means one single line beyond `LONGEST_LINE`, of `size` bytes, which are not held.
    """

    data: bytes
    start: int
    line: int
    size: int
    too_long: bool = False


class LineSource:
    """Yields chunks and hashes all bytes on the way; `digest` is good when the chunks are used up."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._hash = hashlib.sha256()
        self._position = 0

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def _read(self) -> bytes:
        """A full chunk unless the file ends: a short read of the system must not move the cuts."""
        data = os.pread(self._descriptor, CHUNK, self._position)
        while len(data) < CHUNK and (more := os.pread(self._descriptor, CHUNK - len(data), self._position + len(data))):
            data += more
        self._hash.update(data)
        self._position += len(data)
        return data

    def chunks(self) -> Iterator[Chunk]:
        start, line, tail = 0, 1, b""
        while data := self._read():
            end = data.rfind(b"\n") + 1
            if not end and len(tail) + len(data) > LONGEST_LINE:
                rest, tail = self._skip_line(data)
                size = self._position - len(tail) - start if rest else self._position - start
                yield Chunk(b"", start, line, size, too_long=True)
                start, line = start + size, line + 1
                continue
            whole, tail = tail + data[:end], (tail if not end else b"") + data[end:]
            if whole:
                yield Chunk(whole, start, line, len(whole))
                start, line = start + len(whole), line + whole.count(b"\n")
        if tail:
            yield Chunk(tail, start, line, len(tail))

    def _skip_line(self, data: bytes) -> tuple[bool, bytes]:
        """Read on to the end of a line that is too long; whether it ended, and what was read behind it."""
        while data := self._read():
            end = data.find(b"\n") + 1
            if end:
                return True, data[end:]
        return False, b""
