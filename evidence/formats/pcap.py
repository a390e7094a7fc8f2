"""Captures in the format of libpcap (draft-ietf-opsawg-pcap), in both byte orders, with micro- or nanoseconds.

A file header, and packets with a header of 16 bytes each. A header that gives its packet an impossible length leaves
nothing to tell where the next one begins: the rest of the file is one reject.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evidence.reading.batch import CONTEXT, Reject
from evidence.reading.format import Format, Guess, Reading, refuse_parameters
from evidence.table.schema import LOOKUPS
from evidence.wire.capture import Capture
from evidence.wire.pieces import BAD_TIME, Interface, Piece, rest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from evidence.reading.format import Head
    from evidence.reading.source import Source

PROCEDURE, TITLE = "parse.pcap@1", "a pcap capture"
FILE_HEADER, RECORD_HEADER = 24, 16
LONGEST = 1 << 20
"""Octets of a packet; writers keep to 262,144."""
_MAGIC = {0xA1B2C3D4: 6, 0xA1B23C4D: 9}
"""Digits of a second."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of its packets: `order` is that of `struct` and NumPy."""

    order: str
    interface: Interface


def read_header(data: bytes) -> Header | None:
    """The file header that `data` begins with; None if it is none, or of another version than 2."""
    if len(data) < FILE_HEADER:
        return None
    for order in "<>":
        magic, major, _, _, _, _, link = struct.unpack_from(f"{order}IHHiIII", data)
        if magic in _MAGIC and major == 2:
            return Header(order, Interface(link & 0xFFFF, _MAGIC[magic]))
    return None


def pieces(source: Source) -> Iterator[Piece]:
    """All bytes of the source; a packet stands in one piece."""
    tail, start, line = source.read_block(), 0, 1
    header = read_header(tail)
    if header is None:
        if tail:
            yield rest(source, tail, 0, 0, "no-file-header")
        return
    first = [Reject(0, 0, FILE_HEADER, CONTEXT, "file-header", tail)]
    at = FILE_HEADER
    while True:
        found, end, is_broken = _offsets(tail, at, header.order)
        if found or first:
            yield _piece(tail[:end], start, line, found, header, first)
        start, line, tail, at, first = start + end, line + len(found), tail[end:], 0, []
        if is_broken:
            yield rest(source, tail, start, line, "gap")
            return
        more = source.read_block()
        if not more:
            break
        tail += more
    if tail:
        yield rest(source, tail, start, line, "truncated-record")


def _offsets(data: bytes, at: int, order: str) -> tuple[list[int], int, bool]:
    """Where whole records begin, where the first that is not whole does, and whether its length is impossible."""
    length = struct.Struct(f"{order}I").unpack_from
    found: list[int] = []
    last = len(data) - RECORD_HEADER
    while at <= last:
        (size,) = length(data, at + 8)
        stop = at + RECORD_HEADER + size
        if size > LONGEST:
            return found, at, True
        if stop > len(data):
            break
        found.append(at)
        at = stop
    return found, at, False


def _piece(data: bytes, start: int, line: int, offsets: list[int], header: Header, others: list[Reject]) -> Piece:
    starts = np.array(offsets, dtype=np.int64)
    fields = np.dtype([(name, f"{header.order}u4") for name in ("seconds", "fraction", "kept", "length")])
    windows = np.ndarray((max(len(data) - 15, 0),), dtype=fields, buffer=data, strides=(1,))[starts]
    seconds, fraction, kept, length = (windows[name].astype(np.int64) for name in fields.names or ())
    units = 10 ** (header.interface.digits - 6)
    times = np.where(fraction < units * 1_000_000, seconds * 1_000_000 + fraction // units, BAD_TIME)
    begins = starts + RECORD_HEADER
    return Piece(
        data, start, line, len(data), starts, begins + kept, begins, begins + kept, kept >= length, times,
        np.zeros(len(starts), dtype=np.int64), (header.interface,), tuple(others),
    )  # fmt: skip


def _guess(head: Head) -> Guess | None:
    header = read_header(head.data)
    if header is None:
        return None
    return Guess(1.0, f"{TITLE}: its first bytes say so (link type {header.interface.link})")


def _read(source: Source, parameters: Mapping[str, Any]) -> Reading:
    refuse_parameters(PROCEDURE, parameters, set())
    capture = Capture()
    return Reading(LOOKUPS, capture.read(pieces(source)), capture.notes)


FORMAT = Format(PROCEDURE, TITLE, _guess, _read, unit="packet", is_text=False)
