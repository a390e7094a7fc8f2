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
_LEAST, _MOST_RECORDS = 25, 64
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


@dataclass(slots=True)
class Datagrams:
    """Packets that carry them: `index` in the piece, ports, and where in the buffer the addresses stand, the target's
    behind the source's.
    """

    index: Ints
    source: Ints
    is_six: Any
    port: Ints
    target_port: Ints

    def only(self, kept: Any) -> Datagrams:
        return Datagrams(*(getattr(self, name)[kept] for name in self.__slots__))


def plain_datagrams(octets: Octets, piece: Piece) -> tuple[Datagrams, Messages]:
    """UDP from or to port 53, in the order of the piece."""
    places = np.array([_PLACES.get(interface.link, (0, -1)) for interface in piece.interfaces], dtype=np.int64)
    typed, begins = places.reshape(-1, 2)[piece.places].T
    index = np.flatnonzero((begins >= 0) & (piece.times >= 0) & (piece.ends - piece.begins >= 48))
    at, kind = _network(octets, piece.begins[index], typed[index], begins[index])
    first = octets.buffer[at]
    is_four = (first == 0x45) & ((kind == IPV4) | (kind < 0))
    four = _family(octets, piece, index[is_four], at[is_four], _FOUR)
    is_six = (first >> 4 == 6) & ((kind == IPV6) | (kind < 0))
    if not is_six.any():
        return four
    return _merged(four, _family(octets, piece, index[is_six], at[is_six], _SIX))


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


def _family(octets: Octets, piece: Piece, index: Ints, at: Ints, kind: np.dtype[np.void]) -> tuple[Datagrams, Messages]:
    """Those of one version of IP, whose header begins at `at`."""
    is_six = kind is _SIX
    fields = octets.fields(kind, at)
    port, target_port, stated, length, bits, *counts = (
        fields[name].astype(np.int64)
        for name in ("port", "target_port", "stated", "length", "bits", "answers", "authority", "additional")
    )
    inner = at + (40 if is_six else 20)
    end = stated + (inner if is_six else at)
    good = (fields["protocol"] == UDP) & (stated > 0) & (end <= piece.ends[index]) & (length >= _LEAST)
    good &= (inner + length <= end) & ((port == DNS) | (target_port == DNS))
    good &= (bits & 0x7800 == 0) & (fields["questions"] == 1) & (sum(counts) <= _MOST_RECORDS)
    if not is_six:
        good &= fields["fragment"] & 0x3FFF == 0
    source = at + (8 if is_six else 12)
    found = Datagrams(index, source, np.full(len(index), is_six), port, target_port)
    messages = Messages(inner + 8, inner + length, bits, *counts)
    kept = np.flatnonzero(good)
    return (found, messages) if good.all() else (found.only(kept), messages.only(kept))


def _merged(four: tuple[Datagrams, Messages], six: tuple[Datagrams, Messages]) -> tuple[Datagrams, Messages]:
    """Packets of both, in the order of the piece."""
    order = np.argsort(np.concatenate([four[0].index, six[0].index]), kind="stable")
    found = Datagrams(*(_both(four[0], six[0], name)[order] for name in Datagrams.__slots__))
    return found, Messages(*(_both(four[1], six[1], name)[order] for name in Messages.__slots__))


def _both(one: Any, other: Any, name: str) -> Any:
    return np.concatenate([getattr(one, name), getattr(other, name)])
