"""Columns of few spellings, such as types and response codes: each spelling is read once, by the code for one line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from evidence.reading import gather

if TYPE_CHECKING:
    from collections.abc import Callable

    from evidence.reading.gather import Ints


@dataclass(frozen=True, slots=True)
class Spellings:
    """The number of each row's text among `texts`, and what was made of these; no text is None, and so is its value."""

    numbers: Any
    texts: list[str | None]
    values: list[Any]

    def is_(self, wanted: Callable[[Any], bool]) -> Any:
        """In which rows such a value stands."""
        return np.array([wanted(value) for value in self.values], dtype=bool)[self.numbers]

    def is_wrong(self) -> Any:
        """In which rows a text stands of which nothing was made; one value if there are none."""
        pairs = zip(self.texts, self.values, strict=True)
        wrong = np.array([text is not None and value is None for text, value in pairs], dtype=bool)
        return wrong[self.numbers] if wrong.any() else np.False_

    def integers(self) -> Ints:
        """Values that are whole numbers."""
        found: Ints = np.array(self.values, dtype=np.int64)[self.numbers]
        return found

    def column(self) -> pa.Array:
        """The values as a dictionary of texts; an empty one is null."""
        return gather.chosen_words([value or None for value in self.values], self.numbers)


def spellings(texts: pa.Array, read: Callable[[str], Any]) -> Spellings:
    """What `read` makes of each text, of which there are few different ones."""
    found = texts if pa.types.is_dictionary(texts.type) else texts.dictionary_encode("encode")
    each = found.dictionary.to_pylist()
    return Spellings(found.indices.to_numpy(), each, [None if text is None else read(text) for text in each])
