"""Captures in the format of libpcap (draft-ietf-opsawg-pcap), in both byte orders, with micro- or nanoseconds.

A file header, and packets with a header of 16 bytes each. A header that gives its packet an impossible length leaves
nothing to tell where the next one begins: the rest of the file is one reject.
"""

from __future__ import annotations

import functools
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evidence.reading.batch import CONTEXT, HEAD, Reject
from evidence.reading.format import Format, Guess, Reading, refuse_parameters
from evidence.table.schema import LOOKUPS
from evidence.wire.capture import Capture
from evidence.wire.octets import Octets, layout
from evidence.wire.pieces import BAD_TIME, Interface, Piece, cut, rest
from evidence.wire.record_starts import HEADER as RECORD_HEADER
from evidence.wire.record_starts import Chain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from evidence.reading.format import Head
    from evidence.reading.gather import Ints
    from evidence.reading.source import Source

PROCEDURE, TITLE = "parse.pcap@1", "a pcap capture"
FILE_HEADER = 24
LONGEST = 1 << 20
"""Octets of a packet; writers keep to 262,144."""
_MAGIC = {0xA1B2C3D4: 6, 0xA1B23C4D: 9}
"""Digits of a second."""
_RECORD = {
    order: layout(RECORD_HEADER, **{
        name: (4 * place, f"{order}u4") for place, name in enumerate(("seconds", "fraction", "kept", "length"))
    })
    for order in "<>"
}  # fmt: skip


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
    head = source.look(0, HEAD)
    header = read_header(head)
    if header:
        yield from cut(source, functools.partial(_take, header))
    elif head:
        yield rest(source, head, 0, 0, "no-file-header")


def _take(header: Header, data: bytes, end: int, start: int, line: int) -> tuple[Piece, bool]:
    """Whole packets, behind the file header if the file begins here; and if the next one's length is impossible."""
    first = 0 if start else FILE_HEADER
    starts = Chain(data, end, header.order).starts(first)
    records = Octets(np.frombuffer(data, dtype=np.uint8)).fields(_RECORD[header.order], starts)
    begins = starts + RECORD_HEADER
    stops = begins + records["kept"]
    wrong = np.flatnonzero((records["kept"] > LONGEST) | (stops > end))
    count = wrong[0] if len(wrong) else len(starts)
    is_broken = bool(len(wrong)) and bool(records["kept"][count] > LONGEST)
    starts, begins, stops, records = starts[:count], begins[:count], stops[:count], records[:count]
    size = int(stops[-1]) if count else first
    piece = Piece(
        data, start, line, size, starts, stops, begins, stops, records["kept"] >= records["length"],
        _times(records, header.interface.digits), np.zeros(count, dtype=np.int64), (header.interface,),
        () if start else (Reject(0, 0, FILE_HEADER, CONTEXT, "file-header", data[: min(end, HEAD)]),),
    )  # fmt: skip
    return piece, is_broken


def _times(records: Any, digits: int) -> Ints:
    """Microseconds since 1970."""
    seconds, fraction = (records[name].astype(np.int64) for name in ("seconds", "fraction"))
    if digits > 6:
        fraction //= 10 ** (digits - 6)
    return np.where(fraction < 1_000_000, seconds * 1_000_000 + fraction, BAD_TIME)


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
