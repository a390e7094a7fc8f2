"""BIND 9 query logs (category `queries`), in all variants of `print-time`, `print-category` and `print-severity`.

    04-May-2016 00:00:12.345 queries: info: client @0x7f 192.0.2.1#53124 (a.example): view v: query: a.example IN A +

`PATTERN` is the law: a line is a row if it matches. Lines of the usual layouts are checked as columns instead, which
accepts the same lines (a property test holds the two together); all others go to the pattern one by one. The grammar
is that of BIND 9.3 to 9.21 (`lib/ns/query.c`, `lib/ns/client.c`, `lib/isc/log.c`).
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from evidence.formats import bind_plain
from evidence.formats.bind_columns import lines_of, usual
from evidence.formats.bind_message import LEAD, MESSAGE, TIME, query_row, time_of
from evidence.reading import gather
from evidence.reading.batch import REJECT, Batch, Reject, rejects_table
from evidence.reading.format import Format, Reading, guess_lines, in_order, plain_line, refuse_parameters, too_long
from evidence.reading.lines import chunks, line_ends
from evidence.table.schema import LOOKUPS, complete, in_order_of_source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evidence.formats.bind_columns import Columns
    from evidence.reading.format import NoRow, Row
    from evidence.reading.gather import Bytes
    from evidence.reading.lines import Chunk
    from evidence.reading.source import Source

PROCEDURE, TITLE = "parse.bind@2", "a BIND query log"
PATTERN = re.compile(TIME + LEAD + MESSAGE + rb"\r?\n?")


def read_chunk(chunk: Chunk) -> Batch:
    """Rows and rejects of whole lines."""
    return _read_padded(_padded(chunk))


def _padded(chunk: Chunk) -> tuple[Chunk, Bytes]:
    return chunk, gather.padded(chunk.data)


def _read_padded(padded: tuple[Chunk, Bytes]) -> Batch:
    chunk, buffer = padded
    if chunk.too_long:
        return too_long(chunk, LOOKUPS)
    rows, slow, starts, stops = _columns(chunk, buffer)
    rejects: list[Reject] = []
    more: list[Row] = []
    for index in slow.tolist():
        _slow_line(chunk, int(starts[index]), int(stops[index]), chunk.line + index, more, rejects)
    if more:
        rows = in_order_of_source(rows, pa.Table.from_pylist(more, schema=LOOKUPS))
    return Batch(rows, rejects_table(rejects), chunk.size)


def _slow_line(chunk: Chunk, start: int, stop: int, line: int, rows: list[Row], rejects: list[Reject]) -> None:
    first, last = chunk.start + start, chunk.start + stop
    text = chunk.data[start:stop]
    found = read_line(text)
    if isinstance(found, dict):
        rows.append({"line": line, "start": first, "stop": last, **found})
    else:
        rejects.append(Reject(line, first, last, *found, head=text))


def read_line(text: bytes) -> Row | NoRow:
    """The reference: the values of a row, or why there is none (kind and reason)."""
    plain = plain_line(text)
    if plain:
        return plain
    found = PATTERN.fullmatch(text)
    if not found:
        return REJECT, "binary" if b"\0" in text else "not-a-query-line"
    times = time_of(found)
    if times is None:
        return REJECT, "bad-time"
    row = query_row(found)
    return {**times, **row} if isinstance(row, dict) else row


def _columns(chunk: Chunk, buffer: Bytes) -> tuple[pa.Table, Any, Any, Any]:
    """Lines of the usual layouts as a table; the numbers of all other lines; where lines start and stop."""
    taken, columns, starts, stops = _usual(chunk, buffer)
    rest = np.ones(len(starts), dtype=bool)
    rest[taken] = False
    spans = {
        "line": pa.array(taken + chunk.line, pa.int64()), "start": pa.array(starts[taken] + chunk.start, pa.int64()),
        "stop": pa.array(stops[taken] + chunk.start, pa.int64()),
    }  # fmt: skip
    rows = complete(spans | columns, len(taken), LOOKUPS) if len(taken) else LOOKUPS.empty_table()
    return rows, np.flatnonzero(rest), starts, stops


def _usual(chunk: Chunk, buffer: Bytes) -> tuple[Any, Columns, Any, Any]:
    """The lines that are taken and their columns, and where all lines start and stop."""
    if chunk.data.endswith(b"\n"):
        stops = line_ends(chunk.data) if chunk.ends is None else chunk.ends
        starts = np.concatenate(([0], stops[:-1]))
        found = bind_plain.read(buffer, starts, stops)
        if found:
            return *found, starts, stops
    lines = lines_of(buffer, chunk.size)
    return *usual(lines), lines.starts, lines.stops


def _read(source: Source, parameters: Mapping[str, Any]) -> Reading:
    """Columns are made in one thread, since those that cut and write the file keep the other core busy."""
    refuse_parameters(PROCEDURE, parameters, set())
    return Reading(LOOKUPS, in_order(map(_padded, chunks(source)), _read_padded, workers=1))


FORMAT = Format(PROCEDURE, TITLE, functools.partial(guess_lines, read_line, TITLE, 0.2), _read, has_zone=False)
