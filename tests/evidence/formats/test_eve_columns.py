"""EVE as columns: the same rows and rejects as line by line, whatever is done to the lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evidence.formats import eve, eve_columns
from evidence.reading.batch import Batch, Conservation
from evidence.reading.format import read_chunk
from evidence.reading.lines import Chunk

RECORDED = Path(__file__).parents[2] / "recordings/suricata"
FILES = {path.name: path.read_bytes() for path in sorted(RECORDED.glob("*.json"))}
LINES = [line for data in FILES.values() for line in data.splitlines(keepends=True)[:60:3]]
OTHERS = [
    b'{"event_type":"flow","timestamp":"x"}\n', b'{"event_type":"dns"}\n', b"[1]\n", b"\n", b"# note\n", b"{}\n",
    LINES[0].replace(b"+0000", b"+0230"), LINES[0].replace(b"+0000", b"-0000"), LINES[0].replace(b"2026-11-24", b"2026-02-29"),
    LINES[0].replace(b'"src_port":', b'"src_port": '), LINES[0].replace(b'"UDP"', b"null"), LINES[0].replace(b'"A"', b'"a a"'),
]  # fmt: skip


def both(data: bytes) -> tuple[Batch, Batch]:
    run = Chunk(data, 1000, 50, len(data))
    return eve.read_run(run), read_chunk(eve.read_line, run)


def assert_same(data: bytes) -> None:
    columns, reference = both(data)
    assert columns.rows.to_pylist() == reference.rows.to_pylist()
    assert columns.rejects.to_pylist() == reference.rejects.to_pylist()
    Conservation().add(columns)


@pytest.mark.parametrize("name", FILES)
def test_recordings_are_read_the_same(name: str) -> None:
    assert_same(FILES[name] * 3)


def test_most_of_a_recording_is_read_as_columns() -> None:
    for data in FILES.values():
        found = eve_columns.read(Chunk(data, 0, 1, len(data)), eve._WORDS)
        assert len(found.left) < len(found.lines.starts) / 3


def test_other_events_need_no_look_at_each_line() -> None:
    data = (
        b'{"event_type":"flow","flow":{"bytes":7},"x":[1]}\n' * 5
        + LINES[0]
        + b'{"event_type":"flow","event_type":"dns"}\n'
    )
    found = eve_columns.read(Chunk(data, 0, 1, len(data)), eve._WORDS)
    assert (found.other_events.tolist(), found.left.tolist()) == ([0, 1, 2, 3, 4], [6])
    assert_same(data)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from([*LINES, *OTHERS]), min_size=1, max_size=8), st.integers(1, 3), st.data())
@example([*LINES, *OTHERS], 1, None)
@example([LINES[0][:-1]], 1, None)
def test_changed_lines_are_read_the_same(lines: list[bytes], times: int, data: st.DataObject | None) -> None:
    text = bytearray(b"".join(lines) * times)
    for _ in range(data.draw(st.integers(0, 6)) if data else 0):
        place = data.draw(st.integers(0, len(text) - 1))
        text[place] = data.draw(st.sampled_from(b'\n \t",:{}[]\\0129AZaz.-+eE\x00\x7f\xff'))
    assert_same(bytes(text))


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(LINES),
    st.sampled_from(
        [None, True, 0, -1, 1.5, 10**30, "", "x", "A", [], {}, [1], [{}], {"rrname": "a"}, [{"rrname": 7}]]
    ),
    st.data(),
)
def test_values_of_any_type_are_read_the_same(line: bytes, wrong: object, data: st.DataObject) -> None:
    value = json.loads(line)
    inside = value if data.draw(st.booleans()) else value["dns"]
    name = data.draw(st.sampled_from([*sorted(inside), "answers", "queries", "soa", "ttl", "rdata", "host", "srv"]))
    inside[name] = wrong
    changed = json.dumps(value, separators=(",", ":")).encode() + b"\n"
    assert_same(changed * 2 + line)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(LINES), st.sampled_from(["rrname", "rrtype", "ttl", "rdata", "soa", "srv", "x"]), st.data())
def test_answers_of_any_type_are_read_the_same(line: bytes, name: str, data: st.DataObject) -> None:
    value = json.loads(line)
    answers = value["dns"].setdefault(
        "answers", [{"rrname": "a.example", "rrtype": "A", "ttl": 5, "rdata": "192.0.2.1"}]
    )
    wrong = data.draw(st.sampled_from([None, True, -1, 2**40, "x", "", [], {}, {"mname": "a"}, 1.5]))
    answers[data.draw(st.integers(0, len(answers) - 1))][name] = wrong
    changed = json.dumps(value, separators=(",", ":")).encode() + b"\n"
    assert_same(changed * 2 + line)
