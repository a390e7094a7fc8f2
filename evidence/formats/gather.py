"""Columns out of a chunk without a copy loop: token offsets in NumPy, values gathered by Arrow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

type Ints = np.ndarray[Any, np.dtype[np.int64]]
type Bytes = np.ndarray[Any, np.dtype[np.uint8]]

LOWER = np.arange(256, dtype=np.uint8)
LOWER[65:91] += 32
PADDING = 32  # so that a window of this many bytes may begin at any byte of a chunk


def padded(data: bytes) -> Bytes:
    return np.frombuffer(data + bytes(PADDING), dtype=np.uint8)


def strings(buffer: Bytes, starts: Ints, stops: Ints) -> pa.Array:
    """The ASCII texts `buffer[starts[i]:stops[i]]`; ranges ascend and do not overlap."""
    count = len(starts)
    if not count:
        return pa.array([], pa.string())
    offsets = np.empty(2 * count, dtype=np.int32)
    offsets[0::2], offsets[1::2] = starts, stops
    whole = pa.Array.from_buffers(
        pa.binary(), 2 * count - 1, [None, pa.py_buffer(offsets), pa.py_buffer(buffer)]
    )
    return whole.take(pa.array(np.arange(0, 2 * count - 1, 2, dtype=np.int64))).view(pa.string())


def equals(buffer: Bytes, starts: Ints, stops: Ints, literal: bytes) -> Any:
    """Where a token is this literal of at most 8 bytes."""
    size = len(literal)
    wanted = int.from_bytes(literal, "little")
    mask = np.uint64((1 << 8 * size) - 1)
    return (stops - starts == size) & ((words(buffer, starts) & mask) == np.uint64(wanted))


def words(buffer: Bytes, starts: Ints) -> Any:
    """Eight bytes from each start as a little-endian number."""
    windows = np.lib.stride_tricks.as_strided(buffer[:8].view("<u8"), (len(buffer) - 8,), (1,), writeable=False)
    return windows[starts]


def only(bad_before: Ints, starts: Ints, stops: Ints) -> Any:
    """Where a token holds none of the bytes that `bad_before` counts."""
    return bad_before[stops] == bad_before[starts]


def count_before(table: Any, buffer: Bytes) -> Any:
    """For each position, how many bytes before it are marked in a table of 256."""
    counts = np.empty(len(buffer) + 1, dtype=np.int32)
    counts[0] = 0
    np.cumsum(table[buffer], dtype=np.int32, out=counts[1:])
    return counts


def allowed(characters: bytes) -> Any:
    """A table that marks every byte but these."""
    table = np.ones(256, dtype=np.uint8)
    table[list(characters)] = 0
    return table
