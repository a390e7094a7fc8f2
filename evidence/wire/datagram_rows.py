"""Rows of the plain packets of a capture, column by column, and rejects of those that carry no DNS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evidence.reading import gather
from evidence.table.schema import LOOKUPS, QUERY, complete
from evidence.wire.address_columns import addresses
from evidence.wire.datagrams import families, merged, plain_datagrams
from evidence.wire.message_columns import message_parts
from evidence.wire.octets import Octets
from evidence.wire.segments import joined, steps, whole_segments
from evidence.wire.skips import skipped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from evidence.reading.gather import Ints
    from evidence.wire.datagrams import Datagrams, Family, Messages
    from evidence.wire.pieces import Piece
    from evidence.wire.segments import Segments, Step


@dataclass(frozen=True, slots=True)
class Found:
    """Of consecutive packets of a piece: rows of the plain ones, rejects of those that carry no DNS, and the places of
    all others. `stop` is the byte of the capture behind them.

    `steps` are TCP segments in their order: those with data have a row, if each is in its stream's turn.
    """

    rows: pa.Table
    rejects: pa.Table
    left: Ints
    stop: int
    steps: Iterable[Step] = ()


class _Parted(NamedTuple):
    """Packets of a family: those with a message that can be plain, all that are not UDP with one, and TCP segments."""

    datagrams: Datagrams
    messages: Messages
    others: Family
    streamed: Segments


def plain_rows(piece: Piece) -> Iterator[Found]:
    """All packets of a piece, in parts that take little memory each: as a rule one is all."""
    octets = Octets(np.frombuffer(piece.data, dtype=np.uint8))
    packets, not_ip = families(octets, piece)
    parts = [_of_family(octets, piece, family) for family in packets]
    streamed = joined([part.streamed for part in parts])
    controls = streamed.index[streamed.size == 0]
    index, rejects = skipped(octets, piece, [part.others for part in parts], not_ip, controls)
    datagrams, messages = merged([(part.datagrams, part.messages) for part in parts])
    left = np.ones(len(piece.starts), dtype=bool)
    left[index] = False
    first = 0
    for part in message_parts(octets, messages):
        is_all = len(part.taken) == len(messages.begin)
        mine = datagrams if is_all else datagrams.only(part.first + part.taken)
        left[mine.index] = False
        is_last = part.stop == len(messages.begin)
        last = len(left) if is_last else int(datagrams.index[part.stop])
        stop = piece.start + (piece.size if is_last else int(piece.starts[last]))
        skips, mentioned = (slice(*np.searchsorted(each, [first, last]).tolist()) for each in (index, streamed.index))
        passed = streamed.only(mentioned)
        yield Found(
            _rows(octets, piece, mine, part.columns), rejects[skips], first + np.flatnonzero(left[first:last]), stop,
            steps(octets, piece, passed.only(~left[passed.index])),
        )  # fmt: skip
        first = last


def _of_family(octets: Octets, piece: Piece, family: Family) -> _Parted:
    datagrams, messages, is_plain = plain_datagrams(piece, family)
    left = np.flatnonzero(~is_plain)
    others = family.only(left)
    streamed, whole, theirs = whole_segments(octets, piece, others)
    if len(whole):
        places = left[whole]
        messages.put(places, theirs)
        datagrams.is_tcp[places] = is_plain[places] = True
    if not is_plain.all():
        kept = np.flatnonzero(is_plain)
        datagrams, messages = datagrams.only(kept), messages.only(kept)
    return _Parted(datagrams, messages, others, streamed)


def _rows(octets: Octets, piece: Piece, found: Datagrams, columns: dict[str, pa.Array]) -> pa.Table:
    count = len(found.index)
    if not count:
        return LOOKUPS.empty_table()
    is_query = pc.equal(columns["event"], QUERY).to_numpy(zero_copy_only=False)
    columns |= _places(piece, found.index) | _ends(octets, found, is_query)
    if found.is_tcp.any():
        columns["transport"] = pa.array(["udp", "tcp"]).take(pa.array(found.is_tcp.astype(np.int8)))
    else:
        columns["transport"] = gather.constant("udp", count, pa.string())
    return complete(columns, count, LOOKUPS)


def _places(piece: Piece, index: Ints) -> dict[str, pa.Array]:
    return {
        "line": pa.array(piece.line + index),
        "start": pa.array(piece.start + piece.starts[index]),
        "stop": pa.array(piece.start + piece.stops[index]),
        "time": pa.array(piece.times[index]).view(LOOKUPS.field("time").type),
        "time_digits": _by_interface(piece, index, [each.digits for each in piece.interfaces], pa.int8()),
        "time_zone": gather.constant("UTC", len(index), pa.string()),
        "vantage": _by_interface(piece, index, [each.name for each in piece.interfaces], pa.string()),
    }


def _by_interface(piece: Piece, index: Ints, values: Sequence[object], kind: pa.DataType) -> pa.Array:
    if len(values) == 1:
        return gather.constant(values[0], len(index), kind)
    return pa.array(values, kind).take(pa.array(piece.places[index]))


def _ends(octets: Octets, found: Datagrams, is_query: Any) -> dict[str, pa.Array]:
    """Who asked sends the query and gets the response."""
    target = found.source + np.where(found.is_six, 16, 4)
    return {
        "client": addresses(octets, np.where(is_query, found.source, target), found.is_six),
        "port": pa.array(np.where(is_query, found.port, found.target_port).astype(np.int32)),
        "server": addresses(octets, np.where(is_query, target, found.source), found.is_six),
        "server_port": pa.array(np.where(is_query, found.target_port, found.port).astype(np.int32)),
    }
