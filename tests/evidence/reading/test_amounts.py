"""Amounts as people write them."""

from __future__ import annotations

import pytest

from evidence.reading.amounts import amount, found_in


@pytest.mark.parametrize(("count", "said"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (203150, "203,150 rows")])
def test_an_amount_is_grouped_and_one_is_no_plural(count: int, said: str) -> None:
    assert amount(count, "row") == said


def test_what_was_found_is_said_of_the_place_where_it_was_looked_for() -> None:
    assert found_in(3, "lookup", 4, "line") == "3 lookups in the first 4 lines"
    assert found_in(1, "lookup", 1, "line") == "1 lookup in the first line"
