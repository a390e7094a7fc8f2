"""Byte-exact chunks of whole lines, in constant memory however long a line is.

The size of a block, in bytes and lines, decides the row groups of the table, so it belongs to the version of a format.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evidence.reading.source import BLOCK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evidence.reading.source import Source

CHUNK = BLOCK
LONGEST_LINE = 1 << 20
MOST_LINES = 1 << 18
"""A chunk ends after so many lines too: each takes some 250 bytes where it is no lookup, however short it is."""
_AT_ONCE = 1 << 18  # bytes, which a core's own cache holds


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines (the last of a file may lack its newline) from byte `start`; its first line is number `line`.

    `too_long` means one single line beyond `LONGEST_LINE`, of `size` bytes, which are not held. `ends` is how many
    newlines it has, where they were counted.
    """

    data: bytes
    start: int
    line: int
    size: int
    too_long: bool = False
    ends: int = -1

    def lines(self) -> Iterator[tuple[int, int, int, bytes]]:
        """Number, start and stop in the file, and the bytes of each line, its line end included."""
        at, number = 0, self.line
        while at < len(self.data):
            stop = self.data.find(b"\n", at) + 1 or len(self.data)
            yield number, self.start + at, self.start + stop, self.data[at:stop]
            at, number = stop, number + 1


def chunks(source: Source) -> Iterator[Chunk]:
    """All bytes of the source, in chunks of whole lines."""
    for chunk in _blocks(source):
        yield from _parts(chunk) if chunk.ends > MOST_LINES else (chunk,)


def _parts(chunk: Chunk) -> Iterator[Chunk]:
    """The same lines in chunks of `MOST_LINES`; the last may have fewer."""
    ends = np.flatnonzero(np.frombuffer(chunk.data, dtype=np.uint8) == ord("\n")) + 1
    begin = 0
    for first in range(0, chunk.ends, MOST_LINES):
        last = min(first + MOST_LINES, chunk.ends)
        stop = int(ends[last - 1])
        data = chunk.data[begin:stop]
        yield Chunk(data, chunk.start + begin, chunk.line + first, len(data), ends=last - first)
        begin = stop


def _blocks(source: Source) -> Iterator[Chunk]:
    start, line, tail = 0, 1, b""
    while data := source.read_block():
        end = data.rfind(b"\n") + 1
        if not end and len(tail) + len(data) > LONGEST_LINE:
            rest, tail = _skip_line(source)
            size = source.position - len(tail) - start if rest else source.position - start
            yield Chunk(b"", start, line, size, too_long=True)
            start, line = start + size, line + 1
            continue
        if not end:
            tail += data
            continue
        whole, tail = b"".join((tail, memoryview(data)[:end])), data[end:]
        ends = newlines(whole)
        yield Chunk(whole, start, line, len(whole), ends=ends)
        start, line = start + len(whole), line + ends
    if tail:
        yield Chunk(tail, start, line, len(tail))


def newlines(data: bytes) -> int:
    """How many there are; far faster than by `bytes.count`, which stops at each."""
    body = np.frombuffer(data, dtype=np.uint8)
    return sum(int(np.count_nonzero(body[at : at + _AT_ONCE] == ord("\n"))) for at in range(0, len(body), _AT_ONCE))


def _skip_line(source: Source) -> tuple[bool, bytes]:
    """Read on to the end of a line that is too long; whether it ended, and what was read behind it."""
    while data := source.read_block():
        end = data.find(b"\n") + 1
        if end:
            return True, data[end:]
    return False, b""
