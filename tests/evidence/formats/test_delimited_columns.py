"""CSV as columns: the same rows, rejects and spans as record by record, and the same table however many read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evidence.formats import delimited
from evidence.formats.delimited import DELIMITERS, DelimitedReader, Piece, Plain, one_by_one, read_piece, read_plain
from evidence.reading import fields
from evidence.reading.batch import Conservation
from evidence.reading.lines import CHUNK, Chunk, chunks
from evidence.reading.mapping import MAPPED, SCHEMAS
from evidence.reading.source import Source
from evidence.table.parquet import TableWriter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KINDS = {
    "lookups": (
        ["time", "client", "name", "type", "port", "note", "server"],
        [b"2016-08-15T12:00:00Z", b"192.0.2.1", b"Mail.Example.net.", b"A", b"53124", b"", b"198.51.100.53"],
    ),
    "sightings": (
        ["time", "last", "name", "data", "count", "note", "place"],
        [b"2016-08-15T12:00:00Z", b"2016-08-16 01:02:03.25Z", b"a.example", b"192.0.2.7", b"12", b"", b"CH"],
    ),
}
TIMES = [
    b"2016-08-15 12:00:00", b"2016-08-15T12:00:00.5+02:00", b"2016-08-15T12:00:00.123456789-03:30", b"1471262400",
    b"1471262400.123457", b"1471262400.", b"2016-02-30T12:00:00Z", b"2016-08-15T24:00:00", b"2016-08-15", b"yesterday", b"",
    b"0001-01-01T00:00:00+02:00", b"9999-12-31T23:59:59-01:00", b" 2016-08-15T12:00:00Z", b"2016-08-15T12:00:00-00:00",
    b"2016-08-15T12:00:00z", b"2016-08-15T12:00:00,5", b"2016-08-15T12:00:00.", b"2016-08-15T12:00:00.1234567890",
    b"2016-08-15T12:00:00.123Z", b"2016-08-15T12:00:00+24:00", b"2016-08-15T12:00Z", b"20160815T120000Z", b"99999999999", b"147126240", b"2016-W33-1T12:00:00",
]  # fmt: skip
NAMES = [
    b"a..example", b".", b".a", rb"a\.b", b"a b.example", b"x" * 63 + b".example", b"x" * 64, b"*.example", "Ü.example".encode(),
    b"a.example.", b"A", b" a.example ", b"a\r\nb", b"a;b", b"a,b", b"a\tb",
]  # fmt: skip
OTHERS = [
    b"", b" ", b"2001:DB8::5", b"0", b"65536", b"00053", b"123456789", b"-1", b"1.5", b'a "b"', b"\xff", b"\x00", b"x\ry", b'"',
]  # fmt: skip
ODD_LINES = [
    b"# a comment\n", b'# 5" wide\n', b"\n", b"\r\n", b"a,b\n", b'2016,"open\n', b"\xff\xfe\n", b",,,,,,,,\n", b"x" * 70_000 + b"\n",
    b'"a"b,c,d,e,f,g,h\n', b"a\r\r\n",
]  # fmt: skip


def layout(kind: str, delimiter: str) -> fields.Layout:
    names = KINDS[kind][0]
    return fields.Layout(
        kind, delimiter, len(names), {name: names.index(name) for name in names if name in MAPPED[kind]}
    )


def piece(data: bytes, said: fields.Layout) -> Piece:
    found = delimited.cut(data, last=True)
    return Piece(data, 0, 1, int(found.edges[-1]), found, said, [])


def both(data: bytes, said: fields.Layout) -> None:
    """What is read as columns is what is read record by record."""
    part = piece(data, said)
    batch = read_piece(SCHEMAS[said.kind], part)
    rows, rejects = one_by_one(part, range(len(part.cut.is_open)))
    assert batch.rows.to_pylist() == pa.Table.from_pylist(rows, schema=batch.rows.schema).to_pylist()
    assert batch.rejects.to_pylist() == [
        {
            "line": it.line,
            "start": it.start,
            "stop": it.stop,
            "kind": it.kind,
            "reason": it.reason,
            "head": it.head[:32],
        }
        for it in rejects
    ]
    Conservation().add(batch)
    if b'"' not in data and data.endswith(b"\n"):
        plain = read_plain(SCHEMAS[said.kind], Plain(Chunk(data, 0, 1, len(data)), said))
        assert (plain.rows, plain.rejects, plain.size) == (batch.rows, batch.rejects, batch.size)


def quoted(value: bytes) -> bytes:
    return b'"' + value.replace(b'"', b'""') + b'"'


@st.composite
def files(draw) -> tuple[str, str, bytes]:
    """Records with a few fields of each odd kind, in quotes or not, and a few bytes changed."""
    kind, delimiter = draw(st.sampled_from(list(KINDS))), draw(st.sampled_from(list(DELIMITERS.values())))
    end = draw(st.sampled_from([b"\n", b"\r\n"]))
    lines = []
    for _ in range(draw(st.integers(1, 8))):
        values = list(KINDS[kind][1])
        for place in draw(st.lists(st.integers(0, len(values) - 1), max_size=3)):
            values[place] = draw(
                st.sampled_from((TIMES, NAMES, OTHERS)[min(place, 2) and 1 + place % 2]) | st.sampled_from(OTHERS)
            )
        style = draw(st.sampled_from(["plain", "all", "some"]))
        cells = [quoted(v) if style == "all" or (style == "some" and draw(st.booleans())) else v for v in values]
        lines.append(delimiter.encode().join(cells) + end)
        lines += draw(st.lists(st.sampled_from(ODD_LINES), max_size=1))
    data = bytearray(b"".join(lines))
    for _ in range(draw(st.integers(0, 4))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.sampled_from(b'\n\r #",;\t:.TZ+-0129aA\x00\x7f\xff'))
    return kind, delimiter, bytes(data if draw(st.booleans()) else data[:-1])


@settings(max_examples=300, deadline=None)
@given(files())
@example(("lookups", ",", b""))
@example(("lookups", ",", b"\n"))
def test_columns_and_records_agree(drawn: tuple[str, str, bytes]) -> None:
    kind, delimiter, data = drawn
    both(data, layout(kind, delimiter))


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("name", [*DELIMITERS])
@pytest.mark.parametrize("wrap", [bytes, quoted])
def test_each_value_in_each_column_is_as_record_by_record(kind: str, name: str, wrap) -> None:
    delimiter = DELIMITERS[name].encode()
    for place in range(len(KINDS[kind][0])):
        lines = []
        for value in TIMES + NAMES + OTHERS:
            values = list(KINDS[kind][1])
            values[place] = value
            lines.append(delimiter.join(map(wrap, values)) + b"\n")
        both(b"".join(lines), layout(kind, DELIMITERS[name]))


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("wrap", [bytes, quoted])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("time", [*TIMES[:5], TIMES[14], b"2016-08-15 23:59:59.999Z"])
def test_the_usual_records_are_taken_as_columns(kind: str, wrap, end: bytes, time: bytes) -> None:
    values = [time, *KINDS[kind][1][1:]]
    if kind == "sightings" and time == TIMES[0]:
        values[1] = values[1].removesuffix(b"Z")  # both times state a zone or none does
    data = (b",".join(map(wrap, values)) + end) * 3
    part = piece(data, layout(kind, ","))
    taken, _ = fields.usual(part.layout, data, part.cut.edges, part.cut.is_open)
    assert taken.tolist() == [0, 1, 2]


def test_a_stray_quote_leaves_the_other_records_to_the_columns() -> None:
    line = b",".join(map(quoted, KINDS["lookups"][1])) + b"\n"
    data = b'# 5" wide\n' + line + b'2016,"open\n' + line * 2 + b"x" * (delimited.LONGEST_LINE + 1) + b"\n" + line * 2
    part = piece(data, layout("lookups", ","))
    taken, _ = fields.usual(part.layout, data, part.cut.edges, part.cut.is_open)
    both(data, layout("lookups", ","))
    assert len(taken) == 5


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from([b'"', b"\n", b"#", b",", b"a", b"\r\n", b'"a\nb"', b'# "\n']), max_size=30), st.booleans()
)
def test_the_quick_cut_is_the_careful_one(parts: list[bytes], last) -> None:
    data = b"".join(parts)
    found = delimited.cut(data, last=last)
    careful = list(delimited._records(data, last=last))
    assert found.edges.tolist() == [0, *(stop for _, stop, _ in careful)]
    assert found.is_open.tolist() == [state for *_, state in careful]
    assert found.lines.tolist() == [data.count(b"\n", 0, edge) for edge in found.edges]


def _write(source: Path, target: Path, workers: int) -> None:
    descriptor = os.open(source, os.O_RDONLY)
    try:
        reader = DelimitedReader("lookups", {name: name for name in ("time", "client", "name", "type")})
        with TableWriter(target, reader.schema, {}) as table:
            for batch in reader.read(chunks(Source(descriptor)), workers):
                table.write(batch.rows)
    finally:
        os.close(descriptor)


def _lines(count: int) -> Iterator[bytes]:
    yield b"time,client,name,type\n"
    for number in range(count):
        yield b"2016-08-15T12:%02d:%02dZ,192.0.2.%d,host-%d.example,A\n" % (
            number % 3600 // 60,
            number % 60,
            number % 250,
            number,
        )
        if number % 1000 == 0:
            yield b'2016-08-15,"quoted\nname",a b,A\n'


def test_the_table_has_the_same_bytes_however_many_workers_read(tmp_path: Path) -> None:
    source = tmp_path / "big.csv"
    with source.open("wb") as file:
        file.writelines(_lines(2 * CHUNK // 45))
    tables = []
    for workers in (1, 2, 4):
        _write(source, tmp_path / f"{workers}.parquet", workers)
        tables.append((tmp_path / f"{workers}.parquet").read_bytes())
    assert source.stat().st_size > CHUNK
    assert tables[0] == tables[1] == tables[2]


def test_a_chunk_of_nothing_but_delimiters_loses_no_byte() -> None:
    data = b"time,client,name\n" + b"," * 5000 + b"\n" + b"\n" * 5000
    counted: Any = Conservation()
    for batch in DelimitedReader("lookups", {name: name for name in ("time", "client", "name")}).read(
        [Chunk(data, 0, 1, len(data))]
    ):
        counted.add(batch)
    assert counted.bytes == len(data)
    assert counted.reasons == {"header": 1, "wrong-field-count": 1, "blank": 5000}
    assert np.sum([counted.rejects, counted.skipped]) == 5002


@pytest.mark.parametrize(
    ("time", "last", "reason"),
    [
        (b"2016-08-15 12:00:00", b"2016-08-15 12:30:00", None),
        (b"2016-08-15 12:00:00", b"", None),
        (b"2016-08-15 12:00:00Z", b"2016-08-15 14:30:00+02:00", None),
        (b"2016-08-15 12:00:00", b"2016-08-15 12:30:00Z", "zone-of-one-time"),
        (b"1471262400", b"2016-08-15 12:30:00", "zone-of-one-time"),
    ],
)
def test_both_times_of_a_sighting_state_a_zone_or_none_does(time: bytes, last: bytes, reason: str | None) -> None:
    said = layout("sightings", ",")
    line = b",".join([time, last, *KINDS["sightings"][1][2:]]) + b"\n"
    both(line * 2, said)
    batch = read_piece(SCHEMAS["sightings"], piece(line, said))
    assert batch.rejects["reason"].to_pylist() == ([reason] if reason else [])
