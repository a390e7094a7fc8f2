"""Captures in pcapng (draft-ietf-opsawg-pcapng): sections of either byte order, several interfaces.

Section headers and interface descriptions are context; other blocks hold no packets and are skipped under their kind. A
block whose length is impossible, or is not said again at its end, leaves nothing to tell where the next one begins: the
rest of the file is one reject.
"""

from __future__ import annotations

import functools
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from evidence.reading.batch import CONTEXT, HEAD, REJECT, SKIP, Reject
from evidence.reading.format import Format, Guess, Reading, refuse_parameters
from evidence.table.schema import LOOKUPS
from evidence.wire.capture import Capture
from evidence.wire.pieces import BAD_TIME, LATEST, NO_TIME, Interface, Piece, cut, rest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from evidence.reading.format import Head, NoRow
    from evidence.reading.source import Source

PROCEDURE, TITLE = "parse.pcapng@1", "a pcapng capture"
LONGEST = 1 << 24
"""Octets of a block, as other readers have it."""
SECTION, INTERFACE, PACKET, SIMPLE, ENHANCED = 0x0A0D0D0A, 1, 2, 3, 6
_BLOCKS = {4: "name-resolution", 5: "interface-statistics", 9: "journal", 10: "decryption-secrets"}
_ORDERS = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
_NAME, _RESOLUTION, _OFFSET = 2, 9, 14
_MOST_OTHERS = 1 << 15
"""A piece ends when it has so many blocks that are no packets: they are held one by one."""
_END = 12  # octets of a block that is empty: kind, and length twice
MOST_INTERFACES = 1 << 16


@dataclass(frozen=True, slots=True)
class Clock:
    """How an interface writes times: `units` a second, seconds that are added to all, octets of a packet at most."""

    units: int = 1_000_000
    offset: int = 0
    longest: int = 0

    def microseconds(self, written: int) -> int:
        time = self.offset * 1_000_000 + written * 1_000_000 // self.units
        return time if 0 <= time <= LATEST else BAD_TIME


@dataclass(slots=True)
class Section:
    """What the headers that were read so far say; owned by one reading."""

    order: str = "<"
    interfaces: list[Interface] = field(default_factory=list)
    clocks: list[Clock] = field(default_factory=list)
    first: int = 0
    """The place in `interfaces` of the section's first one: those of earlier sections stay before it."""
    room: int = 1 << 24
    """So many octets names of interfaces may still have; below 0 no interface is taken any more."""


@dataclass(slots=True)
class Found:
    """Packets and other bytes of a piece, as columns grow."""

    line: int
    packets: list[tuple[int, ...]] = field(default_factory=list)
    others: list[Reject] = field(default_factory=list)


def pieces(source: Source) -> Iterator[Piece]:
    """All bytes of the source; a block stands in one piece."""
    head = source.look(0, HEAD)
    if _is_section(head):
        yield from cut(source, functools.partial(_take, Section()))
    elif head:
        yield rest(source, head, 0, 0, "no-section-header")


def _take(section: Section, data: bytes, end: int, start: int, line: int) -> tuple[Piece, bool]:
    """Whole blocks, and whether the next one is broken."""
    found = Found(line)
    size, is_broken = _walk(data, end, start, section, found)
    return _piece(data, start, line, size, section, found), is_broken


def _is_section(data: bytes) -> bool:
    return int.from_bytes(data[:4]) == SECTION and data[8:12] in _ORDERS


def _walk(data: bytes, end: int, start: int, section: Section, found: Found) -> tuple[int, bool]:
    """Takes whole blocks; where the first that is left begins, and whether it is broken."""
    at = 0
    while at + _END <= end and len(found.others) < _MOST_OTHERS:
        if _is_section(data[at : at + 12]):
            section.order = _ORDERS[data[at + 8 : at + 12]]
        kind, size = struct.unpack_from(f"{section.order}II", data, at)
        if size < _END or size % 4 or size > LONGEST:
            return at, True
        stop = at + size
        if stop > end:
            break
        if struct.unpack_from(f"{section.order}I", data, stop - 4) != (size,):
            return at, True
        outcome = _block(kind, data, at, stop, section, found)
        if outcome:
            found.others.append(
                Reject(
                    found.line + len(found.packets),
                    start + at,
                    start + stop,
                    *outcome,
                    head=data[at : min(stop, at + HEAD)],
                )
            )
        at = stop
    return at, False


def _block(kind: int, data: bytes, at: int, stop: int, section: Section, found: Found) -> NoRow | None:
    """Takes one block; what its bytes are if it is no packet."""
    if kind == SECTION:
        if stop - at < 28 or not _is_section(data[at : at + 12]):
            return REJECT, "bad-block"
        section.first = len(section.interfaces)
        return CONTEXT, "section-header"
    if kind == INTERFACE:
        return _interface(data[at + 8 : stop - 4], section)
    if kind in (PACKET, SIMPLE, ENHANCED):
        packet = _packet(kind, data, at, stop, section)
        if packet:
            found.packets.append(packet)
        return None if packet else (REJECT, "bad-block")
    return SKIP, _BLOCKS.get(kind, "other-block")


def _interface(body: bytes, section: Section) -> NoRow:
    if len(body) < 8 or len(section.interfaces) >= MOST_INTERFACES:
        return REJECT, "bad-block"
    link, _, longest = struct.unpack_from(f"{section.order}HHI", body)
    options = dict(_options(body[8:], section.order))
    section.room -= len(options.get(_NAME, b""))
    if section.room < 0:
        return REJECT, "bad-block"
    written = options.get(_RESOLUTION, b"\6")
    resolution = written[0] if written else 6
    offset = options.get(_OFFSET, b"")
    seconds = struct.unpack(f"{section.order}q", offset)[0] if len(offset) == 8 else 0
    units = 2 ** (resolution & 127) if resolution & 128 else 10**resolution
    digits = min(len(str(units)) - 1, 9)
    name = options.get(_NAME, b"").rstrip(b"\0").decode("utf-8", "backslashreplace") or None
    section.interfaces.append(Interface(link, digits, name))
    section.clocks.append(Clock(units, seconds, longest))
    return CONTEXT, "interface-description"


def _options(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Codes and values, up to the end that is marked, or to where they leave the block."""
    at = 0
    while at + 4 <= len(data):
        code, size = struct.unpack_from(f"{order}HH", data, at)
        if not code:
            return
        yield code, data[at + 4 : at + 4 + size]
        at += 4 + (size + 3 & ~3)


def _packet(kind: int, data: bytes, at: int, stop: int, section: Section) -> tuple[int, ...] | None:
    """A packet's columns in the order of `Piece`; None if they do not fit the block, or no interface is theirs."""
    header = 12 if kind == SIMPLE else 28
    if stop - at < header + 4:
        return None
    if kind == SIMPLE:
        place, stamp, length = 0, None, *struct.unpack_from(f"{section.order}I", data, at + 8)
        kept = min(length, stop - at - 16)
    else:
        number = "HH" if kind == PACKET else "I"
        place, *_, high, low, kept, length = struct.unpack_from(f"{section.order}{number}IIII", data, at + 8)
        stamp = high << 32 | low
    place += section.first
    begin = at + header
    if begin + kept > stop - 4 or place >= len(section.interfaces):
        return None
    clock = section.clocks[place]
    if kind == SIMPLE and clock.longest:
        kept = min(kept, clock.longest)
    time = NO_TIME if stamp is None else clock.microseconds(stamp)
    return at, stop, begin, begin + kept, kept >= length, time, place


def _piece(data: bytes, start: int, line: int, size: int, section: Section, found: Found) -> Piece:
    columns = np.array(found.packets, dtype=np.int64).reshape(-1, 7).T
    starts, stops, begins, ends, whole, times, places = (np.ascontiguousarray(column) for column in columns)
    return Piece(
        data, start, line, size, starts, stops, begins, ends, whole.astype(bool), times, places,
        tuple(section.interfaces), tuple(found.others),
    )  # fmt: skip


def _guess(head: Head) -> Guess | None:
    return Guess(1.0, f"{TITLE}: its first bytes say so") if _is_section(head.data) else None


def _read(source: Source, parameters: Mapping[str, Any]) -> Reading:
    refuse_parameters(PROCEDURE, parameters, set())
    capture = Capture()
    return Reading(LOOKUPS, capture.read(pieces(source)), capture.notes)


FORMAT = Format(PROCEDURE, TITLE, _guess, _read, unit="packet", is_text=False)
