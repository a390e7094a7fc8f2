"""CSV that is out of order: stray quotes, long records, numbers beyond measure. No byte is lost, no memory is filled."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.formats.delimited import DelimitedReader
from evidence.reading.batch import Conservation
from evidence.reading.lines import LONGEST_LINE, Chunk
from evidence.reading.mapping import convert
from evidence.reading.stamps import parse_time

HEADER = b"time,client,name\n"
ROW = b"2016-08-15T12:00:00Z,192.0.2.1,a.example\n"
COLUMNS = {name: name for name in ("time", "client", "name")}


def read(data: bytes, step: int) -> tuple[list[dict], list[tuple[int, str]], int]:
    """Rows, rejects, and the most bytes that ever waited for the next chunk."""
    reader, counted, waiting = DelimitedReader("lookups", COLUMNS), Conservation(), 0
    rows, rejects = [], []

    def chunks():
        nonlocal waiting
        for at in range(0, len(data), step):
            waiting = max(waiting, len(reader._rest))
            part = data[at : at + step]
            yield Chunk(part, at, 1 + data.count(b"\n", 0, at), len(part))

    for batch in reader.read(chunks()):
        counted.add(batch)
        rows += batch.rows.to_pylist()
        rejects += [(item["line"], item["reason"]) for item in batch.rejects.to_pylist()]
    assert counted.bytes == len(data)
    return rows, rejects, waiting


@pytest.mark.parametrize("lines", [3, 60_000])
def test_a_stray_quote_costs_its_own_line_only(lines: int) -> None:
    data = HEADER + b'2016-08-15T12:00:00Z,192.0.2.1,"open\n' + ROW * lines
    rows, rejects, waiting = read(data, 1 << 19)
    assert len(rows) == lines
    assert rejects == [(1, "header"), (2, "open-quote")]
    assert waiting <= LONGEST_LINE


def test_a_quote_in_a_comment_opens_nothing() -> None:
    rows, rejects, _ = read(b'# 5" wide\n' + HEADER + ROW + b'# "\n' + ROW, 1 << 20)
    assert len(rows) == 2
    assert [reason for _, reason in rejects] == ["comment", "header", "comment"]


def test_many_comments_with_a_quote_take_time_in_proportion() -> None:
    rows, rejects, _ = read(HEADER + (b'# "\n' + ROW) * 20_000, 8 << 20)
    assert (len(rows), len(rejects)) == (20_000, 20_001)


def test_a_record_beyond_the_longest_is_too_long() -> None:
    rows, rejects, _ = read(HEADER + b"x" * (LONGEST_LINE + 1) + b"\n" + ROW, 4 << 20)
    assert len(rows) == 1
    assert rejects[1:] == [(2, "too-long")]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from([ROW, b'"', b"\n", b"#", b",", b"a", b"\r\n", b'"a\nb"', b"\x00", b"\xff"]), max_size=30)
)
def test_rows_and_rejects_do_not_depend_on_where_chunks_are_cut(parts: list[bytes]) -> None:
    data = HEADER + b"".join(parts)
    whole = read(data, 1 << 20)[:2]
    assert read(data, 7)[:2] == whole
    assert [b"\n" in data[row["start"] : row["stop"]] or row["stop"] == len(data) for row in whole[0]] == [True] * len(
        whole[0]
    )


@pytest.mark.parametrize("count", ["9" * 5000, "0", "-1", "1.5", "٣"])
def test_a_count_that_is_none_is_a_reason_and_no_crash(count: str) -> None:
    assert convert("sightings", {"time": "2016-08-15", "name": "a", "count": count}) == "bad-count"


def test_times_at_the_edge_of_the_calendar_are_a_reason_and_no_crash() -> None:
    assert parse_time("0001-01-01T00:00:00+02:00") is None
    assert parse_time("9" * 30) is None


def test_seconds_since_1970_are_exact() -> None:
    assert parse_time("1471262400.123457")["time"].isoformat() == "2016-08-15T12:00:00.123457+00:00"
