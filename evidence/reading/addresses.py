"""Addresses as columns: what `endpoints.address` takes, but for those with a zone, which few logs have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc

from evidence.reading import gather, swar

if TYPE_CHECKING:
    import pyarrow as pa

    from evidence.reading.gather import Bytes, Ints

_ALLOWED = gather.allowed(b"0123456789abcdefABCDEF:.")
_ONES, _HIGH = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_DOTS, _COLONS = (np.uint64(mark * 0x0101010101010101) for mark in b".:")
_SEARCHED = 5
"""First bytes, among which a dot or a colon stands in every address of usual form."""


def addresses(buffer: Bytes, starts: Ints, stops: Ints) -> Any:
    """Where an address stands: hexadecimal digits, dots and colons, and of the first five bytes one of the latter.

    Ranges are as in `gather.strings`.
    """
    return _are_marked(buffer, starts, stops) & gather.within(_ALLOWED, buffer, starts, stops)


def lowered(texts: pa.Array) -> tuple[Any, pa.Array]:
    """As `addresses`, of a column that a parser made, and its texts in lower case; null is no address.

    Most logs have digits and dots alone in it.
    """
    buffer, starts, stops = gather.tokens(texts)
    characters = buffer[: stops[-1] if len(stops) else 0]
    marked = _are_marked(buffer, starts, stops)
    if ((characters - np.uint8(ord(".")) < 12) & (characters != ord("/"))).all():
        return marked, texts
    return marked & gather.within(_ALLOWED, buffer, starts, stops), pc.ascii_lower(texts)


def _are_marked(buffer: Bytes, starts: Ints, stops: Ints) -> Any:
    """Where a dot or a colon stands among the first five bytes."""
    head = gather.words(buffer, starts) & swar.mask(np.minimum(stops - starts, _SEARCHED))
    return _has_zero(head ^ _DOTS) | _has_zero(head ^ _COLONS)


def _has_zero(word: Any) -> Any:
    """Which words have a byte that is zero."""
    return ((word - _ONES) & ~word & _HIGH) != 0
