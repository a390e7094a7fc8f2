"""JSON lines with a column mapping, and tables that are cut by tabs or semicolons."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.errors import ReadingError
from evidence.formats import delimited, jsonl
from evidence.reading.batch import Conservation
from evidence.reading.format import Format, Head
from evidence.reading.source import Source
from evidence.recognition import read_header, recognise

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = {"time": "ts", "client": "src.ip", "name": "q", "port": "src.port", "type": "qt"}
GOOD = b'{"ts": 1471262400.50, "src": {"ip": "192.0.2.1", "port": 53124}, "q": "Mail.example.net.", "qt": "MX"}\n'
MAPPED = {"kind": "lookups", "columns": COLUMNS}


def read(form: Format, folder: Path, data: bytes, parameters: dict) -> tuple[list[dict], list[tuple[int, str]]]:
    path = folder / "source"
    path.write_bytes(data)
    descriptor, counted = os.open(path, os.O_RDONLY), Conservation()
    rows, rejects = [], []
    try:
        for batch in form.read(Source(descriptor), parameters).batches:
            counted.add(batch)
            rows += batch.rows.to_pylist()
            rejects += [(item["line"], item["reason"]) for item in batch.rejects.to_pylist()]
    finally:
        os.close(descriptor)
    assert counted.bytes == len(data)
    return rows, rejects


def test_a_line_is_a_row_by_keys_and_dotted_paths(tmp_path: Path) -> None:
    (row,), rejects = read(jsonl.FORMAT, tmp_path, GOOD, MAPPED)
    assert rejects == []
    assert (row["client"], row["port"], row["type"]) == ("192.0.2.1", 53124, "MX")
    assert (row["name"], row["name_as_written"]) == ("mail.example.net", "Mail.example.net.")
    assert (row["time"].isoformat(), row["time_digits"]) == ("2016-08-15T12:00:00.500000+00:00", 2)
    assert (row["line"], row["start"], row["stop"]) == (1, 0, len(GOOD))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"ts": 1471262400, "ts": 1471262401, "src": {"ip": "192.0.2.1"}, "q": "a"}', "not-json"),
        (b'{"ts": NaN, "src": {"ip": "192.0.2.1"}, "q": "a"}', "not-json"),
        (b'["ts", 1]', "not-json"),
        (b'{"ts": 1471262400', "not-json"),
        (b"\xff\xfe", "not-json"),
        (b"[" * 5000, "not-json"),
        (b'{"ts": true, "src": {"ip": "192.0.2.1"}, "q": "a"}', "bad-value"),
        (b'{"ts": 1471262400, "src": {"ip": ["192.0.2.1"]}, "q": "a"}', "bad-value"),
        (b'{"ts": 1471262400, "src": {"ip": "192.0.2.1"}, "q": "\\ud800"}', "bad-value"),
        (b'{"ts": 1471262400, "src": "192.0.2.1", "q": "a"}', "no-client"),
        (b'{"src": {"ip": "192.0.2.1"}, "q": "a"}', "bad-time"),
        (b'{"ts": 1471262400, "src": {"ip": "192.0.2.1"}}', "no-name"),
        (b'{"ts": 1471262400, "src": {"ip": "192.0.2.1", "port": 70000}, "q": "a"}', "bad-port"),
        (b"   ", "blank"),
        (b"# note", "comment"),
    ],
)
def test_what_is_no_row_is_a_reject_with_its_reason(tmp_path: Path, line: bytes, reason: str) -> None:
    rows, rejects = read(jsonl.FORMAT, tmp_path, GOOD + line + b"\n" + GOOD, MAPPED)
    assert (len(rows), rejects) == (2, [(2, reason)])


def test_a_key_that_holds_dots_goes_before_a_path(tmp_path: Path) -> None:
    line = b'{"time": "2016-08-15", "id.orig_h": "192.0.2.9", "id": {"orig_h": "192.0.2.1"}, "query": "a"}\n'
    found = recognise(line)
    assert found.procedure == "parse.jsonl@1"
    assert found.parameters["columns"]["client"] == "id.orig_h"
    (row,), _ = read(jsonl.FORMAT, tmp_path, line, found.parameters)
    assert row["client"] == "192.0.2.9"


def test_sightings_keep_a_list_of_data(tmp_path: Path) -> None:
    lines = b"".join(
        json.dumps({"first": "2016-08-15", "rrname": "a", "count": 3, "rdata": data}).encode() + b"\n"
        for data in (["192.0.2.1", "192.0.2.2"], "192.0.2.3", [], [1])
    )
    parameters = {
        "kind": "sightings", "columns": {"time": "first", "name": "rrname", "data": "rdata", "count": "count"}
    }  # fmt: skip
    rows, rejects = read(jsonl.FORMAT, tmp_path, lines, parameters)
    assert [row["data"] for row in rows] == [["192.0.2.1", "192.0.2.2"], ["192.0.2.3"], None, ["1"]]
    assert ([row["count"] for row in rows], rejects) == ([3] * 4, [])


@given(st.lists(st.sampled_from([GOOD, b"{", b"}\n", b'"', b"\n", b"#", b"\x00", b"\xff", b'{"ts":1}\n', b"[1]\n"])))
def test_rows_and_rejects_cover_all_bytes(tmp_path_factory, parts: list[bytes]) -> None:
    rows, _ = read(jsonl.FORMAT, tmp_path_factory.mktemp("any"), b"".join(parts), MAPPED)
    assert all(row["name"] == "mail.example.net" for row in rows)


@pytest.mark.parametrize(("name", "mark"), [("tab", b"\t"), ("semicolon", b";")])
def test_tabs_and_semicolons_are_told_from_the_header_and_stated(tmp_path: Path, name: str, mark: bytes) -> None:
    data = b"time,client,name,x\n2016-08-15T12:00:00Z,192.0.2.1,a.example,y\n".replace(b",", mark)
    found = recognise(data.replace(b"x\n", b"a, comma\n", 1))
    assert found.procedure == "parse.delimited@2"
    assert found.parameters["delimiter"] == name
    (row,), rejects = read(delimited.FORMAT, tmp_path, data, found.parameters)
    assert (row["client"], row["name"], rejects) == ("192.0.2.1", "a.example", [(1, "header")])
    assert "delimiter" not in recognise(data.replace(mark, b",")).parameters


def test_an_unknown_delimiter_is_refused_in_words(tmp_path: Path) -> None:
    columns = {name: name for name in ("time", "client", "name")}
    with pytest.raises(ReadingError, match="comma, tab, semicolon"):
        read(delimited.FORMAT, tmp_path, b"", {"kind": "lookups", "columns": columns, "delimiter": "pipe"})


def test_named_columns_lead_to_the_form_that_the_file_has() -> None:
    said = {"columns": {"time": "ts", "client": "src.ip", "name": "q"}, "year": 2016, "zone": "+02:00"}
    found = recognise(GOOD, said)
    assert (found.procedure, found.parameters["zone"]) == ("parse.jsonl@1", "+02:00")
    assert "year" not in found.parameters
    tabs = recognise(b"ts\tsrc.ip\tq\n", said)
    assert (tabs.procedure, tabs.parameters["delimiter"]) == ("parse.delimited@2", "tab")
    stated = recognise(b"ts\tsrc.ip\tq\n", said | {"delimiter": "comma"})
    assert "delimiter" not in stated.parameters
    assert recognise(b"\x1f\x8b\x08", said).procedure == "extract.gzip@1"
    bind = recognise(GOOD, said | {"procedure": "parse.bind@2"})
    assert (bind.procedure, "takes none" in bind.reason) == (None, True)


def test_a_header_that_says_nothing_asks_for_its_columns() -> None:
    said = recognise(b"a,b,c\n", {"procedure": "parse.delimited@2"})
    assert (said.procedure, "say also which column is which" in said.reason) == (None, True)
    header = read_header(b"a;b;c\n", "parse.delimited@2")
    assert header is not None
    assert (header.names, header.parameters) == (("a", "b", "c"), {"delimiter": "semicolon"})
    assert read_header(b"a;b;c\n", "parse.bind@2") is None
    keys = read_header(GOOD, "parse.jsonl@1")
    assert keys is not None
    assert keys.names == ("ts", "src.ip", "src.port", "q", "qt")
    assert jsonl.header_of(Head(b"no\njson\n{}")) is None
