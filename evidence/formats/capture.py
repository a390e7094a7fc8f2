"""Packets of a capture, in their order, as rows and rejects: what pcap and pcapng have in common.

A packet is rows, a reject or skipped. What a TCP segment is can show later, when the message that it began is whole or
lost: it is settled as long as the packet's piece is being read; messages that turn up after that are counted in a note.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evidence.formats.batch import REJECT, Batch, Reject, rejects_table
from evidence.formats.message import MOST_TEXT, read_message, table_of, text_length
from evidence.formats.packet import Segment, read_packet
from evidence.formats.streams import PART, Streams
from evidence.table.schema import QUERY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from evidence.formats.gather import Ints
    from evidence.formats.packet import Datagram
    from evidence.formats.reading import NoRow, Row
    from evidence.formats.source import Source

NO_TIME, BAD_TIME = -1, -2
LATEST = 253_402_300_799_999_999
"""Microseconds since 1970: the last that calendars reach."""
INCOMPLETE = (REJECT, "tcp-incomplete")


@dataclass(frozen=True, slots=True)
class Interface:
    """Where packets were captured: link type, decimal digits of a second, a name if there is one."""

    link: int
    digits: int
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive `size` bytes of a capture from byte `start`, and the whole packets in them, from number `line`.

    Columns have one value a packet: where its record stands in `data` (`starts`, `stops`) and its octets in there
    (`begins`, `ends`), whether these are all that there were on the line (`whole`), microseconds since 1970, and the
    place of its interface in `interfaces`. `others` are all bytes that are in no packet.
    """

    data: bytes
    start: int
    line: int
    size: int
    starts: Ints
    stops: Ints
    begins: Ints
    ends: Ints
    whole: Any
    times: Ints
    places: Ints
    interfaces: tuple[Interface, ...]
    others: tuple[Reject, ...] = ()

    def packet(self, index: int) -> Packet:
        begin, end, place = int(self.begins[index]), int(self.ends[index]), int(self.places[index])
        return Packet(
            self.line + index, self.start + int(self.starts[index]), self.start + int(self.stops[index]),
            int(self.times[index]), place, self.interfaces[place], self.data[begin:end],
            bool(self.whole[index]), self.data[int(self.starts[index]) :][:32],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Packet:
    """A captured packet; `head` is the beginning of its record, `place` the number of its interface."""

    line: int
    start: int
    stop: int
    time: int
    place: int
    interface: Interface
    data: bytes
    is_whole: bool
    head: bytes


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
        held: Piece | None = None
        for piece in pieces:
            if held:
                yield from self._batches(held)
            held = piece
        if held:
            yield from self._batches(held, is_last=True)
        self._say()

    def _batches(self, piece: Piece, *, is_last: bool = False) -> Iterator[Batch]:
        begin, others = piece.start, list(piece.others)
        for index in range(len(piece.starts)):
            packet = piece.packet(index)
            self._take(packet)
            if self._text > MOST_TEXT and packet.stop < piece.start + piece.size:
                yield self._batch([other for other in others if other.start < packet.stop], packet.stop - begin)
                others = [other for other in others if other.start >= packet.stop]
                begin = packet.stop
        if is_last:
            self._streams.finish()
            self._collect()
        yield self._batch(others, piece.start + piece.size - begin)

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

    def _batch(self, others: list[Reject], size: int) -> Batch:
        rows: list[Row] = []
        rejects = others
        for start, outcome in self._outcomes.items():
            packet = self._taken[start][0]
            if isinstance(outcome, list):
                rows += outcome
            else:
                rejects.append(Reject(packet.line, packet.start, packet.stop, *outcome, head=packet.head))
        self._outcomes, self._taken, self._text = {}, {}, 0
        return Batch(table_of(rows), rejects_table(rejects), size)

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


def rest(source: Source, data: bytes, start: int, line: int, reason: str) -> Piece:
    """All that is left of the source, `data` of which were read, as one reject."""
    while source.read_block():
        pass
    none = np.zeros(0, dtype=np.int64)
    size = source.position - start
    reject = Reject(line, start, start + size, REJECT, reason, data)
    return Piece(b"", start, line, size, none, none, none, none, none, none, none, (), (reject,))
