"""Addresses as columns of text."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
    first, second = fields["first"].astype(np.int32), fields["second"].astype(np.int32)
    if len(places) and (first == first[0]).all() and (second == second[0]).all():
        return gather.constant(f"{_halves()[first[0]]}.{_halves()[second[0]]}", len(places), pa.string())
    return pc.binary_join_element_wise(_halves().take(pa.array(first)), _halves().take(pa.array(second)), ".")


@cache
def _halves() -> pa.Array:
    """Two octets in decimal digits, by their number."""
    decimals = pa.array([str(octet) for octet in range(256)])
    number = np.arange(1 << 16)
    return pc.binary_join_element_wise(decimals.take(pa.array(number >> 8)), decimals.take(pa.array(number & 255)), ".")


def sixteen(octets: Octets, places: Ints) -> pa.Array:
    """Each address that is there is put into words once."""
    found = pa.py_buffer(np.ascontiguousarray(octets.fields(_SIXTEEN, places)))
    encoded = pa.Array.from_buffers(pa.binary(16), len(places), [None, found]).dictionary_encode()
    words = pa.array([address(octets) for octets in encoded.dictionary.to_pylist()], pa.string())
    return words.take(encoded.indices)
