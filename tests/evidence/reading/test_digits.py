"""What repeats from row to row is read once, and nobody can tell."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evidence.reading.digits import seldom


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(1, 9)), min_size=1))
def test_columns_that_change_seldom_are_read_as_if_each_row_was_read(runs: list[tuple[int, int, int]]) -> None:
    rows = np.array([run[:2] for run in runs for _ in range(run[2])])
    asked = []

    def read(first: Any, second: Any) -> tuple[Any, Any]:
        asked.append(len(first))
        return first * 10 + second, second == 1

    found = seldom(read, rows[:, 0], rows[:, 1])
    assert [part.tolist() for part in found] == [part.tolist() for part in read(rows[:, 0], rows[:, 1])]
    changes = 1 + int((np.diff(rows, axis=0) != 0).any(axis=1).sum())
    assert asked[0] == (changes if 2 * changes <= len(rows) else len(rows))
