"""Protocol Buffers on the wire, as far as dnstap needs (https://protobuf.dev/programming-guides/encoding).

Stricter than the format: a field that is known has its own wire type and stands once.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from evidence.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    type Value = int | bytes

VARINT, FIXED64, OCTETS, FIXED32 = 0, 1, 2, 5
_FIXED = {FIXED64: struct.Struct("<Q"), FIXED32: struct.Struct("<I")}
BROKEN = "bad-protobuf"


def read_fields(data: bytes, known: Mapping[int, int]) -> dict[int, Value]:
    """Values of the fields that are `known`, by number with their wire type; others are stepped over.

    Raises `MessageError` where the data break the encoding, or a known field stands twice or has another wire type.
    """
    found: dict[int, Value] = {}
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        value, at = _value(data, at, kind)
        if not number or (number in known and (known[number] != kind or number in found)):
            raise MessageError(BROKEN)
        if number in known:
            found[number] = value
    return found


def _value(data: bytes, at: int, kind: int) -> tuple[Value, int]:
    if kind == VARINT:
        return _varint(data, at)
    if kind == OCTETS:
        size, at = _varint(data, at)
        return _taken(data, at, size), at + size
    if kind not in _FIXED:
        raise MessageError(BROKEN)
    form = _FIXED[kind]
    return int(form.unpack(_taken(data, at, form.size))[0]), at + form.size


def _taken(data: bytes, at: int, size: int) -> bytes:
    if at + size > len(data):
        raise MessageError(BROKEN)
    return data[at : at + size]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """At most ten octets, and no more than 64 bits."""
    value = 0
    for place, octet in enumerate(data[at : at + 10]):
        value |= (octet & 0x7F) << 7 * place
        if octet < 0x80 and value < 1 << 64:
            return value, at + place + 1
    raise MessageError(BROKEN)
