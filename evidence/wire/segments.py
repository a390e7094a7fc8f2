"""TCP segments of a capture, many at once: those that hold one message and nothing else, and those that hold nothing.

Most are such. Whether a message is read as it stands there is known only where its stream is (`streams`): a segment in
its turn is, all others are read one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evidence.wire.datagrams import MOST_RECORDS, Messages
from evidence.wire.octets import layout
from evidence.wire.packet import DIRECTION, DNS, SYN, TCP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evidence.reading.gather import Ints
    from evidence.wire.datagrams import Family
    from evidence.wire.octets import Octets
    from evidence.wire.pieces import Piece

    type Step = tuple[int, int, int, bytes, bytes, int, int, int, int]
    """A segment as its stream takes it: the number of its packet in the piece, where its record begins and ends in the
    capture, its `direction` and the other one, and what `Segment` says: sequence, acknowledged, flags, octets of data.
    """

_AT_ONCE = 1 << 12
_ADDRESS = {size: layout(size, octets=(0, f"({size},)u1")) for size in (4, 16)}
_LEAST = 19
"""Octets of a segment with its message's length and a question whose name is not the root."""
_HEADER = layout(14, sequence=(4, ">u4"), acknowledged=(8, ">u4"), offset=(12, "u1"), flags=(13, "u1"))
_COUNTS = ("answers", "authority", "additional")
_MESSAGE = layout(
    14, size=(0, ">u2"), bits=(4, ">u2"), questions=(6, ">u2"),
    **{name: (8 + 2 * place, ">u2") for place, name in enumerate(_COUNTS)},
)  # fmt: skip


@dataclass(slots=True)
class Segments:
    """One value a segment: its `index` in the piece, that of its interface, where its addresses stand in the buffer,
    ports, its header, and `size` octets of data.
    """

    index: Ints
    place: Ints
    source: Ints
    is_six: Any
    port: Ints
    target_port: Ints
    sequence: Ints
    acknowledged: Ints
    flags: Ints
    size: Ints

    def only(self, kept: Any) -> Segments:
        return Segments(*(getattr(self, name)[kept] for name in self.__slots__))


def whole_segments(octets: Octets, piece: Piece, family: Family) -> tuple[Segments, Ints, Messages]:
    """Segments from or to port 53 that are empty or one message, which of the packets are one, and these messages."""
    port, target_port = (family.fields[name].astype(np.int64) for name in ("port", "target_port"))
    captured, end = piece.ends[family.index], family.end
    good = (family.fields["protocol"] == TCP) & ((port == DNS) | (target_port == DNS))
    good &= (end <= captured) & (family.inner + 20 <= end)
    if not family.is_six:
        good &= family.fields["fragment"] & 0x3FFF == 0
    kept = np.flatnonzero(good)
    family, port, target_port = family.only(kept), port[kept], target_port[kept]
    header = octets.fields(_HEADER, family.inner)
    begin = family.inner + 4 * (header["offset"] >> 4).astype(np.int64)
    sequence, acknowledged, flags = (header[name].astype(np.int64) for name in ("sequence", "acknowledged", "flags"))
    source = family.at + (8 if family.is_six else 12)
    is_six = np.full(len(source), family.is_six)
    found = Segments(
        family.index, piece.places[family.index], source, is_six, port, target_port, sequence, acknowledged, flags,
        family.end - begin,
    )  # fmt: skip
    fits = begin >= family.inner + 20
    messages, is_message = _messages(octets, begin, family.end)
    is_message &= fits & (found.flags & SYN == 0)
    whole = np.flatnonzero(is_message)
    return found.only(is_message | (fits & (found.size == 0))), kept[whole], messages.only(whole)


def _messages(octets: Octets, begin: Ints, end: Ints) -> tuple[Messages, Any]:
    """What segments hold as messages, and where they hold one that can be plain."""
    head = octets.fields(_MESSAGE, begin)
    bits, *counts = (head[name].astype(np.int64) for name in ("bits", *_COUNTS))
    good = (end - begin >= _LEAST) & (head["size"] == end - begin - 2) & (head["questions"] == 1)
    good &= (bits & 0x7800 == 0) & (sum(counts) <= MOST_RECORDS)
    return Messages(begin + 2, end, bits, *counts), good


def joined(parts: list[Segments]) -> Segments:
    """Those of all families, in the order of the piece."""
    order = np.argsort(np.concatenate([part.index for part in parts]), kind="stable")
    return Segments(*(np.concatenate([getattr(part, name) for part in parts])[order] for name in Segments.__slots__))


def steps(octets: Octets, piece: Piece, found: Segments) -> Iterator[Step]:
    """One after the other; few are made ahead, since they take many times what the columns do."""
    for first in range(0, len(found.index), _AT_ONCE):
        yield from _steps(octets, piece, found.only(slice(first, first + _AT_ONCE)))


def _steps(octets: Octets, piece: Piece, found: Segments) -> Iterator[Step]:
    """Plain tuples without others inside cost least to make."""
    edges = ((piece.start + each[found.index]).tolist() for each in (piece.starts, piece.stops))
    directions = (each.view(f"V{DIRECTION.itemsize}").tolist() for each in _directions(octets, found))
    more = (getattr(found, name).tolist() for name in ("sequence", "acknowledged", "flags", "size"))
    return zip(found.index.tolist(), *edges, *directions, *more, strict=True)


def _directions(octets: Octets, found: Segments) -> tuple[Any, Any]:
    """That of each segment and the other one, as `direction` makes them."""
    there, back = (np.zeros(len(found.index), dtype=DIRECTION) for _ in range(2))
    for size, mine in ((4, ~found.is_six), (16, found.is_six)):
        kept = np.flatnonzero(mine)
        for at, names in ((0, ("source", "target")), (size, ("target", "source"))):
            taken = octets.fields(_ADDRESS[size], found.source[kept] + at)["octets"]
            for each, name in zip((there, back), names, strict=True):
                each[name][kept, :size] = taken
    for each, ports in ((there, (found.port, found.target_port)), (back, (found.target_port, found.port))):
        each["place"], each["is_six"], each["port"], each["target_port"] = found.place, found.is_six, *ports
    return there, back
