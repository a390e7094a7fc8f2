"""Names in DNS messages (RFC 1035 §3.1 and §4.1.4): octets of labels, and pointers to what was written before."""

from __future__ import annotations

import struct
from functools import lru_cache

from evidence.errors import MessageError
from evidence.reading.names import from_labels, written_labels

_LONGEST = 255  # octets, RFC 1035 §2.3.4
_MOST_POINTERS = 127  # a name has no more labels; without a limit, pointers to pointers cost quadratic time
_POINTER = 0xC0
UINT16 = struct.Struct(">H")

type Labels = tuple[bytes, ...]
type Known = dict[int, tuple[Labels, int]]
"""Names of a message by where they begin, each with the pointers that count when another one leads there."""


def read_labels(data: bytes, at: int, known: Known | None = None) -> tuple[Labels, int]:
    """The labels of the name at `at`, and where reading goes on.

    A pointer goes to a place before the one it was found from: so there is no loop. Raises `MessageError` where the
    name leaves the message, is longer than 255 octets, or has a pointer forward or a label of an unknown kind.
    The name is added to those `known`, and one that leads to it may have all its pointers more.
    """
    known = {} if known is None else known
    labels, end, _ = _read_labels(data, at, len(data), known)
    known[at] = labels, 0
    return labels, end


def read_name(data: bytes, at: int, stop: int, known: Known) -> tuple[str, int]:
    """As `read_labels`, in the form of tables, of a name that has no octets from `stop` on; nor has any one `known`."""
    labels, end, hops = _read_labels(data, at, stop, known)
    known[at] = labels, hops
    return name_of(labels), end


def _read_labels(data: bytes, at: int, stop: int, known: Known) -> tuple[Labels, int, int]:
    labels: Labels = ()
    size, hops, limit, end = 1, 0, at, 0
    while at < stop and (length := data[at]):
        if length < 64:
            size += length + 1
            if size > _LONGEST:
                raise MessageError("bad-name")
            labels = (*labels, data[at + 1 : at + 1 + length])
            at += length + 1
            continue
        if length < _POINTER:
            raise MessageError("bad-label")
        if at + 2 > stop:
            raise MessageError("short-message")
        target, end, hops = (length & 0x3F) << 8 | data[at + 1], end or at + 2, hops + 1
        more, further = known.get(target, ((), 0))
        if target >= limit or hops + further > _MOST_POINTERS:
            raise MessageError("bad-pointer")
        if target in known:
            return _whole(labels + more), end, hops + further
        limit = at = target
    if at >= stop:
        raise MessageError("short-message")
    return labels, end or at + 1, hops


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


def read_uint16(data: bytes, at: int) -> int:
    """Raises `MessageError` where the message ends before."""
    if at + 2 > len(data):
        raise MessageError("short-message")
    return int(UINT16.unpack_from(data, at)[0])
