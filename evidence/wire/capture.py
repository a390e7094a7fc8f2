"""Packets of a capture, in their order, as rows and rejects: what pcap and pcapng have in common.

A packet is rows, a reject or skipped. What a TCP segment is can show later, when the message that it began is whole or
lost: it is settled as long as the packet's piece is being read; messages that turn up after that are counted in a note.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from evidence.reading.batch import REJECT, Batch, Reject, rejects_table
from evidence.reading.format import in_order
from evidence.table.schema import QUERY
from evidence.wire.datagram_rows import plain_rows
from evidence.wire.message import MOST_TEXT, read_message, table_of, text_length
from evidence.wire.packet import Segment, read_packet
from evidence.wire.pieces import BAD_TIME, NO_TIME
from evidence.wire.streams import PART, Streams

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from evidence.reading.format import NoRow, Row
    from evidence.wire.datagram_rows import Found
    from evidence.wire.packet import Datagram
    from evidence.wire.pieces import Packet, Piece

INCOMPLETE = (REJECT, "tcp-incomplete")


class Capture:
    """Reads packets one after the other; owned by one reading. `notes` grow while it reads."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._streams = Streams()
        self._taken: dict[int, tuple[Packet, Datagram | None]] = {}
        self._outcomes: dict[int, list[Row] | NoRow] = {}
        self._text = 0
        self._late = self._unread = self._lost = 0

    def read(self, pieces: Iterable[Piece]) -> Iterator[Batch]:
        """Batches of all pieces, in order."""
        held: tuple[Piece, Found] | None = None
        for item in in_order(pieces, with_plain_rows):
            if held:
                yield from self._batches(*held)
            held = item
        if held:
            yield from self._batches(*held, is_last=True)
        self._say()

    def _batches(self, piece: Piece, found: Found, *, is_last: bool = False) -> Iterator[Batch]:
        """Those that are left, one by one, between the plain ones."""
        begin, others, plain, skipped = piece.start, list(piece.others), found.rows, found.rejects
        for index in found.left.tolist():
            packet = piece.packet(index)
            self._take(packet)
            if self._text > MOST_TEXT and packet.stop < piece.start + piece.size:
                now = [other for other in others if other.start < packet.stop]
                (rows, plain), (rejects, skipped) = (_parted(table, packet.stop) for table in (plain, skipped))
                yield self._batch(rows, rejects, now, packet.stop - begin)
                others, begin = others[len(now) :], packet.stop
        if is_last:
            self._streams.finish()
            self._collect()
        yield self._batch(plain, skipped, others, piece.start + piece.size - begin)

    def _take(self, packet: Packet) -> None:
        found = read_packet(packet.interface.link, packet.data, is_whole=packet.is_whole)
        if packet.time == BAD_TIME:
            found = REJECT, "bad-time"
        self._taken[packet.start] = packet, None if isinstance(found, tuple) else found
        if isinstance(found, tuple):
            self._outcomes[packet.start] = found
        elif isinstance(found, Segment):
            self._outcomes[packet.start] = PART
            outcome = self._streams.add(found, packet.place, (packet.start, packet.stop))
            self._outcomes[packet.start] = outcome
            self._collect()
        else:
            self._settle(packet.start, read_message(found.data), ())

    def _collect(self) -> None:
        """What the streams know by now of this packet and of those before it."""
        results = self._streams.results
        for completed in results.completed:
            if completed.span[0] in self._taken:
                self._settle(completed.span[0], completed.found, completed.earlier)
            else:
                self._late += 1
        for start, _ in results.lost:
            if self._outcomes.get(start) == PART:
                self._outcomes[start] = INCOMPLETE
            elif start not in self._taken:
                self._lost += 1
        results.completed.clear()
        results.lost.clear()

    def _settle(self, start: int, found: list[Row] | NoRow, earlier: tuple[tuple[int, int], ...]) -> None:
        """A message of a packet: rows go before rejects, and these before what is skipped."""
        outcome = self._outcomes.get(start)
        if isinstance(found, tuple):
            is_better = outcome is None or (isinstance(outcome, tuple) and outcome[0] != REJECT)
            self._outcomes[start] = found if is_better or outcome is None else outcome
            self._unread += found[0] == REJECT and isinstance(outcome, list)
            return
        rows = outcome if isinstance(outcome, list) else []
        self._unread += isinstance(outcome, tuple) and outcome[0] == REJECT
        common = self._common(start, earlier)
        self._outcomes[start] = rows + [common | self._ends(start, row) | row for row in found]
        self._text += sum(text_length(row) for row in found) + 16 * len(earlier) * len(found)

    def _common(self, start: int, earlier: tuple[tuple[int, int], ...]) -> Row:
        packet, datagram = self._taken[start]
        return {
            "line": packet.line, "start": packet.start, "stop": packet.stop,
            "time": None if packet.time == NO_TIME else packet.time,
            "time_digits": None if packet.time == NO_TIME else packet.interface.digits,
            "time_zone": None if packet.time == NO_TIME else "UTC",
            "transport": "tcp" if isinstance(datagram, Segment) else "udp", "vantage": packet.interface.name,
            "earlier": [{"start": start, "stop": stop} for start, stop in earlier] or None,
        }  # fmt: skip

    def _ends(self, start: int, row: Row) -> Row:
        """Who asked sends the query and gets the response."""
        datagram = self._taken[start][1]
        if datagram is None:
            return {}
        ends = [(datagram.source, datagram.port), (datagram.target, datagram.target_port)]
        (client, port), (server, server_port) = ends if row["event"] == QUERY else ends[::-1]
        return {"client": client, "port": port, "server": server, "server_port": server_port}

    def _batch(self, plain: pa.Table, skipped: pa.Table, rejects: list[Reject], size: int) -> Batch:
        rows: list[Row] = []
        for start, outcome in self._outcomes.items():
            packet = self._taken[start][0]
            if isinstance(outcome, list):
                rows += outcome
            else:
                rejects.append(Reject(packet.line, packet.start, packet.stop, *outcome, head=packet.head))
        self._outcomes, self._taken, self._text = {}, {}, 0
        return Batch(_in_place(plain, table_of(rows)), _in_place(skipped, rejects_table(rejects)), size)

    def _say(self) -> None:
        if self._late:
            self.notes.append(
                f"{self._late} messages in TCP segments were left out: they became whole only far behind."
            )
        if self._lost:
            self.notes.append(
                f"{self._lost} TCP segments, counted as tcp-segment, belong to messages that are not whole."
            )
        if self._unread:
            self.notes.append(f"{self._unread} messages cannot be read; their packets hold rows of other messages.")


def with_plain_rows(piece: Piece) -> tuple[Piece, Found]:
    return piece, plain_rows(piece)


def _parted(table: pa.Table, stop: int) -> tuple[pa.Table, pa.Table]:
    """What begins before byte `stop`, and the rest."""
    before = int(np.searchsorted(table["start"].to_numpy(), stop))
    return table.slice(0, before), table.slice(before)


def _in_place(plain: pa.Table, others: pa.Table) -> pa.Table:
    """What both hold, in the order of the source."""
    if not len(others) or not len(plain):
        return plain if len(plain) else others
    both = pa.concat_tables([plain, others])
    order = np.argsort(both["start"].to_numpy(), kind="stable")
    return both.take(pa.array(order)).combine_chunks()
