"""Each spelling of a column is read once."""

from __future__ import annotations

import pyarrow as pa
import pytest

from evidence.reading.spellings import spellings

WRITTEN = ["a", "NSEC3PARAM", "", None, "b", "A", "a"]


@pytest.mark.parametrize("texts", [pa.array(WRITTEN), pa.array(WRITTEN).dictionary_encode("encode")])
def test_rows_have_what_is_made_of_their_spelling(texts: pa.Array) -> None:
    asked: list[str] = []

    def read(text: str) -> str | None:
        asked.append(text)
        return None if text == "b" else text.upper()

    found = spellings(texts, read)
    assert found.column().to_pylist() == ["A", "NSEC3PARAM", None, None, None, "A", "A"]
    assert found.is_(lambda value: value == "A").tolist() == [True, False, False, False, False, True, True]
    assert found.is_wrong().tolist() == [False, False, False, False, True, False, False]
    assert sorted(asked) == ["", "A", "NSEC3PARAM", "a", "b"]


def test_one_spelling_alone_and_none_are_columns_too() -> None:
    assert spellings(pa.array(["a", "a"]), str.upper).column().to_pylist() == ["A", "A"]
    assert spellings(pa.nulls(2, pa.string()), str.upper).column().to_pylist() == [None, None]
