"""Plain UDP packets as columns: what most of a capture is, read many at once.

A packet is taken here only if nothing about it is unusual: a known link layer, no IP options or extension headers, one
question whose name needs no escapes, answers that are addresses of that name, other records only to be stepped over, at
most one OPT. All others are left to be read one by one; a property test holds the two ways together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evidence.reading import gather
from evidence.wire.packet import COOKED, COOKED_2, DNS, ETHERNET, IPV4, IPV6, VLAN_TAGS

if TYPE_CHECKING:
    from evidence.reading.gather import Bytes, Ints
    from evidence.wire.pieces import Piece

RAW = (12, 14, 101)
_PLACES = {ETHERNET: (12, 14), COOKED: (14, 16), COOKED_2: (0, 20), **dict.fromkeys(RAW, (-1, 0))}
"""By link type: where the EtherType stands (-1: there is none) and where IP begins."""
_HEADER, _LONGEST, _MOST_LABELS = 12, 255, 128
_MOST_RECORDS, _MOST_OPTIONS = 24, 4
_A, _AAAA, _OPT, _TSIG, _IN = 1, 28, 41, 250, 1
EDNS, DO, COOKIE, ECS = 0x8000, 0x4000, 0x2000, 0x1000
"""Bits of `Plain.edns`."""
_OPTION_BITS = {10: COOKIE, 8: ECS}


@dataclass(slots=True)
class Messages:
    """Packets that are still taken, one value each: `index` in the piece, places in the buffer, ports."""

    index: Ints
    source: Ints
    target: Ints
    is_six: Any
    port: Ints
    target_port: Ints
    begin: Ints
    stop: Ints

    def only(self, kept: Any) -> Messages:
        return Messages(*(getattr(self, name)[kept] for name in self.__slots__))


@dataclass(slots=True)
class Answers:
    """Addresses in answers: the row, the TTL, where the address stands, and whether it has sixteen octets."""

    row: Ints
    ttl: Ints
    place: Ints
    is_six: Any


@dataclass(slots=True)
class Plain:
    """The messages that are plain: where their names end, where any label begins in the buffer, and what they say.

    `code` is the upper part of the response code, `left` the places in the piece of all other packets.
    """

    octets: Octets
    messages: Messages
    ends: Ints
    marks: Any
    answers: Answers
    edns: Ints
    code: Ints
    left: Ints


class Octets:
    """The octets of a piece as big-endian numbers at any place."""

    def __init__(self, buffer: Bytes) -> None:
        self.buffer = buffer
        self._two, self._four = (
            np.ndarray((len(buffer) - size + 1,), dtype=f">u{size}", buffer=buffer, strides=(1,)) for size in (2, 4)
        )

    def one(self, places: Ints) -> Ints:
        return self.buffer[places].astype(np.int64)

    def two(self, places: Ints) -> Ints:
        return self._two[places].astype(np.int64)

    def four(self, places: Ints) -> Ints:
        return self._four[places].astype(np.int64)


def plain_messages(piece: Piece) -> Plain:
    octets = Octets(gather.padded(piece.data))
    found = _headers(octets, _datagrams(octets, piece))
    taken, ends, marks = _names(octets, found)
    found, ends = found.only(taken), ends[taken]
    taken, answers, edns, code = _records(octets, found, ends, marks)
    found = found.only(taken)
    left = np.ones(len(piece.starts), dtype=bool)
    left[found.index] = False
    return Plain(
        octets, found, ends[taken], marks, _renumbered(answers, taken), edns[taken], code[taken], np.flatnonzero(left)
    )


def _datagrams(octets: Octets, piece: Piece) -> Messages:
    """UDP from or to port 53, in IP packets that were captured to their end."""
    places = np.array([_PLACES.get(interface.link, (0, -1)) for interface in piece.interfaces], dtype=np.int64)
    typed, begins = places.reshape(-1, 2)[piece.places].T
    index = np.flatnonzero((begins >= 0) & (piece.times >= 0) & (piece.ends - piece.begins >= 48))
    at, kind = _network(octets, piece.begins[index], typed[index], begins[index])
    long_enough = piece.ends[index] - at >= 28
    index, at, kind = index[long_enough], at[long_enough], kind[long_enough]
    first = octets.one(at)
    is_six = (kind == IPV6) | ((kind < 0) & (first >> 4 == 6))
    is_four = ((kind == IPV4) | (kind < 0)) & (first == 0x45)
    long_enough = piece.ends[index] - at >= np.where(is_six, 48, 28)
    protocol = octets.one(at + np.where(is_six, 6, 9))
    good = (
        ((is_six & (first >> 4 == 6)) | (is_four & (octets.two(at + 6) & 0x3FFF == 0))) & (protocol == 17) & long_enough
    )
    index, at, is_six = index[good], at[good], is_six[good]
    inner = at + np.where(is_six, 40, 20)
    stated = octets.two(at + np.where(is_six, 4, 2))
    end = np.where(is_six, inner, at) + stated
    port, target_port, length = (octets.two(inner + place) for place in (0, 2, 4))
    good = (stated > 0) & (end <= piece.ends[index]) & (length >= 25) & (inner + length <= end)
    good &= (port == DNS) | (target_port == DNS)
    source = at + np.where(is_six, 8, 12)
    found = Messages(
        index, source, source + np.where(is_six, 16, 4), is_six, port, target_port, inner + 8, inner + length
    )
    return found.only(good)


def _network(octets: Octets, begins: Ints, typed: Ints, offset: Ints) -> tuple[Ints, Ints]:
    """Where the packet of the network begins, and its EtherType; -1 where only its first octet can tell."""
    kind = np.where(typed >= 0, octets.two(begins + np.maximum(typed, 0)), -1)
    at = begins + offset
    for _ in range(2):
        tagged = np.isin(kind, list(VLAN_TAGS))
        if not tagged.any():
            break
        kind = np.where(tagged, octets.two(at + 2), kind)
        at = at + 4 * tagged
    return at, kind


def _headers(octets: Octets, found: Messages) -> Messages:
    """Opcode 0, one question, few records."""
    records = sum(octets.two(found.begin + place) for place in (6, 8, 10))
    is_query = octets.two(found.begin + 2) & 0x7800 == 0
    return found.only(is_query & (octets.two(found.begin + 4) == 1) & (records <= _MOST_RECORDS))


def _names(octets: Octets, found: Messages) -> tuple[Any, Ints, Any]:
    """Which names are plain, where each ends, and all places in the buffer where a label of one begins."""
    ends = np.zeros(len(found.index), dtype=np.int64)
    marks = np.zeros(len(octets.buffer), dtype=bool)
    live, at = np.arange(len(found.index)), found.begin + _HEADER
    for _ in range(_MOST_LABELS):
        if not len(live):
            break
        size, used = octets.one(at), at - found.begin[live] - _HEADER
        inside = at + 5 <= found.stop[live]
        is_end = (size == 0) & inside & (used > 0)
        ends[live[is_end]] = at[is_end] + 1
        goes_on = (size > 0) & (size < 64) & (at + size + 6 <= found.stop[live]) & (used + size + 2 <= _LONGEST)
        marks[at[goes_on]] = True
        live, at = live[goes_on], at[goes_on] + size[goes_on] + 1
    taken = ends > 0
    if taken.any():
        strange = (octets.buffer - np.uint8(0x21)) > 0x7E - 0x21  # `uint8` wraps
        strange |= (octets.buffer == 0x2E) | (octets.buffer == 0x5C)  # a dot or a backslash within a label
        strange &= ~marks
        taken[taken] = ~any_of(strange, found.begin[taken] + _HEADER, ends[taken] - 1)
    return taken, ends, marks


def any_of(flags: Any, starts: Ints, stops: Ints) -> Any:
    """Whether one of `flags[start:stop]` is set; ranges ascend, overlap nowhere and are not empty."""
    edges = np.stack([starts, stops], axis=1).ravel()
    return np.logical_or.reduceat(flags, edges)[::2]


def _records(octets: Octets, found: Messages, ends: Ints, marks: Any) -> tuple[Any, Answers, Ints, Ints]:
    """Which messages end with their last record, their answers, bits of EDNS, and the upper part of the code."""
    count = len(found.index)
    answers, authority, additional = (octets.two(found.begin + place) for place in (6, 8, 10))
    total = answers + authority + additional
    at, taken = ends + 4, np.ones(count, dtype=bool)
    edns, code = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    parts: list[Answers] = []
    for number in range(int(total.max(initial=0))):
        live = np.flatnonzero(taken & (total > number))
        good, place, kind = _owners(octets, found, ends, marks, live, at)
        ttl, size = octets.four(place + 4), octets.two(place + 8)
        data, stop = place + 10, place + 10 + size
        good &= (stop <= found.stop[live]) & (kind != _TSIG)
        is_answer = number < answers[live]
        is_own = octets.two(at[live]) == 0xC000 | _HEADER
        is_four, is_six = (kind == _A) & (size == 4), (kind == _AAAA) & (size == 16)
        good &= ~is_answer | ((octets.two(place + 2) == _IN) & is_own & (is_four | is_six))
        options = good & (kind == _OPT) & (number >= answers[live] + authority[live])
        bits, fine = _options(octets, np.where(options, data, 0), np.where(options, stop, 0))
        is_first = (edns[live] == 0) & (octets.one(at[live]) == 0) & (ttl >> 16 & 255 == 0)
        good &= ~options | (is_first & fine)
        options &= good
        edns[live[options]] = (bits | EDNS | (ttl & 0x8000) >> 1)[options]
        code[live[options]] = ttl[options] >> 24
        kept = is_answer & good
        parts.append(Answers(live[kept], ttl[kept], data[kept], is_six[kept]))
        taken[live[~good]] = False
        at[live] = stop
    taken &= at == found.stop
    return taken, _joined(parts), edns, code


def _owners(octets: Octets, found: Messages, ends: Ints, marks: Any, live: Ints, at: Ints) -> tuple[Any, Ints, Ints]:
    """Which records are owned by the root or by a name within the question, where their types stand, and the types."""
    start, begin = at[live], found.begin[live]
    first, target = octets.one(start), octets.two(start) & 0x3FFF
    inside = (first >= 0xC0) & (target >= _HEADER) & (begin + target < ends[live])
    is_own = inside & marks[np.where(inside, begin + target, 0)]
    place = start + np.where(first == 0, 1, 2)
    good = ((first == 0) | is_own) & (place + 10 <= found.stop[live])
    return good, place, octets.two(place)


def _options(octets: Octets, at: Ints, stop: Ints) -> tuple[Ints, Any]:
    """Bits of the options from `at` up to `stop`, and where these are whole and few."""
    bits = np.zeros(len(at), dtype=np.int64)
    for _ in range(_MOST_OPTIONS):
        live = np.flatnonzero(at < stop)
        if not len(live):
            break
        code, end = octets.two(at[live]), at[live] + 4 + octets.two(at[live] + 2)
        for number, bit in _OPTION_BITS.items():
            bits[live] |= np.where(code == number, bit, 0)
        at[live] = np.where(end > stop[live], stop[live] + 1, end)
    return bits, at == stop


def _joined(parts: list[Answers]) -> Answers:
    """Answers by row, in the order of the message."""
    none = [np.zeros(0, dtype=np.int64)]
    columns = [np.concatenate(none + [getattr(part, name) for part in parts]) for name in Answers.__slots__]
    order = np.argsort(columns[0], kind="stable")
    row, ttl, place, is_six = (column[order] for column in columns)
    return Answers(row, ttl, place, is_six.astype(bool))


def _renumbered(answers: Answers, taken: Any) -> Answers:
    """Those of rows that are taken, by the numbers that these have then."""
    kept = taken[answers.row]
    return Answers(
        (np.cumsum(taken) - 1)[answers.row[kept]], answers.ttl[kept], answers.place[kept], answers.is_six[kept]
    )
