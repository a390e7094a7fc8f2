"""Shapes of JSON lines: what has one, and where its values stand."""

from __future__ import annotations

import pytest

from evidence.reading.json_shapes import shape_of


@pytest.mark.parametrize(
    "line",
    [b'{"a":1,}\n', b'{"a":1,"a":2}\n', b'{"a":01}\n', b'{"a":1.}\n', b'{"a":1e5}\n', b'{"a" :1}\n', b'{"a":"\\n"}\n', b'["a"]\n', b'{"a":1}',
     b'{"a":1]\n', b'{"a":1}{}\n', b'{"a":-1}\n', b'{"a":[1.]}\n', b'{"a":[01]}\n', b'{"a":[true,1]}\n', b'{"a":[[1],[2]]}\n'],
)  # fmt: skip
def test_what_is_no_plain_object_or_cannot_be_told_apart_by_quotes_has_no_shape(line: bytes) -> None:
    assert shape_of(line) is None


def test_a_shape_is_what_stands_around_the_values() -> None:
    shape = shape_of(b'{"a":"x","b":["y",{"c":7}],"d":true,"e":{},"f":1.5,"g":[1,2.0],"h":null,"i":[]}\n')
    assert shape is not None
    assert shape.slots == [
        (("a",), "text"), (("b", 0), "text"), (("b", 1, "c"), "number"), (("d",), "flag"), (("f",), "decimal"),
        (("g",), "numbers"),
    ]  # fmt: skip
    assert shape.fixed == {("e",), ("h",), ("i",)}
    assert shape.literals == [
        b'{"a":"', b'","b":["', b'",{"c":', b'}],"d":', b',"e":{},"f":', b',"g":[', b'],"h":null,"i":[]}\n'
    ]  # fmt: skip
