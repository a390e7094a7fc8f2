"""The plain UDP packets of a capture, as columns: what most of a capture is, read many at once.

A packet is taken here only if nothing about it is unusual: a known link layer, no IP options or extension headers, no
fragment, captured to its end, and a message of one question. All others are left to be read one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evidence.wire.octets import layout
from evidence.wire.packet import COOKED, COOKED_2, DNS, ETHERNET, IPV4, IPV6, UDP, VLAN_TAGS

if TYPE_CHECKING:
    from evidence.reading.gather import Ints
    from evidence.wire.octets import Octets
    from evidence.wire.pieces import Piece

RAW = (12, 14, 101)
_PLACES = {ETHERNET: (12, 14), COOKED: (14, 16), COOKED_2: (0, 20), **dict.fromkeys(RAW, (-1, 0))}
"""By link type: where the EtherType stands (-1: there is none) and where IP begins."""
_LEAST_PACKET = 48
_LEAST, MOST_RECORDS = 25, 64
"""Octets of a UDP datagram with a question whose name is not the root, records of a message."""


def _layout(header: int, **fields: tuple[int, str]) -> np.dtype[np.void]:
    """IP of `header` octets without options, UDP, and the header of a message."""
    ports = {"port": (header, ">u2"), "target_port": (header + 2, ">u2"), "length": (header + 4, ">u2")}
    names = ("bits", "questions", "answers", "authority", "additional")
    message = {name: (header + 10 + 2 * place, ">u2") for place, name in enumerate(names)}
    return layout(header + 20, **fields, **ports, **message)


_FOUR = _layout(20, stated=(2, ">u2"), fragment=(6, ">u2"), protocol=(9, "u1"))
_SIX = _layout(40, stated=(4, ">u2"), protocol=(6, "u1"))


@dataclass(slots=True)
class Messages:
    """Messages of one question, one value each: from `begin` up to `stop` in the buffer, bits of the header, and how
    many records each section has.
    """

    begin: Ints
    stop: Ints
    bits: Ints
    answers: Ints
    authority: Ints
    additional: Ints

    def only(self, kept: Any) -> Messages:
        return Messages(*(getattr(self, name)[kept] for name in self.__slots__))

    def put(self, places: Ints, others: Messages) -> None:
        """Has the others at these places from then on."""
        for name in self.__slots__:
            getattr(self, name)[places] = getattr(others, name)


@dataclass(slots=True)
class Datagrams:
    """Packets that carry them: `index` in the piece, ports, and where in the buffer the addresses stand, the target's
    behind the source's. `is_tcp` are segments.
    """

    index: Ints
    source: Ints
    is_six: Any
    port: Ints
    target_port: Ints
    is_tcp: Any

    def only(self, kept: Any) -> Datagrams:
        return Datagrams(*(getattr(self, name)[kept] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Family:
    """IP packets of one version: `index` in the piece, where they begin in the buffer, and their headers.

    `inner` is where UDP or TCP begins, `end` where the packet says that it ends; if it says nothing, where it does.
    """

    is_six: bool
    index: Ints
    at: Ints
    fields: Any
    inner: Ints
    end: Ints

    def only(self, kept: Any) -> Family:
        columns = (getattr(self, name)[kept] for name in self.__slots__[1:])
        return Family(self.is_six, *columns)


def families(octets: Octets, piece: Piece) -> tuple[list[Family], Ints]:
    """IP packets without options, by version; and places in the piece of packets that are not IP."""
    pairs = [_PLACES.get(interface.link, (0, -1)) for interface in piece.interfaces]
    places = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    is_alone = len(places) == 1  # as a rule: two numbers then do for all packets
    typed, offset = places[0] if is_alone else places[piece.places].T
    index = np.flatnonzero((offset >= 0) & (piece.times >= 0) & (piece.ends - piece.begins >= _LEAST_PACKET))
    if not is_alone:
        typed, offset = typed[index], offset[index]
    at, kind = _network(octets, piece.begins[index], typed, offset)
    first = octets.buffer[at]
    is_four = (first == 0x45) & ((kind == IPV4) | (kind < 0))
    if is_four.all():
        return [_family(octets, piece, index, at, is_six=False)], index[:0]
    is_six = (first >> 4 == 6) & ((kind == IPV6) | (kind < 0))
    found = [_family(octets, piece, index[is_four], at[is_four], is_six=False)]
    if is_six.any():
        found.append(_family(octets, piece, index[is_six], at[is_six], is_six=True))
    is_other = (kind >= 0) & ~np.isin(kind, [IPV4, IPV6, *VLAN_TAGS])
    return found, index[is_other]


def _network(octets: Octets, begins: Ints, typed: Any, offset: Any) -> tuple[Ints, Ints]:
    """Where the packet of the network begins, and its EtherType; -1 where only its first octet can tell."""
    kind = np.where(typed >= 0, octets.two(begins + np.maximum(typed, 0)), -1)
    at = begins + offset
    for _ in range(2):
        tagged = np.logical_or.reduce([kind == tag for tag in VLAN_TAGS])
        if not tagged.any():
            break
        kind = np.where(tagged, octets.two(at + 2), kind)
        at = at + 4 * tagged
    return at, kind


def _family(octets: Octets, piece: Piece, index: Ints, at: Ints, *, is_six: bool) -> Family:
    fields = octets.fields(_SIX if is_six else _FOUR, at)
    inner, stated = at + (40 if is_six else 20), fields["stated"]
    end = (inner if is_six else at) + stated
    if not stated.all():
        end = np.where(stated > 0, end, piece.ends[index])
    return Family(is_six, index, at, fields, inner, end)


def plain_datagrams(piece: Piece, family: Family) -> tuple[Datagrams, Messages, Any]:
    """All packets as if each were UDP, and which are, from or to port 53, with a message that can be plain."""
    fields = family.fields
    port, target_port, length, bits, *counts = (
        fields[name].astype(np.int64)
        for name in ("port", "target_port", "length", "bits", "answers", "authority", "additional")
    )
    stop = family.inner + length
    good = (fields["protocol"] == UDP) & (family.end <= piece.ends[family.index]) & (stop <= family.end)
    good &= (length >= _LEAST) & ((port == DNS) | (target_port == DNS))
    good &= (bits & 0x7800 == 0) & (fields["questions"] == 1) & (sum(counts) <= MOST_RECORDS)
    if not family.is_six:
        good &= fields["fragment"] & 0x3FFF == 0
    source = family.at + (8 if family.is_six else 12)
    found = Datagrams(
        family.index, source, np.full(len(source), family.is_six), port, target_port, np.zeros(len(source), bool)
    )
    return found, Messages(family.inner + 8, stop, bits, *counts), good


def merged(parts: list[tuple[Datagrams, Messages]]) -> tuple[Datagrams, Messages]:
    """Packets of all families, in the order of the piece."""
    if len(parts) == 1:
        return parts[0]
    order = np.argsort(np.concatenate([found.index for found, _ in parts]), kind="stable")

    def column(place: int, name: str) -> Any:
        return np.concatenate([getattr(part[place], name) for part in parts])[order]

    found = Datagrams(*(column(0, name) for name in Datagrams.__slots__))
    return found, Messages(*(column(1, name) for name in Messages.__slots__))
