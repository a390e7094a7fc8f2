"""Addresses as columns of text."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from evidence.reading import gather
from evidence.wire.octets import layout
from evidence.wire.packet import address

if TYPE_CHECKING:
    from evidence.reading.gather import Ints
    from evidence.wire.octets import Octets

_HALVES = layout(4, first=(0, ">u2"), second=(2, ">u2"))
_SIXTEEN = layout(16, all=(0, "V16"))


def addresses(octets: Octets, places: Ints, is_six: Any) -> pa.Array:
    """The addresses of four or sixteen octets at these places (RFC 5952)."""
    six = np.flatnonzero(is_six)
    if not len(six):
        return four(octets, places)
    both = pa.concat_arrays([four(octets, places[~is_six]), sixteen(octets, places[six])])
    return both.take(pa.array(np.argsort(np.concatenate([np.flatnonzero(~is_six), six]), kind="stable")))


def four(octets: Octets, places: Ints) -> pa.Array:
    """By halves; a server that answers everything is put into words once."""
    fields = octets.fields(_HALVES, places)
    first, second = fields["first"].astype(np.int64), fields["second"].astype(np.int64)
    if len(places) > 1 and (first == first[0]).all() and (second == second[0]).all():
        return gather.constant(four(octets, places[:1])[0].as_py(), len(places), pa.string())
    begin, end, size = _halves()
    both = np.empty((len(places), 2), dtype=begin.dtype)
    both[:, 0], both[:, 1] = begin[first], end[second]
    offsets = np.zeros(len(places) + 1, dtype=np.int32)
    np.cumsum(size[first] + size[second] - 1, out=offsets[1:])
    characters = both.tobytes().translate(None, b"\0")
    parts = [None, pa.py_buffer(offsets), pa.py_buffer(characters)]
    return pa.Array.from_buffers(pa.string(), len(places), parts)


@cache
def _halves() -> tuple[Any, Any, Any]:
    """By the number of two octets: `a.b.` and `a.b` in eight bytes, some of them NUL, and the size of the first."""
    octets = [b"%d." % octet for octet in range(256)]
    dotted, last = (np.array([int.from_bytes(text[:size], "little") for text in octets], "<u8") for size in (4, -1))
    sizes = np.array([len(text) for text in octets], dtype=np.int32)
    number = np.arange(1 << 16)
    high, low = number >> 8, number & 255
    begin, end = (dotted[high] | part[low] << np.uint64(32) for part in (dotted, last))
    return begin, end, sizes[high] + sizes[low]


def sixteen(octets: Octets, places: Ints) -> pa.Array:
    """Each address that is there is put into words once."""
    found = pa.py_buffer(np.ascontiguousarray(octets.fields(_SIXTEEN, places)))
    encoded = pa.Array.from_buffers(pa.binary(16), len(places), [None, found]).dictionary_encode()
    words = pa.array([address(octets) for octets in encoded.dictionary.to_pylist()], pa.string())
    return words.take(encoded.indices)
