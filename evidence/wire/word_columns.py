"""Columns in which few words differ, as dictionaries.

Their words stand in the order in which the rows have them first, and no others do: so the bytes of a table tell of its
rows alone, and not of how these were found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable

    from evidence.reading.gather import Ints

_LOOKED_AT = 256
_UNSEEN, _NULL = -1, 1 << 30


def in_words(word: Callable[[int], str | None], numbers: Ints) -> pa.Array:
    """Numbers of which few differ, and none is large: each is put into words once. None is null."""
    places = np.full(numbers.max(initial=0) + 1, _UNSEEN, dtype=np.int32)
    numbered: dict[str, int] = {}
    found, left = places[numbers], np.arange(min(len(numbers), _LOOKED_AT))
    while len(left):
        for number in dict.fromkeys(numbers[left[:_LOOKED_AT]].tolist()):
            said = word(number)
            places[number] = _NULL if said is None else numbered.setdefault(said, len(numbered))
        found = places[numbers]
        left = np.flatnonzero(found == _UNSEEN)
    if not numbered:
        return pa.nulls(len(numbers), pa.string())
    is_null = found == _NULL
    indices = pa.array(found, mask=is_null if is_null.any() else None)
    return pa.DictionaryArray.from_arrays(indices, pa.array(numbered, pa.string()), safe=False)


def in_turn(table: pa.Table) -> pa.Table:
    """The same rows, when some were left out or put between others."""
    for place, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(place, field.name, _in_turn(table.column(place)))
    return table


def _in_turn(column: pa.ChunkedArray) -> pa.Array:
    words = column.combine_chunks()
    each = [*words.dictionary.to_pylist(), None]
    return in_words(each.__getitem__, words.indices.fill_null(len(each) - 1).to_numpy())
