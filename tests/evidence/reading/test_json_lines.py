"""JSON lines held to shapes: byte by byte, and value by value."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evidence.reading.json_lines import Lines
from evidence.reading.json_shapes import shape_of

LINE = b'{"a":"x","b":[{"c":"y"}],"d":true,"e":{},"f":17.25,"g":[1,2.5],"h":1234567890123,"i":"z"}\n'
OTHERS = [
    LINE.replace(b'"x"', b'"longer than the other"'), LINE.replace(b"true", b"false"), LINE.replace(b"17.25", b"0.5"),
    LINE.replace(b"1,2.5", b"7"), LINE.replace(b"1234567890123", b"0"), LINE.replace(b'"y"', b'""'),
]  # fmt: skip
WRONG = [
    LINE.replace(b"true", b"truth"), LINE.replace(b"17.25", b"017.25"), LINE.replace(b"17.25", b"17.2.5"),
    LINE.replace(b"17.25", b".25"), LINE.replace(b"17.25", b"17."), LINE.replace(b"1,2.5", b"1,,2.5"),
    LINE.replace(b"1,2.5", b""), LINE.replace(b"1,2.5", b"01"), LINE.replace(b"1234567890123", b"0123456789"),
    LINE.replace(b"1234567890123", b""), LINE.replace(b'"e"', b'"E"'), LINE.replace(b"z", b"\\z"),
    LINE.replace(b"z", b"\x7f"), LINE.replace(b"z", b"\xff"), LINE.replace(b"z", b"\t"), LINE.replace(b"}\n", b"},\n"),
    LINE.replace(b'"z"', b'"z""'),
]  # fmt: skip


def lines_with_the_shape_of_the_first(data: bytes) -> list[int]:
    return next(iter(Lines(data).groups())).lines.tolist()


def test_lines_of_one_shape_differ_in_their_values_alone() -> None:
    every = [LINE, *OTHERS]
    assert lines_with_the_shape_of_the_first(b"".join(every)) == list(range(len(every)))


@pytest.mark.parametrize("wrong", WRONG)
def test_a_line_that_differs_otherwise_is_left_out(wrong: bytes) -> None:
    assert lines_with_the_shape_of_the_first(LINE + wrong + OTHERS[0]) == [0, 2]


def test_a_last_line_without_its_newline_is_left_out() -> None:
    assert lines_with_the_shape_of_the_first(LINE + LINE[:-1]) == [0]


def test_a_last_line_that_is_far_shorter_than_the_shape_is_left_out() -> None:
    line = b"{" + b",".join(b'"%b%d":%d' % (b"long" * 20, at, at) for at in range(9)) + b"}\n"
    assert lines_with_the_shape_of_the_first(line * 2 + line.replace(b"long" * 20, b"")) == [0, 1]


def test_values_are_found_where_they_stand() -> None:
    data = b"".join([LINE, *OTHERS])
    (group,) = Lines(data).groups()
    for path, name in ((("a",), "a"), (("i",), "i")):
        begin, end = group.tokens[path]
        assert [data[one:two].decode() for one, two in zip(begin, end, strict=True)] == [
            json.loads(line)[name] for line in data.splitlines()
        ]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([LINE, *OTHERS]), min_size=1, max_size=5), st.data())
@example([LINE], None)
def test_what_has_a_shape_is_json_with_its_values(lines: list[bytes], data: st.DataObject | None) -> None:
    text = bytearray(b"".join(lines))
    for _ in range(data.draw(st.integers(0, 3)) if data else 0):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(
            st.sampled_from(b'\n ",:{}[]\\0129-.etfx\x00\x7f\xff')
        )
    read = Lines(bytes(text))
    for group in read.groups():
        for place, line in enumerate(group.lines.tolist()):
            begin, end = read.span(line)
            whole = bytes(text[begin:end])
            assert shape_of(whole) is not None
            value = json.loads(whole)
            for path, (one, two) in group.tokens.items():
                found = value
                for step in path:
                    found = found[step]
                written = text[one[place] : two[place]].decode()
                assert found == (
                    written
                    if isinstance(found, str)
                    else json.loads(f"[{written}]")
                    if isinstance(found, list)
                    else json.loads(written)
                )
