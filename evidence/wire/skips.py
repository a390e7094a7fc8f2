"""Packets that carry no DNS, many at once: most of an unfiltered capture. `read_packet` says the same of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from evidence.reading import gather
from evidence.reading.batch import HEAD, REJECTS, SKIP
from evidence.wire.octets import layout
from evidence.wire.packet import DNS, ENCRYPTED, EXTENSIONS, FRAGMENT, TCP, UDP
from evidence.wire.streams import CONTROL

if TYPE_CHECKING:
    from evidence.reading.gather import Ints
    from evidence.wire.datagrams import Family
    from evidence.wire.octets import Octets
    from evidence.wire.pieces import Piece

_REASONS = pa.array(["not-ip", "other-protocol", "other-port", CONTROL[1]])
_HEAD = layout(HEAD, octets=(0, f"V{HEAD}"))


def skipped(
    octets: Octets, piece: Piece, families: list[Family], not_ip: Ints, controls: Ints
) -> tuple[Ints, pa.Table]:
    """Their places in the piece, and their rejects, in its order; `controls` are segments that carry nothing."""
    found = [(not_ip, 0), (controls, 3), *(part for family in families for part in _of_family(piece, family))]
    index = np.concatenate([places for places, _ in found])
    reasons = np.repeat([reason for _, reason in found], [len(places) for places, _ in found])
    order = np.argsort(index, kind="stable")
    return index[order], _table(octets, piece, index[order], reasons[order])


def _of_family(piece: Piece, family: Family) -> list[tuple[Ints, int]]:
    """Packets whose header is good and whose ports or protocol are others."""
    protocol, captured = family.fields["protocol"], piece.ends[family.index]
    is_good = (family.inner <= captured) & (family.inner <= family.end)
    if not family.is_six:
        is_good &= family.fields["fragment"] & 0x3FFF == 0
    is_read = (protocol == TCP) | (protocol == UDP)
    header = np.where(protocol == UDP, 8, 20)
    ports = [family.fields[name] for name in ("port", "target_port")]
    is_other = ~np.logical_or.reduce([(port == DNS) | (port == ENCRYPTED) for port in ports])
    is_other &= is_good & is_read & (family.inner + header <= np.minimum(family.end, captured))
    is_unread = is_good & ~is_read
    if family.is_six:
        is_unread &= ~np.isin(protocol, [*EXTENSIONS, FRAGMENT])
    return [(family.index[is_unread], 1), (family.index[is_other], 2)]


def _table(octets: Octets, piece: Piece, index: Ints, reasons: Ints) -> pa.Table:
    """Rejects have the first octets of their records, none of which is shorter here."""
    starts, count = piece.starts[index], len(index)
    heads = pa.py_buffer(np.ascontiguousarray(octets.fields(_HEAD, starts)))
    offsets = pa.py_buffer(np.arange(0, HEAD * count + 1, HEAD, dtype=np.int32))
    return pa.table(
        [
            pa.array(piece.line + index), pa.array(piece.start + starts), pa.array(piece.start + piece.stops[index]),
            gather.constant(SKIP, count, pa.string()), _REASONS.take(pa.array(reasons)),
            pa.Array.from_buffers(pa.binary(), count, [None, offsets, heads]),
        ],
        schema=REJECTS,
    )  # fmt: skip
