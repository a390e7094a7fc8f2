"""Byte-exact chunks of whole lines, in constant memory however long a line is.

The size of a block, in bytes and lines, decides the row groups of the table, so it belongs to the version of a format.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evidence.reading.byte_order_mark import MARK
from evidence.reading.source import BLOCK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evidence.reading.gather import Ints
    from evidence.reading.source import Source

CHUNK = BLOCK
LONGEST_LINE = 1 << 20
MOST_LINES = 1 << 18
"""A chunk ends after so many lines too: each takes some 250 bytes where it is no lookup, however short it is."""
_AT_ONCE = 1 << 18  # bytes, which a core's own cache holds
_NEWLINE = b"\n"
_NONE = np.array([], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines (the last of a file may lack its newline) from byte `start`; its first line is number `line`.

    `too_long` means one single line beyond `LONGEST_LINE`, of `size` bytes, which are not held. `ends` are the places
    behind its newlines, where they were looked for.
    """

    data: bytes
    start: int
    line: int
    size: int
    too_long: bool = False
    ends: Ints | None = None

    def lines(self) -> Iterator[tuple[int, int, int, bytes]]:
        """Number, start and stop in the file, and the bytes of each line, its line end included."""
        at, number = 0, self.line
        while at < len(self.data):
            stop = self.data.find(b"\n", at) + 1 or len(self.data)
            yield number, self.start + at, self.start + stop, self.data[at:stop]
            at, number = stop, number + 1


def chunks(source: Source) -> Iterator[Chunk]:
    """All bytes of the source in chunks of whole lines, behind a byte order mark if there is one."""
    source.pass_over(MARK)
    for chunk in _blocks(source):
        yield from _parts(chunk) if chunk.ends is not None and len(chunk.ends) > MOST_LINES else (chunk,)


def _parts(chunk: Chunk) -> Iterator[Chunk]:
    """The same lines in chunks of `MOST_LINES`; the last may have fewer."""
    begin, places = 0, chunk.ends if chunk.ends is not None else line_ends(chunk.data)
    for first in range(0, len(places), MOST_LINES):
        ends = places[first : first + MOST_LINES]
        stop = int(ends[-1])
        data = chunk.data[begin:stop]
        yield Chunk(data, chunk.start + begin, chunk.line + first, len(data), ends=ends - begin)
        begin = stop


def _blocks(source: Source) -> Iterator[Chunk]:
    """Each ends with the last line that ends before a multiple of `CHUNK`, and the last with the source."""
    line, edge = 1, CHUNK
    while source.position < source.size:
        start, end = source.position, min(edge, source.size)
        stop = source.behind_last(_NEWLINE, end)
        if stop > start:
            data = source.read_to(stop)
            ends = line_ends(data)
            yield Chunk(data, start, line, len(data), ends=ends)
            line += len(ends)
        elif end - start > LONGEST_LINE:
            yield Chunk(b"", start, line, _skip_line(source), too_long=True)
            line += 1
        elif end < edge:
            data = source.read_to(end)
            yield Chunk(data, start, line, len(data))
        edge += CHUNK


def line_ends(data: bytes) -> Ints:
    """The places behind the newlines; quickest where none of eight bytes side by side has two of them."""
    body, found, is_end = np.frombuffer(data, dtype=np.uint8), [_NONE], np.zeros(_AT_ONCE, dtype=bool)
    for at in range(0, len(body), _AT_ONCE):
        part = body[at : at + _AT_ONCE]
        np.equal(part, ord(_NEWLINE), out=is_end[: len(part)])
        is_end[len(part) :] = False
        found.append(places(is_end) + (at + 1))
    return np.concatenate(found)


def places(marks: Any) -> Ints:
    """Where marks stand in an array of truth values, whose size is a multiple of eight."""
    eights = marks.view(np.uint64)
    found = np.flatnonzero(eights != 0)
    words = eights[found]
    below = words - np.uint64(1)
    is_one_each = not (words & below).any()
    return found * 8 + (np.bitwise_count(below) >> 3).astype(np.int64) if is_one_each else np.flatnonzero(marks)


def _skip_line(source: Source) -> int:
    """Read on to the end of a line that is too long, or of the source; how many bytes it has."""
    start, is_open = source.position, True
    while is_open and source.position < source.size:
        stop = source.behind_first(_NEWLINE, source.position + CHUNK)
        is_open = not source.read_to(stop).endswith(_NEWLINE)
    return source.position - start
