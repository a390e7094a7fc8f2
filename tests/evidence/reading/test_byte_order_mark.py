"""A byte order mark before a text: the first line is read as without it, and its bytes are that line's."""

from __future__ import annotations

import json

import pytest

from evidence.formats.registry import FORMATS
from evidence.reading.byte_order_mark import MARK
from evidence.reading.format import Head
from evidence.reading.lines import LONGEST_LINE
from evidence.reading.source import BLOCK
from evidence.recognition import recognise
from tests.evidence.formats.readers import check_way_back, read

DNSMASQ = FORMATS["parse.dnsmasq@1"]
LINE = b"dnsmasq[1]: query[A] a.example from 172.17.0.3\n"
ARRIVAL = b"[reqdbg][policy][04160.00] request packet arrived from ::1#37931 to ::1#00053 (UDP)\n"
BLOCK_OF_KNOT = (
    b"[reqdbg][policy][04160.00] request packet:\n;; ->>HEADER<<- opcode: QUERY; status: NOERROR; id: 4160\n"
    b";; Flags: rd  QUERY: 1; ANSWER: 0; AUTHORITY: 0; ADDITIONAL: 0\n\n;; QUESTION SECTION\na.example.\t\tA\n"
)
TABLE = {"time": "t", "client": "c", "name": "n"}


def test_the_first_line_begins_with_it() -> None:
    result = read(DNSMASQ, MARK + LINE * 2)
    assert [(row["line"], row["start"], row["stop"]) for row in result.rows] == [(1, 0, 50), (2, 50, 97)]
    assert result.counted.counts()["row_bytes"] == 97


def test_a_first_line_that_is_no_row_keeps_it_among_its_first_bytes() -> None:
    for line, reason in ((b"# note\n", "comment"), (b"\n", "blank"), (b"nonsense" * 5 + b"\n", "not-its-log")):
        first, *_ = read(DNSMASQ, MARK + line + LINE).rejects
        assert (first["reason"], first["line"], first["start"], first["stop"]) == (reason, 1, 0, 3 + len(line))
        assert first["head"] == (MARK + line)[:32]


@pytest.mark.parametrize("data", [MARK, MARK[:2], MARK + MARK, LINE + MARK + LINE, MARK[:2] + LINE])
def test_it_is_one_only_at_the_beginning_and_before_something(data: bytes) -> None:
    result = read(DNSMASQ, data)
    assert [item["reason"] for item in result.rejects] == ["not-its-log"]
    assert len(result.rows) == data.startswith(LINE)


@pytest.mark.parametrize("size", [LONGEST_LINE + 1, 2 * BLOCK])
def test_a_first_line_that_is_too_long_begins_with_it_too(size: int) -> None:
    result = read(DNSMASQ, MARK + b"x" * size + b"\n" + LINE)
    assert [(item["reason"], item["start"], item["stop"]) for item in result.rejects] == [("too-long", 0, size + 4)]
    assert [row["start"] for row in result.rows] == [size + 4]


def test_lines_behind_a_block_stand_where_they_stand() -> None:
    data = MARK + LINE * (BLOCK // len(LINE) + 5)
    starts = [row["start"] for row in read(DNSMASQ, data).rows]
    assert starts == [0, *range(3 + len(LINE), len(data), len(LINE))]


def test_a_record_that_another_needs_begins_with_it() -> None:
    data = MARK + ARRIVAL + BLOCK_OF_KNOT
    (row,) = read(FORMATS["parse.knot_trace@1"], data).rows
    assert (row["client"], row["earlier"]) == ("::1", [{"start": 0, "stop": 3 + len(ARRIVAL)}])
    assert check_way_back(FORMATS["parse.knot_trace@1"], data) == 1


@pytest.mark.parametrize(
    "lines", [b"t,c,n\n2016-01-01,::1,a\n", b'# note\n"t",c,n\n2016-01-01,::1,a\n', b'"t","c","n"\n2016-01-01,::1,a\n']
)
def test_a_table_may_have_it_before_quotes_and_comments(lines: bytes) -> None:
    assert recognise(MARK + lines).procedure == recognise(lines).procedure
    (row,) = read(FORMATS["parse.delimited@2"], MARK + lines, {"kind": "lookups", "columns": TABLE}).rows
    assert row["name"] == "a"


def test_a_table_without_a_header_has_its_first_record() -> None:
    columns = {"kind": "lookups", "columns": {"client": "1", "name": "2", "time": "3"}}
    rows = read(FORMATS["parse.delimited@2"], MARK + b"::1,a,2016-01-01\n::1,b,2016-01-02\n", columns).rows
    assert [(row["client"], row["name"], row["start"]) for row in rows] == [("::1", "a", 0), ("::1", "b", 20)]


def test_json_lines_may_have_it() -> None:
    line = json.dumps({"t": "2016-01-01", "c": "::1", "n": "a"}).encode() + b"\n"
    (row,) = read(FORMATS["parse.jsonl@1"], MARK + line, {"kind": "lookups", "columns": TABLE}).rows
    assert (row["name"], row["start"], row["stop"]) == ("a", 0, 3 + len(line))


def test_a_format_is_told_without_it() -> None:
    assert Head(MARK + LINE).lines() == [LINE]
    assert recognise(MARK + BLOCK_OF_KNOT).procedure == "parse.knot_trace@1"
