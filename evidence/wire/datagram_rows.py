"""Rows of the plain packets of a capture, column by column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from evidence.reading import gather
from evidence.table.schema import LOOKUPS, complete
from evidence.wire.address_columns import addresses
from evidence.wire.datagrams import plain_datagrams
from evidence.wire.message_columns import message_columns
from evidence.wire.octets import Octets

if TYPE_CHECKING:
    from evidence.reading.gather import Ints
    from evidence.wire.datagrams import Datagrams
    from evidence.wire.pieces import Piece


def plain_rows(piece: Piece) -> tuple[pa.Table, Ints]:
    """Rows of the plain packets, and the places in the piece of all others."""
    octets = Octets(gather.padded(piece.data))
    datagrams, messages = plain_datagrams(octets, piece)
    taken, columns = message_columns(octets, messages)
    if len(taken) < len(messages.begin):
        datagrams, messages = datagrams.only(taken), messages.only(taken)
    left = np.ones(len(piece.starts), dtype=bool)
    left[datagrams.index] = False
    count = len(taken)
    if not count:
        return LOOKUPS.empty_table(), np.flatnonzero(left)
    columns |= _places(piece, datagrams.index) | _ends(octets, datagrams, messages.bits & 0x8000 == 0)
    columns["transport"] = gather.constant("udp", count, pa.string())
    return complete(columns, count, LOOKUPS), np.flatnonzero(left)


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
