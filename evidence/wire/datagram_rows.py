"""Rows of the plain packets of a capture, column by column, and rejects of those that carry no DNS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from evidence.reading import gather
from evidence.table.schema import LOOKUPS, complete
from evidence.wire.address_columns import addresses
from evidence.wire.datagrams import families, merged, plain_datagrams
from evidence.wire.message_columns import RESPONSE_BIT, message_parts
from evidence.wire.octets import Octets
from evidence.wire.segments import joined, steps, whole_segments
from evidence.wire.skips import skipped
from evidence.wire.word_columns import in_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from evidence.reading.gather import Ints
    from evidence.wire.datagrams import Datagrams, Family, Messages
    from evidence.wire.pieces import Piece
    from evidence.wire.segments import Segments, Step

_TRANSPORTS = "udp", "tcp"


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
        bits = messages.bits if is_all else messages.bits[part.first + part.taken]
        left[mine.index] = False
        is_last = part.stop == len(messages.begin)
        last = len(left) if is_last else int(datagrams.index[part.stop])
        stop = piece.start + (piece.size if is_last else int(piece.starts[last]))
        skips, mentioned = (slice(*np.searchsorted(each, [first, last]).tolist()) for each in (index, streamed.index))
        passed = streamed.only(mentioned)
        rows = _rows(octets, piece, mine, bits & RESPONSE_BIT == 0, part.columns)
        following = steps(octets, piece, passed.only(~left[passed.index]))
        yield Found(rows, rejects[skips], first + np.flatnonzero(left[first:last]), stop, following)
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


def _rows(octets: Octets, piece: Piece, found: Datagrams, is_query: Any, columns: dict[str, pa.Array]) -> pa.Table:
    if not len(found.index):
        return LOOKUPS.empty_table()
    columns |= _places(piece, found.index) | _ends(octets, found, is_query)
    columns["transport"] = in_words(_TRANSPORTS.__getitem__, found.is_tcp.view(np.uint8))
    return complete(columns, len(found.index), LOOKUPS)


def _places(piece: Piece, index: Ints) -> dict[str, pa.Array]:
    return {
        "line": pa.array(piece.line + index),
        "start": pa.array(piece.start + piece.starts[index]),
        "stop": pa.array(piece.start + piece.stops[index]),
        "time": pa.array(piece.times[index]).view(LOOKUPS.field("time").type),
        "time_digits": _digits(piece, index),
        "time_zone": gather.one_text("UTC", len(index)),
        "vantage": in_words([each.name for each in piece.interfaces].__getitem__, piece.places[index]),
    }


def _digits(piece: Piece, index: Ints) -> pa.Array:
    each = pa.array([interface.digits for interface in piece.interfaces], pa.int8())
    return pa.repeat(each[0], len(index)) if len(each) == 1 else each.take(pa.array(piece.places[index]))


def _ends(octets: Octets, found: Datagrams, is_query: Any) -> dict[str, pa.Array]:
    """Who asked sends the query and gets the response."""
    target = found.source + np.where(found.is_six, 16, 4)
    return {
        "client": addresses(octets, np.where(is_query, found.source, target), found.is_six),
        "port": pa.array(np.where(is_query, found.port, found.target_port).astype(np.int32)),
        "server": addresses(octets, np.where(is_query, target, found.source), found.is_six),
        "server_port": pa.array(np.where(is_query, found.target_port, found.port).astype(np.int32)),
    }
