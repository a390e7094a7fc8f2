"""Packets of a capture, in their order, as rows and rejects: what pcap and pcapng have in common.

A packet is rows, a reject or skipped. What a TCP segment is can show later, when the message that it ends is whole or
lost: so a batch with such segments is held until the one behind it was read. What waits longer than that for a gap to
be filled is read as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evidence.reading.batch import REJECT, Batch, Reject, rejects_table
from evidence.reading.format import in_order
from evidence.table.schema import QUERY, in_order_of_source
from evidence.wire.datagram_rows import plain_rows
from evidence.wire.message import MOST_HELD, held_by, read_message, table_of
from evidence.wire.packet import Segment, read_packet
from evidence.wire.pieces import BAD_TIME, NO_TIME
from evidence.wire.streams import PART, Streams
from evidence.wire.word_columns import in_turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from evidence.reading.format import NoRow, Row
    from evidence.wire.datagram_rows import Found
    from evidence.wire.packet import Datagram
    from evidence.wire.pieces import Packet, Piece

INCOMPLETE = (REJECT, "tcp-incomplete")
_READERS = 1
"""Threads that make columns: with those that cut and write two cores are busy, and more results would only wait."""
_PACKET = 1024
"""Bytes that a packet takes that is read by itself, but for its octets."""


@dataclass(slots=True)
class Part:
    """Consecutive packets that become a batch: those read one by one, what each is as far as is known, and the others.

    `refused` is where packets begin that have rows and are read one by one all the same. `stop` is the byte behind the
    last packet, `size` the bytes; tables and sizes are there when all was taken.
    """

    taken: dict[int, tuple[Packet, Datagram | None]] = field(default_factory=dict)
    outcomes: dict[int, list[Row] | NoRow] = field(default_factory=dict)
    rows: pa.Table = None
    rejects: pa.Table = None
    others: list[Reject] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    stop: int = 0
    size: int = 0

    @property
    def is_settled(self) -> bool:
        """Whether none of its packets waits for others."""
        return all(outcome != PART for outcome in self.outcomes.values())

    def batch(self) -> Batch:
        rows, rejects = [], list(self.others)
        for start, outcome in self.outcomes.items():
            packet = self.taken[start][0]
            if isinstance(outcome, list):
                rows += outcome
            else:
                rejects.append(Reject(packet.line, packet.start, packet.stop, *outcome, head=packet.head))
        return Batch(_in_place(self.rows, table_of(rows)), _in_place(self.rejects, rejects_table(rejects)), self.size)


class Capture:
    """Reads packets one after the other; owned by one reading. `notes` grow while it reads.

    The last part stays open, and the one before is held if a message that a gap keeps back can still become whole.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._streams = Streams()
        self._parts = [Part()]
        self._held = 0
        self._unread = self._lost = 0

    def read(self, pieces: Iterable[Piece]) -> Iterator[Batch]:
        """Batches of all pieces, in order."""
        for piece, parts in in_order(pieces, with_plain_rows, _READERS):
            begin, others = piece.start, list(piece.others)
            for found in parts:
                now = [other for other in others if other.start < found.stop]
                yield from self._read(piece, found, now, begin)
                begin, others = found.stop, others[len(now) :]
        self._streams.finish()
        self._collect()
        yield from (part.batch() for part in self._parts[:-1])
        self._say()

    def _read(self, piece: Piece, found: Found, others: list[Reject], begin: int) -> Iterator[Batch]:
        """Those that are left, one by one, between the plain ones."""
        plain, skipped = found.rows, found.rejects
        for packet in self._one_by_one(piece, found):
            self._take(packet)
            if self._held > MOST_HELD and packet.stop < found.stop:
                now = [other for other in others if other.start < packet.stop]
                (rows, plain), (rejects, skipped) = (_parted(table, packet.stop) for table in (plain, skipped))
                yield from self._close(rows, rejects, now, begin, packet.stop)
                others, begin = others[len(now) :], packet.stop
        yield from self._close(plain, skipped, others, begin, found.stop)

    def _one_by_one(self, piece: Piece, found: Found) -> Iterator[Packet]:
        """Packets that are left, and segments that are not in their stream's turn, whose rows are left out."""
        for number, is_refused in self._streams.follow(found.steps, found.left.tolist()):
            self._collect()
            packet = piece.packet(number)
            if is_refused:
                self._parts[-1].refused.append(packet.start)
            yield packet
        self._collect()

    def _close(
        self, rows: pa.Table, rejects: pa.Table, others: list[Reject], start: int, stop: int
    ) -> Iterator[Batch]:  # fmt: skip
        """The end of a part: the one before is handed on, and what waits there for a gap to be filled waits no more.

        A part in which nothing waits is not held at all.
        """
        part = self._parts[-1]
        if part.refused:
            rows = in_turn(rows.filter(pc.invert(pc.is_in(rows["start"], pa.array(part.refused, pa.int64())))))
        part.rows, part.rejects, part.others, part.stop, part.size = rows, rejects, others, stop, stop - start
        if len(self._parts) > 1:
            self._streams.give_up_before(self._parts[0].stop)
            self._collect()
            yield self._parts.pop(0).batch()
        if part.is_settled:
            yield self._parts.pop(0).batch()
        self._parts.append(Part())
        self._held = 0

    def _take(self, packet: Packet) -> None:
        found = read_packet(packet.interface.link, packet.data, is_whole=packet.is_whole)
        if packet.time == BAD_TIME:
            found = REJECT, "bad-time"
        part = self._parts[-1]
        part.taken[packet.start] = packet, None if isinstance(found, tuple) else found
        self._held += _PACKET + 2 * len(packet.data)
        if isinstance(found, tuple):
            part.outcomes[packet.start] = found
        elif isinstance(found, Segment):
            part.outcomes[packet.start] = PART
            part.outcomes[packet.start] = self._streams.add(found, packet.place, (packet.start, packet.stop))
            self._collect()
        else:
            self._settle(part, packet.start, read_message(found.data), ())

    def _collect(self) -> None:
        """What the streams know by now of this packet and of those before it."""
        results = self._streams.results
        for completed in results.completed:
            start = completed.span[0]  # it stands in a part that is held: what waits in others was given up
            part = next(part for part in self._parts if start in part.taken)
            self._settle(part, start, completed.found, completed.earlier)
        for start, _ in results.lost:
            held = next((part for part in self._parts if start in part.taken), None)
            if held is None:
                self._lost += 1
            elif held.outcomes[start] == PART:
                held.outcomes[start] = INCOMPLETE
        results.completed.clear()
        results.lost.clear()

    def _settle(self, part: Part, start: int, found: list[Row] | NoRow, earlier: tuple[tuple[int, int], ...]) -> None:
        """A message of a packet: rows go before rejects, and these before what is skipped."""
        outcome = part.outcomes.get(start)
        if isinstance(found, tuple):
            is_better = outcome is None or (isinstance(outcome, tuple) and outcome[0] != REJECT)
            part.outcomes[start] = found if is_better or outcome is None else outcome
            self._unread += found[0] == REJECT and isinstance(outcome, list)
            return
        rows = outcome if isinstance(outcome, list) else []
        self._unread += isinstance(outcome, tuple) and outcome[0] == REJECT
        packet, datagram = part.taken[start]
        common = _common(packet, datagram, earlier)
        part.outcomes[start] = rows + [common | _ends(datagram, row) | row for row in found]
        self._held += sum(map(held_by, found)) + 16 * len(earlier) * len(found)

    def _say(self) -> None:
        if self._lost:
            self.notes.append(
                f"{self._lost} TCP segments, counted as tcp-segment, belong to messages that are not whole."
            )
        if self._unread:
            self.notes.append(f"{self._unread} messages cannot be read; their packets hold rows of other messages.")


def _common(packet: Packet, datagram: Datagram | None, earlier: tuple[tuple[int, int], ...]) -> Row:
    return {
        "line": packet.line, "start": packet.start, "stop": packet.stop,
        "time": None if packet.time == NO_TIME else packet.time,
        "time_digits": None if packet.time == NO_TIME else packet.interface.digits,
        "time_zone": None if packet.time == NO_TIME else "UTC",
        "transport": "tcp" if isinstance(datagram, Segment) else "udp", "vantage": packet.interface.name,
        "earlier": earlier or None,
    }  # fmt: skip


def _ends(datagram: Datagram | None, row: Row) -> Row:
    """Who asked sends the query and gets the response."""
    if datagram is None:
        return {}
    ends = [(datagram.source, datagram.port), (datagram.target, datagram.target_port)]
    (client, port), (server, server_port) = ends if row["event"] == QUERY else ends[::-1]
    return {"client": client, "port": port, "server": server, "server_port": server_port}


def with_plain_rows(piece: Piece) -> tuple[Piece, Iterable[Found]]:
    """The first part is made at once, by the thread that reads the piece; few pieces have more."""
    parts = plain_rows(piece)
    return piece, chain([next(parts)], parts)


def _parted(table: pa.Table, stop: int) -> tuple[pa.Table, pa.Table]:
    """What begins before byte `stop`, and the rest."""
    before = int(np.searchsorted(table["start"].to_numpy(), stop))
    return in_turn(table.slice(0, before)), in_turn(table.slice(before))


def _in_place(plain: pa.Table, others: pa.Table) -> pa.Table:
    """What both hold, in the order of the source."""
    if not len(others) or not len(plain):
        return plain if len(plain) else others
    return in_turn(in_order_of_source(plain, others))
