"""Names in DNS messages (RFC 1035 §3.1 and §4.1.4): octets of labels, and pointers to what was written before."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import TYPE_CHECKING

from evidence.errors import MessageError
from evidence.reading.names import from_labels, written_labels

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST = 255  # octets, RFC 1035 §2.3.4
_MOST_POINTERS = 127  # a name has no more labels; without a limit, pointers to pointers cost quadratic time
_POINTER = 0xC0
UINT16 = struct.Struct(">H")

type Labels = tuple[bytes, ...]


def read_labels(data: bytes, at: int, known: Mapping[int, Labels] | None = None) -> tuple[Labels, int]:
    """The labels of the name at `at`, and where reading goes on; `known` names of the message begin at these places.

    A pointer goes to a place before the one it was found from: so there is no loop. Raises `MessageError` where the
    name leaves the message, is longer than 255 octets, or has a pointer forward or a label of an unknown kind.
    """
    try:
        return _read_labels(data, at, known or {})
    except IndexError:
        raise MessageError("short-message") from None


def _read_labels(data: bytes, at: int, known: Mapping[int, Labels]) -> tuple[Labels, int]:
    labels: Labels = ()
    size, hops, limit, end = 1, 0, at, 0
    while length := data[at]:
        if length < 64:
            size += length + 1
            if size > _LONGEST:
                raise MessageError("bad-name")
            labels = (*labels, data[at + 1 : at + 1 + length])
            at += length + 1
            continue
        if length < _POINTER:
            raise MessageError("bad-label")
        target, end, hops = (length & 0x3F) << 8 | data[at + 1], end or at + 2, hops + 1
        if target >= limit or hops > _MOST_POINTERS:
            raise MessageError("bad-pointer")
        if target in known:
            return _whole(labels + known[target]), end
        limit = at = target
    return labels, end or at + 1


def _whole(labels: Labels) -> Labels:
    if sum(map(len, labels)) + len(labels) + 1 > _LONGEST:
        raise MessageError("bad-name")
    return labels


@lru_cache(maxsize=1 << 14)
def name_of(labels: Labels) -> str:
    """The name in the form of tables. Raises `MessageError` for a name that is too long."""
    name = from_labels(list(labels))
    if name is None:
        raise MessageError("bad-name")
    return name


@lru_cache(maxsize=1 << 14)
def columns_of(labels: Labels) -> tuple[str, str | None]:
    """`name` and, where the case differs, `name_as_written`: escaped in the same way, without a final dot."""
    name, written = name_of(labels), written_labels(labels)
    return name, written if written != name else None


def read_name(data: bytes, at: int) -> tuple[str, int]:
    """The name at `at` in the form of tables, and where reading goes on."""
    labels, end = read_labels(data, at)
    return name_of(labels), end


def read_uint16(data: bytes, at: int) -> int:
    """Raises `MessageError` where the message ends before."""
    if at + 2 > len(data):
        raise MessageError("short-message")
    return int(UINT16.unpack_from(data, at)[0])
