"""The octets of many packets in one buffer, as big-endian numbers at any place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from evidence.reading.gather import Bytes, Ints


class Octets:
    """The buffer ends with more octets than any number or header has, so that one may be read at any place before."""

    def __init__(self, buffer: Bytes) -> None:
        self.buffer = buffer

    def one(self, places: Ints) -> Ints:
        return self.buffer[places].astype(np.int64)

    def two(self, places: Ints) -> Ints:
        numbers: Ints = self.fields(_TWO, places)["number"].astype(np.int64)
        return numbers

    def fields(self, layout: np.dtype[np.void], places: Ints) -> Any:
        """A structured array, one header a place; copied as plain octets, which is ten times faster than by fields."""
        size = layout.itemsize
        count = max(len(self.buffer) - size + 1, 0)
        return np.ndarray((count,), dtype=f"V{size}", buffer=self.buffer, strides=(1,))[places].view(layout)


def layout(size: int, /, **fields: tuple[int, str]) -> np.dtype[np.void]:
    """A header of `size` octets by the place and kind of each of its fields."""
    places, kinds = zip(*fields.values(), strict=True)
    return np.dtype({"names": list(fields), "formats": list(kinds), "offsets": list(places), "itemsize": size})


_TWO = layout(2, number=(0, ">u2"))
