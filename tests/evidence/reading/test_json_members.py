"""Members that JSON lines are known to have."""

from __future__ import annotations

import pyarrow as pa
import pytest

from evidence.reading.json_members import Members, with_those_of

ITEMS = pa.list_(pa.struct({"c": pa.int64(), "z": pa.bool_()}))
WANTED = pa.schema({"b": pa.list_(pa.struct({"c": pa.float64()})), "t": pa.string()})


def test_new_members_come_after_those_that_are_known_however_deep() -> None:
    first = with_those_of(Members(WANTED), pa.schema({"x": pa.int64(), "b": pa.list_(pa.struct({"z": pa.bool_()}))}))
    both = with_those_of(first, pa.schema({"y": pa.int64(), "b": pa.list_(pa.struct({"c": pa.int64()}))}))
    types = pa.list_(pa.struct({"z": pa.bool_(), "c": pa.float64()}))
    assert both.schema == pa.schema({"x": pa.int64(), "b": types, "y": pa.int64()})


def test_what_has_no_new_member_is_itself() -> None:
    known = with_those_of(Members(WANTED), pa.schema({"b": ITEMS, "x": pa.float64()}))
    assert with_those_of(known, pa.schema({"x": pa.int64(), "b": pa.list_(pa.null())})) is known


@pytest.mark.parametrize("wanted", ["t", "x"])
def test_a_text_that_looks_like_a_time_stays_a_text(wanted: str) -> None:
    assert with_those_of(Members(WANTED), pa.schema({wanted: pa.timestamp("s")})).schema.types == [pa.string()]


def test_columns_inside_of_others_and_of_lists_are_counted() -> None:
    known = with_those_of(Members(WANTED), pa.schema({"b": ITEMS, "x": pa.struct({"y": pa.int64(), "l": ITEMS})}))
    assert (known.width, known.inside) == (4 + 3 + 3, 3 + 3)


def test_what_lies_too_deep_is_not_learned() -> None:
    deep = pa.int64()
    for _ in range(2000):
        deep = pa.list_(deep)
    known = Members(WANTED)
    assert with_those_of(known, pa.schema({"x": deep})) is known
