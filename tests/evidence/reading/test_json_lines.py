"""JSON lines parsed by Arrow: what it takes, the strict parser takes too, with the same values."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evidence.reading.json_lines import Lines
from evidence.reading.jsonlines import object_of

SCHEMA = pa.schema({"a": pa.string(), "b": pa.list_(pa.struct({"c": pa.int64()})), "d": pa.float64()})
LINE = b'{"a":"x","b":[{"c":1,"z":true},{"c":2}],"d":2.5,"e":{"f":[1,2.5]},"g":-7}\n'
FITTING = [
    LINE, LINE.replace(b'"x"', b'"longer"'), b"{}\n", b'{"e":{"f":[]}}\n', b'{"a":"y"}\r\n', LINE.replace(b"2.5]", b"7]"),
]  # fmt: skip
UNLIKE = [
    LINE.replace(b"{", b'{"g":1,', 1), LINE.replace(b'{"f"', b'{"f":1,"f"'), LINE.replace(b"true", b"truth"),
    LINE.replace(b'"x"', b"7"), LINE.replace(b"2.5", b"02.5"), LINE.replace(b"-7", b"NaN"), LINE.replace(b"2.5]", b"NaN]"),
    LINE.replace(b"-7", b"-Infinity"), LINE.replace(b'"x"', b'"\\ud800"'), LINE.replace(b"x", b"\t"), LINE.replace(b"x", b"\xff"),
    LINE.replace(b"}\n", b"}{}\n"), LINE.replace(b"}\n", b"} \n"), b" " + LINE, b"\n", b"[1]\n", b'"a"\n', b"\xef\xbb\xbf" + LINE,
    LINE.replace(b"}\n", b"},\n"), LINE.replace(b"}\n", b'},"a":{\n'), LINE.replace(b"x", b"\0"), b"\0\n", b'{"a":"x"\n', b'"d":1}\n',
    b'{"e":[[{\n', b"}]]}\n", LINE.replace(b"-7", b"1" * 4400), LINE.replace(b"-7", b"[" * 4000 + b"]" * 4000),
]  # fmt: skip
LATE = [
    b'{"a":"2026-11-24T22:13:33Z","n":null,"t":"2026-11-24T22:13:33Z","z":1}\n',
    b'{"t":"soon","z":1.5,"b":[],"n":{"x":"2026-11-24T22:13:33Z"},"d":2}\n', b'{"b":[{"c":3},{}],"n":{"x":"later"}}\n', b'{"d":2.5}\n',
    b'{"a":"x","a1":[1]}\n', b'{"a1":[],"a":""}\n',
]  # fmt: skip
CHANGES = st.lists(
    st.tuples(st.integers(0, 5000), st.sampled_from(b'\n\r ",:{}[]\\0129-.etfxN\x00\x7f\xff')), max_size=3
)


def taken(data: bytes) -> tuple[list[int], list[dict[str, object]]]:
    lines = Lines(data)
    numbers, rows = lines.parse(lines.fit, SCHEMA)
    return numbers.tolist(), rows.to_pylist()


@pytest.mark.parametrize("line", UNLIKE)
def test_a_line_that_the_strict_parser_may_refuse_is_left_and_those_around_it_are_not(line: bytes) -> None:
    numbers, _ = taken(LINE * 20 + line + LINE * 20)
    assert 20 not in numbers
    assert set(range(10)) | set(range(31, 41)) <= set(numbers)


@pytest.mark.parametrize("first", LATE)
@pytest.mark.parametrize("then", [LATE, LATE[:1], LATE[1:2]])
def test_what_first_lines_lack_or_write_in_another_way_is_read_all_the_same(first: bytes, then: list[bytes]) -> None:
    lines = [first] * 100 + then * 3
    numbers, rows = taken(b"".join(lines))
    assert numbers == list(range(len(lines)))
    assert rows == [wanted(line) for line in lines]


def test_lines_are_told_apart_wherever_their_newlines_stand() -> None:
    data = b"".join(b"x" * size + b"\n" * (1 + size % 3) for size in range(1000)) + b"\n" * 300_000 + b"y"
    ends = [place + 1 for place, byte in enumerate(data) if byte == ord("\n")]
    assert Lines(data).stops.tolist() == [*ends, len(data)]


@pytest.mark.parametrize("before", range((1 << 18) - 6, (1 << 18) + 3))
def test_null_is_seen_across_the_edges_of_pieces(before: int) -> None:
    assert Lines(b"x" * before + b"null").is_odd.tolist() == [True]
    assert Lines(b"x" * before + b"nul").is_odd.tolist() == [False]


def test_all_of_a_run_that_fits_is_taken_with_or_without_its_last_newline() -> None:
    data = b"".join(FITTING)
    assert taken(data)[0] == taken(data[:-1])[0] == list(range(len(FITTING)))
    assert taken(b"") == ([], [])


def test_what_may_be_spelled_in_two_ways_is_marked() -> None:
    odd = [LINE.replace(b'"x"', written) for written in (b'"\\/"', '"\u00e9"'.encode(), b"null")]
    lines = Lines(LINE + b"".join(odd) + LINE)
    assert lines.is_odd.tolist() == [False, True, True, True, False]
    assert len(lines.fit) == 5


def test_kinds_are_parsed_apart_and_what_states_none_with_the_first() -> None:
    every = [b'{"k":"dns"}\n', b'{"k":"flow"}\n', b"{}\n", b'{"k":"tls"}\n', b'{"k":"flow","x":1}\n', b'{"k": "tls"}']
    chosen, others = Lines(b"".join(every)).of_kind(b"k", b"dns")
    assert (chosen.tolist(), sorted(group.tolist() for group in others)) == ([0, 2, 5], [[1, 4], [3]])
    moved = [b'{"%b":1,"k":"%b"}\n' % (b"m" * (number % 20), (b"dns", b"tls")[number % 2]) for number in range(100)]
    chosen, others = Lines(b"{}\n" + b"".join(moved)).of_kind(b"k", b"dns")
    assert (chosen.tolist(), others[0].tolist()) == ([0, *range(1, 100, 2)], [*range(2, 101, 2)])
    many = [b'{"k":"%03d"}\n' % (number % 99) for number in range(150)]
    chosen, others = Lines(b'{"k":"dns"}\n' + b"".join(many)).of_kind(b"k", b"dns")
    assert (chosen.tolist(), len(others), {len(group) for group in others[:51]}) == ([0], 64, {2})
    assert Lines(b"{}").of_kind(b"k", b"dns")[0].tolist() == [0]
    assert Lines(b"").of_kind(b"k", b"dns")[0].tolist() == []


@pytest.mark.parametrize("deep", [1500, 2000, 4000, 50_000])
def test_nesting_breaks_nothing_however_deep_it_is(deep: int) -> None:
    line = b'{"h":' + b"[" * deep + b"]" * deep + b"}\n"
    numbers, _ = taken(LINE * 40 + line + LINE * 40)
    assert set(range(20)) | set(range(61, 81)) <= set(numbers)


def new(members: int, lines: int, form: bytes) -> list[bytes]:
    """Lines of a form with so many members each that no other has."""
    names = iter(range(members * lines))
    return [form % b",".join(b'"m%d":1' % next(names) for _ in range(members)) for _ in range(lines)]


OWN, NESTED = b'{"a":"x",%b}\n', b'{"a":"x","e":{"g":{%b}},"b":[{"c":1},{"c":2,"z":true}]}\n'
LISTED = b'{"b":[{"c":1,%b},{"c":3}],"d":1}\n'
HOSTILE = [
    new(1, 5000, OWN), new(50, 5000, OWN), [b'{"a":"x","a":"x"}\n', *new(1, 5000, OWN)],
    *([LINE] * 2000 + new(3, 2000, form) for form in (OWN, NESTED, LISTED)), [LINE] * 2000 + new(20, 2000, OWN),
    new(400, 3, LISTED) + [b'{"b":[%b{"c":1}]}\n' % (b"{}," * 2000)] * 100,
    [b'{"b":[{%b}]}\n' % b",".join(b'"m%d":1' % n for n in range(40))] * 64 + [b'{"b":[%b{}]}\n' % (b"{}," * 2000)] * 600,
]  # fmt: skip


@pytest.mark.parametrize("lines", HOSTILE)
def test_members_that_are_others_in_each_line_do_not_fill_the_memory(lines: list[bytes]) -> None:
    before = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(before)
    pa.set_memory_pool(pool)
    try:
        numbers, rows = taken(b"".join(lines))
        assert pool.max_memory() < 1 << 26
    finally:
        pa.set_memory_pool(before)
    assert len(numbers) < len(lines)
    assert rows == [wanted(lines[number]) for number in numbers]


def test_a_text_that_is_full_of_colons_and_braces_is_a_text() -> None:
    line = b'{"a":"%b"}\n' % (b":{" * 4000)
    assert set(taken(line + LINE * 40)[0]) <= set(range(41))
    assert taken(line)[1] == [wanted(line)]


def test_lines_before_those_with_ever_new_members_are_taken() -> None:
    numbers, _ = taken(b"".join([LINE] * 2000 + new(3, 2000, OWN)))
    assert set(range(1500)) <= set(numbers)


@pytest.mark.parametrize("form", [OWN, NESTED, LISTED])
def test_a_new_member_now_and_then_costs_no_line(form: bytes) -> None:
    lines = [line for line in new(1, 40, form) for line in [LINE] * 99 + [line]]
    numbers, rows = taken(b"".join(lines))
    assert numbers == list(range(4000))
    assert rows == [wanted(line) for line in lines]


def wanted(line: bytes) -> dict[str, object]:
    """What the strict parser finds of the members of the schema."""
    value = object_of(line)
    assert isinstance(value, dict)
    found = {name: value.get(name) for name in SCHEMA.names}
    if found["b"] is not None:
        found["b"] = [item if item is None else {"c": item.get("c")} for item in found["b"]]
    return found


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.sampled_from([*FITTING, *LATE, *UNLIKE[:20]]), min_size=1, max_size=6), st.integers(0, 80), st.data()
)
@example(FITTING, 0, None)
def test_what_is_taken_is_json_with_its_values(chosen: list[bytes], alike: int, data: st.DataObject | None) -> None:
    text = bytearray(chosen[0] * alike + b"".join(chosen))
    for place, byte in data.draw(CHANGES) if data else []:
        text[place % len(text)] = byte
    lines = Lines(bytes(text))
    numbers, rows = lines.parse(lines.fit, SCHEMA)
    for number, row in zip(numbers.tolist(), rows.to_pylist(), strict=True):
        begin, end = lines.span(number)
        assert row == wanted(bytes(text[begin:end]))
