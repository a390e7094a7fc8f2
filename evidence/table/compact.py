"""The compact protocol of Apache Thrift, in which a Parquet file's footer and the headers of its pages are written.

A struct is a mapping from the numbers of its fields to their kind and value. Specification: THRIFT-110,
`doc/specs/thrift-compact-protocol.md` of Apache Thrift; the structs are those of `parquet.thrift`. What is read here
was written by PyArrow in this process; anything else is an `IndexError` or a `KeyError`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

type Struct = dict[int, tuple[int, Any]]

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, STRUCT = 1, 2, 3, 4, 5, 6, 7, 8, 9, 12
_LONG = 15  # a list of so many items or more has their number behind its first byte
_SIZES = {TRUE: 1, FALSE: 1, BYTE: 1, DOUBLE: 8}
"""Bytes of values that are kept as they stand; truths take theirs in lists alone."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A list whose items are all of one kind; structs may be in it as they are encoded."""

    kind: int
    items: Sequence[Any]


def decode(data: bytes) -> Struct:
    """The struct that `data` begins with."""
    return _Cursor(data).struct()


def encode(struct: Struct) -> bytes:
    """Fields in the order of their numbers."""
    parts, last = [], 0
    for number, (kind, value) in sorted(struct.items()):
        step = number - last
        parts.append(bytes([step << 4 | kind]) if step <= _LONG else bytes([kind]) + varint(number << 1))
        parts.append(b"" if kind in (TRUE, FALSE) else _encoded(kind, value))
        last = number
    return b"".join([*parts, b"\0"])


def varint(number: int) -> bytes:
    """Seven bits a byte, the least first."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def _encoded(kind: int, value: Any) -> bytes:
    if kind in (I16, I32, I64):
        return varint(value << 1 if value >= 0 else (-value << 1) - 1)
    if kind == BINARY:
        return varint(len(value)) + bytes(value)
    if kind == STRUCT:
        return value if isinstance(value, bytes) else encode(value)
    if kind == LIST:
        count = len(value.items)
        head = bytes([count << 4 | value.kind]) if count < _LONG else bytes([_LONG << 4 | value.kind]) + varint(count)
        return head + b"".join(_encoded(value.kind, item) for item in value.items)
    return bytes(value)  # a byte, a double, or a truth in a list: as it stood


class _Cursor:
    """Reads from its first byte to its last."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def struct(self) -> Struct:
        found: Struct = {}
        number = 0
        while head := self._take(1)[0]:
            number = number + (head >> 4) if head >> 4 else self._number()
            kind = head & 0x0F
            found[number] = kind, None if kind in (TRUE, FALSE) else self._value(kind)
        return found

    def _take(self, size: int) -> bytes:
        self._at += size
        return self._data[self._at - size : self._at]

    def _varint(self) -> int:
        found, shift = 0, 0
        while True:
            byte = self._data[self._at]
            self._at += 1
            found |= (byte & 0x7F) << shift
            if byte < 0x80:
                return found
            shift += 7

    def _number(self) -> int:
        found = self._varint()
        return found >> 1 if found % 2 == 0 else -(found + 1 >> 1)

    def _list(self) -> Listing:
        head = self._take(1)[0]
        count = head >> 4 if head >> 4 < _LONG else self._varint()
        return Listing(head & 0x0F, [self._value(head & 0x0F) for _ in range(count)])

    def _value(self, kind: int) -> Any:
        if kind in (I16, I32, I64):
            return self._number()
        if kind == STRUCT:
            return self.struct()
        if kind == LIST:
            return self._list()
        return self._take(self._varint() if kind == BINARY else _SIZES[kind])
