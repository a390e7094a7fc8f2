"""Columns of few spellings, such as types and response codes: each spelling is read once, by the code for one line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from evidence.reading import gather

if TYPE_CHECKING:
    from collections.abc import Callable

    from evidence.reading.gather import Bytes, Ints


@dataclass(frozen=True, slots=True)
class Spellings:
    """The number of each row's value among `values`."""

    numbers: Any
    values: list[Any]

    def is_(self, wanted: Callable[[Any], bool]) -> Any:
        """In which rows such a value stands."""
        return np.array([wanted(value) for value in self.values], dtype=bool)[self.numbers]

    def integers(self) -> Ints:
        """Values that are whole numbers."""
        found: Ints = np.array(self.values, dtype=np.int64)[self.numbers]
        return found

    def column(self, chosen: Any) -> pa.Array:
        """The texts of the chosen rows; an empty one is null."""
        values = [value or None for value in self.values]
        if len(values) == 1:
            return gather.constant(values[0], len(chosen), pa.string())
        return pa.array(values, pa.string()).take(pa.array(self.numbers[chosen]))


def spellings(buffer: Bytes, starts: Ints, stops: Ints, read: Callable[[str], Any]) -> Spellings:
    """What `read` makes of each token, of which there are few different ones; None of a token without a byte."""
    is_short = (stops - starts).max(initial=0) <= gather.WORD
    found = (
        gather.word_texts(gather.short_words(buffer, starts, stops))
        if is_short
        else gather.strings(buffer, starts, stops).dictionary_encode()
    )
    return Spellings(found.indices.to_numpy(), [read(text) if text else None for text in found.dictionary.to_pylist()])
