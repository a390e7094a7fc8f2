"""Rows of the plain packets of a capture, column by column, and rejects of those that carry no DNS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from evidence.reading import gather
from evidence.table.schema import LOOKUPS, complete
from evidence.wire.address_columns import addresses
from evidence.wire.datagrams import families, merged, plain_datagrams
from evidence.wire.message_columns import message_columns
from evidence.wire.octets import Octets
from evidence.wire.skips import skipped

if TYPE_CHECKING:
    from evidence.reading.gather import Ints
    from evidence.wire.datagrams import Datagrams
    from evidence.wire.pieces import Piece


@dataclass(frozen=True, slots=True)
class Found:
    """Rows of a piece's plain packets, rejects of those that carry no DNS, and the places of all others."""

    rows: pa.Table
    rejects: pa.Table
    left: Ints


def plain_rows(piece: Piece) -> Found:
    octets = Octets(gather.padded(piece.data))
    packets, not_ip = families(octets, piece)
    parts = [plain_datagrams(piece, family) for family in packets]
    index, rejects = skipped(octets, piece, [part[2] for part in parts], not_ip)
    datagrams, messages = merged([part[:2] for part in parts])
    taken, columns = message_columns(octets, messages)
    if len(taken) < len(messages.begin):
        datagrams, messages = datagrams.only(taken), messages.only(taken)
    left = np.ones(len(piece.starts), dtype=bool)
    left[datagrams.index] = left[index] = False
    if not len(taken):
        return Found(LOOKUPS.empty_table(), rejects, np.flatnonzero(left))
    columns |= _places(piece, datagrams.index) | _ends(octets, datagrams, messages.bits & 0x8000 == 0)
    columns["transport"] = gather.constant("udp", len(taken), pa.string())
    return Found(complete(columns, len(taken), LOOKUPS), rejects, np.flatnonzero(left))


def _places(piece: Piece, index: Ints) -> dict[str, pa.Array]:
    digits = np.array([interface.digits for interface in piece.interfaces], dtype=np.int8)
    names = pa.array([interface.name for interface in piece.interfaces], pa.string())
    return {
        "line": pa.array(piece.line + index),
        "start": pa.array(piece.start + piece.starts[index]),
        "stop": pa.array(piece.start + piece.stops[index]),
        "time": pa.array(piece.times[index]).view(LOOKUPS.field("time").type),
        "time_digits": pa.array(digits[piece.places[index]]),
        "time_zone": gather.constant("UTC", len(index), pa.string()),
        "vantage": names.take(pa.array(piece.places[index])),
    }


def _ends(octets: Octets, found: Datagrams, is_query: Any) -> dict[str, pa.Array]:
    """Who asked sends the query and gets the response."""
    target = found.source + np.where(found.is_six, 16, 4)
    return {
        "client": addresses(octets, np.where(is_query, found.source, target), found.is_six),
        "port": pa.array(np.where(is_query, found.port, found.target_port).astype(np.int32)),
        "server": addresses(octets, np.where(is_query, target, found.source), found.is_six),
        "server_port": pa.array(np.where(is_query, found.target_port, found.port).astype(np.int32)),
    }
