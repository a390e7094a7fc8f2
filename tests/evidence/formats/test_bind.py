"""BIND query logs: the columns and the pattern accept the same lines, and no byte is lost."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evidence.formats import bind
from evidence.formats.bind_columns import lines_of, usual
from evidence.reading.batch import Batch, Conservation
from evidence.reading.format import in_order
from evidence.reading.gather import padded
from evidence.reading.lines import CHUNK, Chunk, chunks
from evidence.reading.source import Source
from evidence.table.parquet import TableWriter
from evidence.table.schema import LOOKUPS

if TYPE_CHECKING:
    from pathlib import Path

LINE = (
    b"04-May-2016 00:00:12.345 queries: info: client @0x7f11 192.0.2.17#53124 (Mail.Example.net): "
    b"query: Mail.Example.net. IN A +E(0)K (198.51.100.53)\n"
)
VARIANTS = [
    LINE,
    LINE.replace(b"@0x7f11 ", b""),
    LINE.replace(b"queries: info: ", b""),
    LINE.replace(b"queries: ", b""),
    LINE.replace(b"info: ", b""),
    LINE.replace(b" (198.51.100.53)", b""),
    LINE.replace(b"query: ", b"view in-side: query: "),
    LINE.replace(b"\n", b"\r\n"),
    LINE.replace(b"192.0.2.17", b"2001:DB8::5"),
    LINE.replace(b" A ", b" TYPE65280 "),
    LINE.replace(b" IN ", b" CLASS32 "),
    LINE.replace(b"Mail.Example.net.", rb"a\.b\032c\;d"),
    LINE.replace(b"(198.51.100.53)", b"(198.51.100.53) [ECS 192.0.2.0/24/0]"),
    LINE.replace(b"04-May-2016 00:00:12.345", b"2016-05-04T00:00:12.345"),
    LINE.replace(b"04-May-2016 00:00:12.345", b"2016-05-04T00:00:12.345Z"),
    LINE.replace(b"04-May-2016 00:00:12.345", b"2016-05-04T02:00:12.345+02:00"),
    LINE.replace(b"04-May-2016 00:00:12.345", b"2016-05-04T02:00:12.345+00:00"),
    LINE.replace(b"04-May-2016 00:00:12.345 ", b""),
    LINE.replace(b"04-May-2016 00:00:12.345 queries: info: ", b""),
    LINE.replace(b"192.0.2.17#53124", b"fe80::1%eth0#53124"),
    LINE.replace(b"#53124", b"#53124/key some.key"),
    LINE.replace(b" (Mail.Example.net)", b""),
    LINE.replace(b"+E(0)K", b"-SE(0)TDCV"),
    LINE.replace(b"+E(0)K", b"+?"),
    LINE.replace(b"+E(0)K (198.51.100.53)", b"-SEDC"),
    LINE.replace(b"+E(0)K", b"+E(0)SK"),
    LINE.replace(b"198.51.100.53", b"198.51.100.53#53"),
    LINE.replace(b"Mail.Example.net.", b"x" * 63 + b".example"),
    LINE.replace(b"Mail.Example.net.", b"."),
    LINE.replace(b" (198.51.100.53)", b"\r"),
]
AS_COLUMNS = [*VARIANTS[:9], VARIANTS[9 + 4], VARIANTS[9 + 5], VARIANTS[9 + 6], VARIANTS[9 + 7],
              *VARIANTS[22:26], VARIANTS[29]]  # fmt: skip
"""Those of the usual layouts, which the slow way must not be needed for."""
BROKEN = [
    LINE.replace(b"Mail.Example.net.", b"x" * 64 + b".example"),
    LINE.replace(b"04-May", b"31-Apr"),
    LINE.replace(b"04-May", b"04-Mai"),
    LINE.replace(b"00:00:12", b"24:00:12"),
    LINE.replace(b"#53124", b"#99999"),
    LINE.replace(b"#53124", b"#"),
    LINE.replace(b"query: ", b"query failed "),
    LINE.replace(b"client", b"Client"),
    LINE.replace(b"192.0.2.17", b"192.0.2.x"),
    LINE.replace(b" IN ", b" in "),
    LINE.replace(b"Example", "Exämple".encode()),
    LINE.replace(b"Example", b"Exa\x00mple"),
    LINE.replace(b" A ", b"  A "),
    LINE.replace(b"query: Mail.", b"query: Mail.."),
    LINE.replace(b"query: Mail.", b"query: .Mail."),
    LINE.replace(b"04-May-2016 00:00:12.345", b"2016-13-04T00:00:12.345"),
    LINE.decode().encode("utf-16"),
    b"\n",
    b"# a comment\n",
    b"\x00\xff\xfe\x01junk\n",
    b"\x1f\x8b\x08\x00 cut off\n",
]


def chunk(data: bytes) -> Chunk:
    return Chunk(data, 0, 1, len(data))


def _split(data: bytes) -> list[bytes]:
    parts = data.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def slow(data: bytes) -> tuple[list[dict], list[tuple]]:
    """Line by line, by the pattern alone."""
    rows, rejects, at = [], [], 0
    for number, line in enumerate(_split(data), 1):
        found = bind.read_line(line)
        span = {"line": number, "start": at, "stop": at + len(line)}
        if isinstance(found, dict):
            rows.append(dict.fromkeys(LOOKUPS.names) | span | found)
        else:
            rejects.append((*span.values(), *found, line[:32]))
        at += len(line)
    return rows, rejects


def both(batch: Batch) -> tuple[list[dict], list[tuple]]:
    return batch.rows.to_pylist(), [tuple(row.values()) for row in batch.rejects.to_pylist()]


@pytest.mark.parametrize("line", VARIANTS)
def test_every_usual_layout_is_read(line: bytes) -> None:
    rows, rejects = both(bind.read_chunk(chunk(line * 3)))
    assert rejects == []
    assert [row["stop"] - row["start"] for row in rows] == [len(line)] * 3
    assert rows == slow(line * 3)[0]


@pytest.mark.parametrize("line", AS_COLUMNS)
def test_the_usual_layouts_are_read_as_columns(line: bytes) -> None:
    data = line * 3
    taken, _ = usual(lines_of(padded(data), len(data)))
    assert taken.tolist() == [0, 1, 2]


def test_the_table_is_the_same_however_many_workers_read(tmp_path: Path) -> None:
    data = b"".join(VARIANTS + BROKEN[:-1])
    parts = [Chunk(data, number * len(data), 1 + number * data.count(b"\n"), len(data)) for number in range(20)]
    tables = []
    for workers in (1, 2, 4):
        with TableWriter(tmp_path / str(workers), LOOKUPS, {}) as table:
            for batch in in_order(parts, bind.read_chunk, workers):
                table.write(batch.rows)
        tables.append((tmp_path / str(workers)).read_bytes())
    assert tables[0] == tables[1] == tables[2]


def test_values_are_normalised() -> None:
    row = bind.read_chunk(chunk(LINE)).rows.to_pylist()[0]
    assert (row["client"], row["port"], row["name"], row["type"]) == ("192.0.2.17", 53124, "mail.example.net", "A")
    assert (row["name_as_written"], row["server"], row["event"]) == ("Mail.Example.net.", "198.51.100.53", "query")
    assert (row["flags"], row["transport"]) == ("RD EDNS0 COOKIE", "udp")
    assert row["time"].isoformat() == "2016-05-04T00:00:12.345000+00:00"
    assert (row["time_digits"], row["time_zone"]) == (3, None)


@pytest.mark.parametrize(
    ("written", "words", "transport"),
    [("+", "RD", "udp"), ("-", None, "udp"), ("-E(0)TD", "EDNS0 DO", "tcp"), ("+SE(1)TDCV", "RD CD EDNS1 DO TSIG COOKIE", "tcp"),
     ("-SEDC", "CD EDNS0 DO TSIG", "udp"), ("+ETD", "RD EDNS0 DO", "tcp"), ("+E(0)SK", "RD EDNS0 TSIG COOKIE", "udp"),
     ("+?", None, None)],
)  # fmt: skip
def test_flags_are_put_into_the_words_of_the_header(written: str, words: str | None, transport: str | None) -> None:
    row = bind.read_chunk(chunk(LINE.replace(b"+E(0)K", written.encode()))).rows.to_pylist()[0]
    assert (row["flags"], row["transport"]) == (words, transport)


@pytest.mark.parametrize(("written", "zone"), [(b"", None), (b"Z", "UTC"), (b"+00:00", "UTC"), (b"+02:00", "+02:00")])
def test_a_zone_is_written_as_in_all_tables(written: bytes, zone: str | None) -> None:
    line = LINE.replace(b"04-May-2016 00:00:12.345", b"2016-05-04T02:00:12.345" + written)
    rows, _ = both(bind.read_chunk(chunk(line)))
    assert [row["time_zone"] for row in rows] == [row["time_zone"] for row in slow(line)[0]] == [zone]


def test_the_transport_is_not_known_of_releases_that_leave_it_out() -> None:
    """BIND 9.3 to 9.6 write neither `T` nor the server's address."""
    old = LINE.replace(b" (198.51.100.53)", b"")
    data = LINE + old.replace(b"+E(0)K", b"+E") + old.replace(b"+E(0)K", b"+T")
    rows, rejects = both(bind.read_chunk(chunk(data)))
    assert [row["transport"] for row in rows] == ["udp", None, "tcp"]
    assert (rows, rejects) == slow(data)


def test_the_servers_port_is_taken_where_it_stands() -> None:
    data = LINE.replace(b".53)", b".53#5353)") + LINE.replace(b"198.51.100.53", b"2001:db8::5#53")
    (row, other), _ = both(bind.read_chunk(chunk(data)))
    assert (row["server"], row["server_port"], row["transport"]) == ("198.51.100.53", 5353, "udp")
    assert (other["server"], other["server_port"]) == ("2001:db8::5", 53)
    _, [reject] = both(bind.read_chunk(chunk(LINE.replace(b".53)", b".53#65536)"))))
    assert reject[4] == "bad-port"


@pytest.mark.parametrize("line", BROKEN)
def test_a_broken_line_is_a_reject_with_a_reason_and_harms_no_other(line: bytes) -> None:
    data = LINE + line + (b"" if line.endswith(b"\n") else b"\n") + LINE
    rows, rejects = both(bind.read_chunk(chunk(data)))
    assert (rows, rejects) == slow(data) if b"\n" not in line[:-1] else len(rows) == 2
    assert rows[0]["line"] == 1
    assert rows[-1]["stop"] == len(data)
    assert all(reason for *_, reason, _head in rejects)
    assert rejects


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(VARIANTS + BROKEN), min_size=1, max_size=12), st.data())
@example([LINE], None)
def test_columns_and_pattern_agree_on_changed_lines(lines: list[bytes], data) -> None:
    text = bytearray(b"".join(line if line.endswith(b"\n") else line + b"\n" for line in lines))
    if data is not None and text:
        for _ in range(data.draw(st.integers(0, 6))):
            place = data.draw(st.integers(0, len(text) - 1))
            text[place] = data.draw(st.sampled_from(b"\n\r #:()0129ANZa.-\x00\x7f\xff") | st.integers(0, 255))
    source = bytes(text)
    batch = bind.read_chunk(chunk(source))
    expected = slow(source)
    assert both(batch) == expected
    Conservation().add(batch)


def read_file(path: Path) -> tuple[list[Batch], Source]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        source = Source(descriptor)
        return [bind.read_chunk(part) for part in chunks(source)], source
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("tail", [b"", LINE, LINE[:-1]])
def test_a_line_of_ten_million_characters_is_one_reject_in_constant_memory(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "long.log"
    path.write_bytes(LINE + b"x" * 10_000_000 + b"\n" + tail)
    batches, _ = read_file(path)
    counted = Conservation()
    for batch in batches:
        counted.add(batch)
    assert counted.bytes == path.stat().st_size
    assert counted.reasons == {"too-long": 1}
    assert counted.rows == 1 + bool(tail)


def test_lines_are_whole_across_chunks(tmp_path: Path) -> None:
    path = tmp_path / "two-chunks.log"
    path.write_bytes(LINE * (CHUNK // len(LINE) + 100))
    batches, _ = read_file(path)
    assert len(batches) == 2
    assert sum(len(batch.rows) for batch in batches) == CHUNK // len(LINE) + 100
    last = batches[-1].rows.to_pylist()[-1]
    assert (last["line"], last["stop"]) == (CHUNK // len(LINE) + 100, path.stat().st_size)


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    assert read_file(path)[0] == []
