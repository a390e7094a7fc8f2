"""Each spelling of a column is read once."""

from __future__ import annotations

import numpy as np
import pytest

from evidence.reading import gather
from evidence.reading.spellings import spellings


@pytest.mark.parametrize("longest", ["NXDOMAIN", "NSEC3PARAM"])
def test_rows_have_what_is_made_of_their_spelling(longest: str) -> None:
    written = ["a", longest, "", "b", "A", "a", longest]
    asked: list[str] = []

    def read(text: str) -> str | None:
        asked.append(text)
        return None if text == "b" else text.upper()

    stops = np.cumsum([len(text) for text in written])
    found = spellings(gather.padded("".join(written).encode()), stops - [len(text) for text in written], stops, read)
    assert found.column(np.arange(7)).to_pylist() == ["A", longest, None, None, "A", "A", longest]
    assert found.column(np.array([1, 2])).to_pylist() == [longest, None]
    assert found.is_(lambda value: value == "A").tolist() == [True, False, False, False, True, True, False]
    assert sorted(asked) == sorted(["a", longest, "b", "A"])
