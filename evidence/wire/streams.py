"""DNS messages out of TCP segments (RFC 1035 §4.2.2, RFC 7766): each has two octets before it that say its length.

Each direction of a connection is put together by itself, in bounded memory. Octets that were seen before are dropped,
the first copy counts. A gap is given up when the other side has acknowledged what is missing, when too much waits
behind it, or at the end; after it, as where a capture begins within a connection, a segment is taken to begin with a
message, and is dropped if it does not.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from evidence.reading.batch import REJECT, SKIP
from evidence.wire.message import read_message
from evidence.wire.packet import ACK, FIN, RST, SYN, direction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from evidence.reading.format import NoRow, Row
    from evidence.wire.packet import Segment
    from evidence.wire.segments import Step

    type Span = tuple[int, int]

MOST_STREAMS = 1 << 15
MOST_HELD = 64 << 20
"""Bytes that all streams together take, what stands around their octets included."""
_SPAN, _WAITING = 160, 384
"""Bytes that a packet of a chain takes, and one that waits but for its octets."""
MOST_WAITING, MOST_WAITING_SEGMENTS = 1 << 18, 64
MOST_EARLIER = 128
"""A message is not read if more packets than these are needed to find where it begins."""
_NONE = 1 << 62
"""More than any packet's number."""
_WINDOW = 1 << 20  # farther from what is expected, a number is of another connection with the same ports
_LATE = 1 << 16  # octets so far back, a SYN is one that was seen before
CONTROL, PART, REPEAT = (SKIP, "tcp-control"), (SKIP, "tcp-segment"), (SKIP, "tcp-repeat")
OUT_OF_STEP, UNALIGNED = (REJECT, "tcp-out-of-step"), (REJECT, "tcp-unaligned")


@dataclass(frozen=True, slots=True)
class Completed:
    """A message: the packet that completed it, those before it that it needs, and its rows or why it has none."""

    span: Span
    earlier: tuple[Span, ...]
    found: list[Row] | NoRow


@dataclass(slots=True)
class Results:
    """What streams have to tell since it was last looked at; `lost` are packets whose message never became whole."""

    completed: list[Completed] = field(default_factory=list)
    lost: list[Span] = field(default_factory=list)


@dataclass(slots=True)
class Stream:
    """One direction of a connection. `expected` is the number of the next octet, None before the first segment.

    `pending` are octets of a message that is not whole; `chain` the packets since one ended together with a message;
    `anchor` is that packet, with those without which it would be taken to begin one. `context` are packets before these
    that tell where a message begins, if that is not at the beginning of the chain's first. `in_step` is false until a
    message was read after a start or gap in the midst.
    """

    results: Results
    expected: int | None = None
    acknowledged: int | None = None
    in_step: bool = False
    ended: bool = False
    pending: bytearray = field(default_factory=bytearray)
    chain: list[Span] = field(default_factory=list)
    context: list[Span] = field(default_factory=list)
    anchor: tuple[Span, ...] = ()
    waiting: dict[int, tuple[bytes, Span]] = field(default_factory=dict)

    @property
    def held(self) -> int:
        waiting = sum(_WAITING + len(data) for data, _ in self.waiting.values()) if self.waiting else 0
        return len(self.pending) + _SPAN * (len(self.chain) + len(self.context)) + self._anchored + waiting

    @property
    def _anchored(self) -> int:
        """Bytes that an anchor takes; one of a packet alone is not counted, since nearly all streams have it."""
        return _SPAN * len(self.anchor) if len(self.anchor) > 1 else 0

    def open(self, sequence: int, span: Span) -> int:
        """A SYN: the first octet has the number after its own. One that is sent again changes nothing.

        Says how many bytes are held no more.
        """
        first = sequence + 1 & 0xFFFFFFFF
        if self.expected is not None and not self.ended and -_LATE < _distance(first, self.expected) <= 0:
            return 0
        before = self.held if self.pending or self.waiting or self.chain or self.context or self.anchor[1:] else 0
        if before:
            self.give_up()
        self.expected, self.acknowledged, self.in_step, self.anchor, self.ended = first, None, True, (span,), False
        return before

    def is_next(self, sequence: int) -> bool:
        """Whether a message that begins at `sequence` is the next, and nothing waits."""
        return sequence == self.expected and not self.pending and not self.waiting

    def step_over(self, sequence: int, size: int, span: Span) -> int:
        """Takes a segment that is one message, which is next and is read elsewhere; how many bytes are held no more."""
        before = self._anchored
        self.expected, self.in_step, self.anchor = sequence + size & 0xFFFFFFFF, True, (span,)
        return before

    def add(self, sequence: int, data: bytes, span: Span) -> NoRow:
        """Takes the octets of a segment; what its packet is if it completes no message."""
        if self.expected is None or abs(_distance(sequence, self.expected)) > _WINDOW:
            self.give_up()
            self.expected = sequence
        ahead = _distance(sequence, self.expected)
        if ahead > 0 and self._is_acknowledged(sequence):
            self._leave_gap(sequence)
            ahead = _distance(sequence, self.expected)
        if ahead > 0:
            return self._wait(sequence, data, span)
        if ahead + len(data) <= 0:
            return REPEAT
        if ahead < 0:
            self._keep_anchor(self.chain or self.context)
        self._take(data[-ahead:], span)
        self._settle(self._take_waiting() or data)
        return PART

    def give_up_before(self, stop: int) -> None:
        """Gaps behind which packets wait that stand before byte `stop`."""
        while any(span[0] < stop for _, span in self.waiting.values()):
            self._leave_gap(self._first_waiting())

    def give_up(self) -> None:
        """The end, or the beginning of another connection: what waits is read, what is not whole is lost."""
        while self.waiting:
            self._leave_gap(self._first_waiting())
        self._lose()

    def _is_acknowledged(self, sequence: int) -> bool:
        return self.acknowledged is not None and 0 <= _distance(self.acknowledged, sequence) < _WINDOW

    def _wait(self, sequence: int, data: bytes, span: Span) -> NoRow:
        self._keep_anchor(self.chain or self.context)
        if len(data) > len(self.waiting.get(sequence, (b"",))[0]):
            self.waiting[sequence] = data, span
        if len(self.waiting) > MOST_WAITING_SEGMENTS or self.held > MOST_WAITING:
            self._leave_gap(self._first_waiting())
        return PART

    def _keep_anchor(self, known: list[Span]) -> None:
        """What does not begin where the packet before ended needs that packet, which tells where a message begins.

        So does a message that is taken for one behind others only. `known`: what tells it already.
        """
        if not known:
            self.context += self.anchor

    def _first_waiting(self) -> int:
        expected = self.expected or 0
        return min(self.waiting, key=lambda sequence: _distance(sequence, expected))

    def _leave_gap(self, sequence: int) -> None:
        """Goes on behind a gap: at what waits, or at `sequence` if nothing before it does."""
        self._lose()
        first = self._first_waiting() if self.waiting else sequence
        behind = first if _distance(first, sequence) < 0 else sequence
        self.expected = behind
        self._settle(self._take_waiting())
        if behind != sequence and _distance(sequence, self.expected) > 0:
            self._leave_gap(sequence)

    def _take_waiting(self) -> bytes:
        """Takes what waits and is next; all octets of the last packet of it."""
        last = b""
        while self.waiting and (ahead := _distance(first := self._first_waiting(), self.expected or 0)) <= 0:
            data, span = self.waiting.pop(first)
            if ahead + len(data) > 0:
                self._take(data[-ahead:], span)
                last = data
        return last

    def _take(self, data: bytes, span: Span) -> None:
        """Octets that are next."""
        self.expected = (self.expected or 0) + len(data) & 0xFFFFFFFF
        self.pending += data
        self.chain = [*self.chain[-MOST_EARLIER - 1 :], span]
        needed = None
        while len(self.pending) >= 2:
            size = int.from_bytes(self.pending[:2])
            if not self.in_step and not _plausible(self.pending):
                return self._drop(span)
            if len(self.pending) < size + 2:
                break
            found = read_message(bytes(self.pending[2 : size + 2]))
            if not self.in_step and isinstance(found, tuple) and found[0] == REJECT:
                return self._drop(span)
            if not _plausible(self.pending):
                self._keep_anchor(self.context)
            self.in_step = True
            del self.pending[: size + 2]
            needed = needed or _needed([*self.context, *self.chain])
            self._complete(*needed, found)
        return None

    def _complete(self, earlier: tuple[Span, ...], last: Span, found: list[Row] | NoRow) -> None:
        if len(earlier) > MOST_EARLIER:
            earlier, found = (), UNALIGNED
        self.results.completed.append(Completed(last, earlier, found))

    def _settle(self, last: bytes) -> None:
        """Where a packet ends together with a message, what comes after needs none of those before; what came earlier
        and waits needs those that tell where it belongs. `last` are all octets of the packet.
        """
        if self.chain and not self.pending:
            needed, end = [*self.context, *self.chain][-MOST_EARLIER - 2 :], self.chain[-1]
            self.anchor = (end,) if len(needed) == 1 or _ends_alone(last, end) else tuple(needed)
            is_before = all(span > end for _, span in self.waiting.values())
            kept = [*self.anchor] if is_before else needed
            self.context, self.chain = kept if self.waiting else [], []

    def _drop(self, span: Span) -> None:
        """No message begins where one was taken to begin."""
        self.results.completed.append(Completed(span, (), OUT_OF_STEP))
        self.results.lost += [other for other in self.chain if other != span and self.pending]
        self.pending.clear()

    def _lose(self) -> None:
        if self.pending:
            self.results.lost += self.chain
        self.pending.clear()
        self.chain, self.context, self.anchor, self.in_step = [], [], (), False


class Streams:
    """All connections of a capture, those that were silent longest given up first.

    In a plain dictionary from which many first ones were taken, the next of them is searched for.
    """

    def __init__(self) -> None:
        self.results = Results()
        self._streams: OrderedDict[bytes, Stream] = OrderedDict()
        self._held = 0

    def add(self, segment: Segment, interface: int, span: Span) -> NoRow:
        """Takes a segment; what its packet is if it completes no message."""
        ends = (segment.source, segment.port), (segment.target, segment.target_port)
        key, back = direction(interface, *ends), direction(interface, *ends[::-1])
        other = self._streams.get(back)
        if other and segment.flags & ACK:
            other.acknowledged = segment.acknowledged
        stream = self._streams.get(key)
        if stream:
            self._streams.move_to_end(key)
        elif segment.data or segment.flags & SYN:
            stream = self._streams[key] = Stream(self.results)
        else:
            return CONTROL
        before = stream.held
        if segment.flags & SYN:
            stream.open(segment.sequence, span)
        sequence = segment.sequence + bool(segment.flags & SYN) & 0xFFFFFFFF
        outcome = stream.add(sequence, segment.data, span) if segment.data else CONTROL
        stream.ended = stream.ended or bool(segment.flags & (FIN | RST))
        self._held += stream.held - before
        self._make_room()
        return outcome

    def follow(self, steps: Iterable[Step], left: Iterable[int]) -> Iterator[tuple[int, bool]]:
        """Takes segments that are empty or one whole message, as `add` would. What is to be read by itself is told
        before anything behind it is taken: packets that are `left`, and segments, true, that are not in their turn.
        """
        streams, others = self._streams, iter(left)
        at = next(others, _NONE)
        for number, start, stop, key, back, sequence, acknowledged, flags, size in steps:
            while at < number:
                yield at, False
                at = next(others, _NONE)
            stream = streams.get(key)
            if size and stream and not stream.is_next(sequence):
                yield number, True
                continue
            if flags & ACK and (other := streams.get(back)):
                other.acknowledged = acknowledged
            if stream:
                streams.move_to_end(key)
            elif size or flags & SYN:
                stream = streams[key] = Stream(self.results)
            else:
                continue
            if flags & SYN:
                self._held -= stream.open(sequence, (start, stop))
            elif size:
                self._held -= stream.step_over(sequence, size, (start, stop))
            stream.ended = stream.ended or flags & (FIN | RST) != 0
            if len(streams) > MOST_STREAMS:
                self._make_room()
        yield from ((number, False) for number in chain([at], others) if number < _NONE)

    def give_up_before(self, stop: int) -> None:
        """Gaps behind which packets wait that stand before byte `stop` of the capture."""
        for stream in self._streams.values():
            if stream.waiting:
                before = stream.held
                stream.give_up_before(stop)
                self._held += stream.held - before

    def finish(self) -> None:
        """The capture ends: nothing more comes."""
        while self._streams:
            self._give_up_oldest()

    def _make_room(self) -> None:
        while len(self._streams) > MOST_STREAMS or self._held > MOST_HELD:
            self._give_up_oldest()

    def _give_up_oldest(self) -> None:
        _, stream = self._streams.popitem(last=False)
        self._held -= stream.held
        stream.give_up()


def _needed(chain: list[Span]) -> tuple[tuple[Span, ...], Span]:
    """The packets that a message needs, in their order, and the last, which completes it."""
    *earlier, last = sorted({*chain})
    return tuple(earlier), last


def _ends_alone(octets: bytes, span: Span) -> bool:
    """Whether nothing of a packet is taken to begin a message that goes on behind it, if it is read by itself."""
    alone = Stream(Results())
    alone.add(0, octets, span)
    return not alone.pending


def _distance(number: int, other: int) -> int:
    """How far a number is ahead of another, in a circle of 2³² (RFC 9293 §3.4)."""
    return ((number - other + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)


def _plausible(octets: bytearray) -> bool:
    """Whether a message can begin here, as far as is known: a length, and a header that a lookup has."""
    size = int.from_bytes(octets[:2])
    return size >= 12 and (len(octets) < 8 or (octets[4] & 0x78 == 0 and octets[6] == 0 and octets[7] <= 1))
