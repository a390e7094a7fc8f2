"""Where the records of a capture begin: each names the next by its length.

One walk from the first record takes Python's time for each. So the chain is followed from many places at once that look
like records; a place was one if the walk from the place before arrives there, and then all together have found what the
one walk finds. If any was none, that walk is made.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evidence.reading.gather import Ints

HEADER = 16
_STRIDE = 1 << 15
_LEAST, _TRIES, _UNEVEN, _LOOKED = 16, 32, 4, 16
"""Lanes that are worth it, looks for each, strides that one may be long, steps between looks whether all are done."""


@dataclass(frozen=True, slots=True)
class Chain:
    """Records in `data` before byte `stop`; numbers are of `order`, `<` or `>`."""

    data: bytes
    stop: int
    order: str

    def starts(self, at: int) -> Ints:
        """Where records begin from `at` on, the last perhaps one that is not whole."""
        lanes = self._lanes(at)
        found = self._together(lanes) if lanes else None
        return np.fromiter(self._one_by_one(at), dtype=np.int64) if found is None else found

    def _one_by_one(self, at: int) -> Iterator[int]:
        length = struct.Struct(f"{self.order}8xI").unpack_from
        data, last = self.data, self.stop - HEADER
        while at <= last:
            yield at
            (kept,) = length(data, at)
            at += HEADER + kept

    def _lanes(self, at: int) -> list[int]:
        """Places that look like records, the first of them `at`; none where they are too few or too far apart."""
        lanes = [at]
        for begin in range(at + _STRIDE, self.stop - HEADER, _STRIDE):
            place = self._next(begin, min(begin + _STRIDE, self.stop) - HEADER, at)
            if place is not None:
                lanes.append(place)
        gaps = np.diff([*lanes, self.stop])
        return lanes if len(lanes) >= _LEAST and gaps.max() <= _UNEVEN * _STRIDE else []

    def _next(self, begin: int, end: int, first: int) -> int | None:
        """The first place from `begin` that has the upper half of the first record's second, and so has its next."""
        shift = 2 if self.order == "<" else 0
        mark = self.data[first + shift : first + shift + 2]
        sizes = struct.Struct(f"{self.order}8xII").unpack_from
        place = begin
        for _ in range(_TRIES):
            place = self.data.find(mark, place + shift, end) - shift
            if place < begin:
                return None
            kept, length = sizes(self.data, place)
            behind = place + HEADER + kept
            if kept <= length < 1 << 16 and self.data[behind + shift : behind + shift + 2] == mark:
                return place
            place += 1
        return None

    def _together(self, lanes: list[int]) -> Ints | None:
        """Each lane up to where the next begins; None if one does not arrive there."""
        count = self.stop - HEADER + 1
        lengths = np.ndarray((count,), f"{self.order}u4", buffer=self.data, offset=8, strides=(1,))
        at, ends = np.array(lanes), np.array([*lanes[1:], count])
        steps = [at]
        while (at < ends).any():
            for _ in range(_LOOKED):
                at = at + HEADER + lengths[np.minimum(at, count - 1)]
                steps.append(at)
        walked = np.ascontiguousarray(np.array(steps).T)
        inside = walked < ends[:, None]
        arrived = walked[np.arange(len(lanes)), inside.sum(axis=1)]
        return walked[inside] if (arrived[:-1] == ends[:-1]).all() else None
