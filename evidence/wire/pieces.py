"""Parts of a capture, cut at the edges of packets: what pcap and pcapng make of their bytes before these are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evidence.reading.batch import HEAD, REJECT, Reject
from evidence.reading.gather import PADDING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from evidence.reading.gather import Ints
    from evidence.reading.source import Source

NO_TIME, BAD_TIME = -1, -2
LATEST = 253_402_300_799_999_999
"""Microseconds since 1970: the last that calendars reach."""


@dataclass(frozen=True, slots=True)
class Interface:
    """Where packets were captured: link type, decimal digits of a second, a name if there is one."""

    link: int
    digits: int
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive `size` bytes of a capture from byte `start`, and the whole packets in them, from number `line`.

    They stand at the beginning of `data`, behind which are `PADDING` octets of no meaning or more: so it needs no copy.
    Columns have one value a packet: where its record stands in `data` (`starts`, `stops`) and its octets in there
    (`begins`, `ends`), whether these are all that there were on the line (`whole`), microseconds since 1970, and the
    place of its interface in `interfaces`. `others` are all bytes that are in no packet.
    """

    data: bytes
    start: int
    line: int
    size: int
    starts: Ints
    stops: Ints
    begins: Ints
    ends: Ints
    whole: Any
    times: Ints
    places: Ints
    interfaces: tuple[Interface, ...]
    others: tuple[Reject, ...] = ()

    def packet(self, index: int) -> Packet:
        start, stop = int(self.starts[index]), int(self.stops[index])
        begin, end, place = int(self.begins[index]), int(self.ends[index]), int(self.places[index])
        head = self.data[start : min(start + HEAD, self.size)]
        return Packet(
            self.line + index, self.start + start, self.start + stop, int(self.times[index]), place,
            self.interfaces[place], self.data[begin:end], bool(self.whole[index]), head,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Packet:
    """A captured packet; `head` is the beginning of its record, `place` the number of its interface."""

    line: int
    start: int
    stop: int
    time: int
    place: int
    interface: Interface
    data: bytes
    is_whole: bool
    head: bytes


def cut(source: Source, take: Callable[[bytes, int, int, int], tuple[Piece, bool]]) -> Iterator[Piece]:
    """All bytes of the source; a record stands in one piece.

    `take(data, end, start, line)` makes a piece of the whole records that `data[:end]` begins with, and says whether
    the length of the next one is impossible: then nothing tells where others begin. It may leave some for the next one.
    """
    start, line, left = 0, 1, b""
    while more := source.read_block():
        data, size = b"".join([left, more, bytes(PADDING)]), 1
        del more  # and no block is held twice
        while size and len(data) > PADDING:
            piece, is_broken = take(data, len(data) - PADDING, start, line)
            size = piece.size
            if size:
                yield piece
            start, line, data = start + size, line + len(piece.starts), data[size:]
            if is_broken:
                yield rest(source, data[:-PADDING], start, line, "gap")
                return
        left = data[:-PADDING]
    if left:
        yield rest(source, left, start, line, "truncated-record")


def rest(source: Source, data: bytes, start: int, line: int, reason: str) -> Piece:
    """All that is left of the source, which begins with `data`, as one reject."""
    while source.read_block():
        pass
    none = np.zeros(0, dtype=np.int64)
    size = source.position - start
    reject = Reject(line, start, start + size, REJECT, reason, data)
    return Piece(bytes(PADDING), start, line, size, none, none, none, none, none, none, none, (), (reject,))
