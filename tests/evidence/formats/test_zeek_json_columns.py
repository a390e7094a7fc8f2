"""Zeek's JSON as columns: the same rows and rejects as line by line, whatever is done to the lines."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evidence.formats import zeek_json, zeek_json_columns
from evidence.reading.json_lines import Lines
from tests.evidence.formats.changed_json import assert_same, changed

RECORDED = Path(__file__).parents[2] / "recordings/documentation"
FILES = {path.name: path.read_bytes() for path in sorted(RECORDED.glob("zeek-*.json"))}
LINES = [line for data in FILES.values() for line in data.splitlines(keepends=True)]
FIRST = LINES[0]


def change(**values: object) -> bytes:
    """The first line with other members; None takes one away."""
    value = json.loads(FIRST) | {name.replace("__", "."): other for name, other in values.items()}
    kept = {name: other for name, other in value.items() if other is not None}
    return json.dumps(kept, separators=(",", ":")).encode() + b"\n"


def in_milliseconds(data: bytes) -> bytes:
    """As Zeek writes the times with `JSON::TS_MILLIS`."""
    return re.sub(rb'"ts":([0-9]{10})[.]([0-9]{3})[0-9]*', rb'"ts":\1\2', data)


VARIANTS = [
    *LINES, change(rcode=None, rcode_name=None), change(answers=None, TTLs=None), change(answers=None), change(TTLs=None),
    change(answers=["a"], TTLs=[1.0, 2.0]), change(answers=["a"], TTLs=[4294967295.0]), change(answers=["a"], TTLs=[7]),
    change(answers=["a", "b"], TTLs=[99999999.9, 0.5]), change(answers=[""], TTLs=[1.0]), change(answers=[], TTLs=[]),
    change(answers=["a"], TTLs=[299.99999999999997]), change(answers=["a"], TTLs=[-1.0]), change(answers=["a"], TTLs=[10**400]), change(answers=["a"], TTLs=[1e300]),
    change(id__resp_h=None, id__resp_p=None), change(_path="dns", _system_name="gw"), change(_path="conn"), change(_path=7),
    change(ts=1795558147621), change(ts=179555814762), change(ts=17955581476210), change(ts=1795558147621.5), change(ts=-1795558147621),
    change(ts=1795558147), change(ts="1795558147.5"), change(ts="2026-11-24T22:09:07.621051"), change(ts=5.5),
    change(ts="2026-11-24T22:09:07.6+02:00"), change(ts="2026-02-29T22:09:07Z"), change(more={"ts": 1795558147.5}),
    change(query=""), change(query="."), change(query="a."), change(query="a..b"), change(query="A.b"), change(query="x y"),
    change(query="x\\x20y"), change(query="x" * 64), change(query=None), change(proto="icmp"), change(proto=None),
    change(id__orig_p=70000), change(id__orig_p=None), change(id__orig_h="nobody"), change(id__orig_h="2001:DB8::1"),
    change(id__orig_h="fe80::1%eth0"), change(id__resp_h="nobody"), change(qtype=65280, qclass=3, rcode=23), change(qtype=-1),
    change(opcode=0, opcode_name="query"), change(opcode=5, query=None),
    change(opcode=4), change(opcode=16), change(opcode=70000), change(opcode=-1), change(opcode="4"), change(opcode=True), change(opcode=0.5),
    change(AA=None, TC=True), change(AA="T"), change(AA=0), change(rtt=None), change(rtt=0.0), change(rtt=1e-7),
    change(Z={"x": [1, {"y": []}]}), change(query={"x": "y"}), change(answers=[["a"]]), b"\n", b"# note\n", b"{}\n", b"[1]\n",
    *(FIRST.replace(b'{"ts":', b'{"more":{"ts":1795558140.5},' + own) for own in (b'"ts":', b'"ts" :', b'"ts": ', b'"t":"ts","ts":')),
    FIRST.replace(b'{"ts":', b'{"a":1,"ts":'), FIRST.replace(b'{"ts":', b'{"a":1,"ts" :'),
    FIRST.replace(b'"query":', b'"query": '), FIRST.replace(b"{", b'{"ts":1,'), FIRST.replace(b"\n", b"\r\n"),
    FIRST.replace(b"1795558147.621051", b"1795558147.6210511234"), FIRST.replace(b"1795558147.621051", b"01795558147.621051"),
]  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_recordings_are_read_the_same(name: str) -> None:
    assert_same(zeek_json, FILES[name] * 3)
    assert_same(zeek_json, in_milliseconds(FILES[name]) + FILES[name])


@pytest.mark.parametrize("line", VARIANTS)
def test_each_variant_is_read_the_same_beside_others(line: bytes) -> None:
    assert_same(zeek_json, FIRST + line * 2 + FIRST)


def test_usual_lines_are_read_as_columns_and_other_logs_need_no_look_at_each_line() -> None:
    usual = [
        *FILES["zeek-dns-iso8601.json"].splitlines(keepends=True), change(rcode=None, rcode_name=None), change(answers=None, TTLs=None), change(TTLs=None, _system_name="gw"),
        change(id__resp_h=None, id__resp_p=None), change(proto=None, AA=None, id__orig_h="2001:DB8::1"),
        change(opcode=0, opcode_name="query"), FIRST.replace(b'{"ts":', b'{"a":1,"ts":'),
    ]  # fmt: skip
    found = zeek_json_columns.read(Lines(b"".join(usual) + change(_path="conn") * 2))
    assert [*found.taken.tolist(), *found.skipped.tolist()] == list(range(len(usual) + 2))
    numbered = FILES["zeek-dns.json"]
    for data in (numbered, in_milliseconds(numbered), numbered + in_milliseconds(numbered)):
        assert len(zeek_json_columns.read(Lines(data)).taken) == data.count(b"\n")


@settings(max_examples=300, deadline=None)
@given(changed(VARIANTS))
@example(b"".join(VARIANTS))
@example(FIRST[:-1])
def test_changed_lines_are_read_the_same(data: bytes) -> None:
    assert_same(zeek_json, data)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(LINES),
    st.sampled_from(sorted(json.loads(FIRST))),
    st.sampled_from([None, True, 0, -1, 1.5, 10**30, "", "x", [], {}, [1], ["x"], [{}], [[1]], {"ts": 1.5}, [True]]),
)
def test_values_of_any_type_are_read_the_same(line: bytes, name: str, wrong: object) -> None:
    written = json.dumps(json.loads(line) | {name: wrong}, separators=(",", ":")).encode() + b"\n"
    assert_same(zeek_json, written * 2 + line)
