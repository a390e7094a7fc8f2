"""Amounts as people write them."""

from __future__ import annotations

import pytest

from evidence.reading.amounts import amount


@pytest.mark.parametrize(("count", "said"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (203150, "203,150 rows")])
def test_an_amount_is_grouped_and_one_is_no_plural(count: int, said: str) -> None:
    assert amount(count, "row") == said
