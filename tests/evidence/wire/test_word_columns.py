"""Columns of few words hold the same, and the same bytes, however their rows were put together."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.wire import word_columns
from evidence.wire.word_columns import in_turn, in_words


def said(number: int) -> str | None:
    """Every third number is null, and two are the same word."""
    return None if number % 3 == 0 else f"word {number // 2}"


@given(numbers=st.lists(st.one_of(st.integers(0, 5), st.integers(0, 65535))), looked=st.integers(1, 4))
def test_words_stand_in_the_order_of_their_rows(numbers: list[int], looked: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(word_columns, "_LOOKED_AT", looked)
        found = in_words(said, np.array(numbers, dtype=np.int64))
    wanted = [said(number) for number in numbers]
    assert found.to_pylist() == wanted
    words = found.dictionary.to_pylist() if pa.types.is_dictionary(found.type) else []
    assert words == [*dict.fromkeys(filter(None, wanted))]


def test_words_of_rows_that_are_left_are_counted_anew() -> None:
    words = pa.array(["a", "b", None, "c", "b"]).dictionary_encode()
    rows = pa.table({"words": words, "number": [1, 2, 3, 4, 5]})
    found = in_turn(pa.concat_tables([rows.slice(3), rows.slice(2, 1), rows.slice(1, 1)]))
    assert found["words"].to_pylist() == ["c", "b", None, "b"]
    assert found["words"].combine_chunks().dictionary.to_pylist() == ["c", "b"]
    assert found["number"].to_pylist() == [4, 5, 3, 2]


def test_a_column_of_which_only_nulls_are_left_has_no_words() -> None:
    words = pa.array(["a", None]).dictionary_encode()
    assert in_turn(pa.table({"words": words}).slice(1))["words"].to_pylist() == [None]
    assert in_turn(pa.table({"words": words}).slice(2))["words"].to_pylist() == []
