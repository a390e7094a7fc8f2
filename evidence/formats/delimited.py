"""Tables with a header (RFC 4180, also cut by tabs or semicolons) and a column mapping: lookups, or sightings.

Where the mapping names columns by their numbers from 1, and the first record has no such names, it is a record as all
others, and the table has no header.

Records end at newlines outside quotes. Lines that begin with `#` and blank ones are skipped by rule; records with
another number of fields than the header are rejects. A quote that no other closes within `LONGEST_LINE` costs its own
line only: reading starts anew behind it, so one stray quote neither swallows a file nor fills the memory.
"""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from evidence.errors import ReadingError
from evidence.reading.amounts import amount
from evidence.reading.batch import CONTEXT, REJECT, SKIP, Batch, Reject, rejects_table
from evidence.reading.fields import Layout, chosen, separators, usual
from evidence.reading.format import WORKERS, Format, Guess, Header, Reading, in_order, refuse_parameters
from evidence.reading.lines import LONGEST_LINE, chunks
from evidence.reading.mapping import SCHEMAS, check_mapping, convert, mapping_in, mapping_of
from evidence.reading.stamps import is_number
from evidence.table.schema import complete, in_order_of_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from evidence.reading.format import Head, NoRow, Row
    from evidence.reading.lines import Chunk
    from evidence.reading.source import Source

PROCEDURE, TITLE = "parse.delimited@2", "CSV, TSV or semicolons, with a header"
DELIMITERS = {"comma": ",", "tab": "\t", "semicolon": ";"}
"""What stands between fields, by the name that parameters state; a comma where they state none."""
LOOK_AHEAD = 1 << 12
CONFIDENCE = 0.9  # a header is a strong sign, and a log whose every line is understood a stronger one


@dataclass(frozen=True, slots=True)
class Cut:
    """Record `i` lies in bytes `edges[i]` up to `edges[i + 1]`, `lines[i]` lines in; open ones were given up."""

    edges: Any
    lines: Any
    is_open: Any


@dataclass(frozen=True, slots=True)
class Plain:
    """A chunk behind the header whose lines are each a record, since no quote is in it; who reads it cuts it."""

    chunk: Chunk
    layout: Layout


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole records from byte `start` and line `line` on; of the first of them `rejects` are made already."""

    data: bytes
    start: int
    line: int
    size: int
    cut: Cut
    layout: Layout | None
    rejects: list[Reject]


class DelimitedReader:
    """Reads chunks in order: the header is the first record that is not skipped; quotes may span chunks."""

    def __init__(self, kind: str, columns: Mapping[str, str], delimiter: str = ",") -> None:
        check_mapping(kind, columns)
        self._kind, self._columns, self._delimiter = kind, dict(columns), delimiter
        self._layout: Layout | None = None
        self.notes: list[str] = []
        self._rest, self._rest_start, self._rest_line = b"", 0, 1

    @property
    def schema(self) -> pa.Schema:
        return SCHEMAS[self._kind]

    def read(self, chunks: Iterable[Chunk], workers: int = WORKERS) -> Iterator[Batch]:
        """Where records begin is found in order; their fields are read side by side."""
        return in_order(self._pieces(chunks), functools.partial(_read_part, self.schema), workers)

    def _pieces(self, chunks: Iterable[Chunk]) -> Iterator[Piece | Plain]:
        for chunk in chunks:
            if chunk.too_long:
                yield from self._take(b"", last=True)
                reject = Reject(chunk.line, chunk.start, chunk.start + chunk.size, REJECT, "too-long")
                yield Piece(b"", chunk.start, chunk.line, chunk.size, cut(b"", last=True), self._layout, [reject])
            elif self._layout and not self._rest and b'"' not in chunk.data and chunk.data.endswith(b"\n"):
                yield Plain(chunk, self._layout)
            else:
                if not self._rest:
                    self._rest_start, self._rest_line = chunk.start, chunk.line
                yield from self._take(chunk.data, last=False)
        yield from self._take(b"", last=True)

    def _take(self, more: bytes, *, last: bool) -> Iterator[Piece]:
        """The records that are whole by now; what is left waits for the next chunk."""
        data, start, line = self._rest + more, self._rest_start, self._rest_line
        found = cut(data, last=last)
        stop = int(found.edges[-1])
        self._rest, self._rest_start, self._rest_line = data[stop:], start + stop, line + int(found.lines[-1])
        rejects: list[Reject] = []
        piece = Piece(data, start, line, stop, found, None, rejects)
        for number in range(len(found.is_open)):
            if self._layout is not None:
                break
            found_before = self._before_header(piece, number)
            if found_before is not None:
                rejects.append(found_before)
        if stop:
            yield replace(piece, layout=self._layout)

    def _before_header(self, piece: Piece, number: int) -> Reject | None:
        """A record up to the header, which is taken on the way; None for the first record of a table without one."""
        record, span = _record(piece, number)
        if piece.cut.is_open[number]:
            return Reject(*span, *_given_up(len(record)), head=record)
        fields = record_fields(record, self._delimiter)
        if isinstance(fields, tuple):
            return Reject(*span, *fields, head=record)
        header = [name.strip().removeprefix("\ufeff") for name in fields]
        places = numbered(self._columns, header)
        self._layout = Layout(self._kind, self._delimiter, len(header), places or self._named(header))
        return None if places else Reject(*span, CONTEXT, "header", head=record)

    def _named(self, header: list[str]) -> dict[str, int]:
        """Where the columns stand that the header names. Raises `ReadingError` for one that it does not name."""
        absent = [name for name in self._columns.values() if name not in header]
        if absent:
            raise ReadingError(f"the header has no column {absent}; it has {header}")
        again = sorted({column for column in self._columns.values() if header.count(column) > 1})
        self.notes += [
            f"The header has {column!r} more than once: the first of these columns is read." for column in again
        ]
        return {target: header.index(column) for target, column in self._columns.items()}


def numbered(columns: Mapping[str, str], first: Sequence[str]) -> dict[str, int] | None:
    """Where the columns stand that are named by numbers from 1; None if they are names.

    Raises `ReadingError` for a number that the first record does not reach.
    """
    if not all(is_number(column, 4) for column in columns.values()) or set(columns.values()) <= set(first):
        return None
    beyond = sorted({int(column) for column in columns.values() if not 1 <= int(column) <= len(first)})
    if beyond:
        raise ReadingError(f"the first record has {amount(len(first), 'column')}, and none with the numbers {beyond}")
    return {target: int(column) - 1 for target, column in columns.items()}


def _read_part(schema: pa.Schema, part: Piece | Plain) -> Batch:
    return read_piece(schema, part) if isinstance(part, Piece) else read_plain(schema, part)


def read_plain(schema: pa.Schema, plain: Plain) -> Batch:
    """As `read_piece` of the same bytes, in which newlines are known already."""
    chunk, layout = plain.chunk, plain.layout
    found = separators(chunk.data, layout.delimiter)
    cuts = cut(chunk.data, last=False, newlines=chunk.ends)
    return read_piece(schema, Piece(chunk.data, chunk.start, chunk.line, chunk.size, cuts, layout, []), found)


def read_piece(schema: pa.Schema, piece: Piece, separators: Any = None) -> Batch:
    """Rows and rejects: records of the usual kind as columns, the others one by one.

    `separators` are those of a piece without quotes, where they are known.
    """
    rows, left = _usual(schema, piece, separators)
    more, rejects = one_by_one(piece, left)
    if more:
        rows = in_order_of_source(rows, pa.Table.from_pylist(more, schema=schema))
    return Batch(rows, rejects_table([*piece.rejects, *rejects]), piece.size)


def _usual(schema: pa.Schema, piece: Piece, separators: Any) -> tuple[pa.Table, list[int]]:
    """Rows that are read as columns, and the numbers of the records that are not, behind those that are done."""
    cut, done = piece.cut, len(piece.rejects)
    if piece.layout is None or done >= len(cut.is_open):
        return schema.empty_table(), []
    edges, is_open = cut.edges[done:], cut.is_open[done:]
    taken, columns = usual(piece.layout, piece.data, edges, is_open, separators)
    rest = np.ones(len(is_open), dtype=bool)
    rest[taken] = False
    left = (np.flatnonzero(rest) + done).tolist() if len(taken) < len(rest) else []
    if not len(taken):
        return schema.empty_table(), left
    spans = {
        "line": pa.array(chosen(cut.lines[done:-1], taken) + piece.line, pa.int64()),
        "start": pa.array(chosen(edges[:-1], taken) + piece.start, pa.int64()),
        "stop": pa.array(chosen(edges[1:], taken) + piece.start, pa.int64()),
    }
    return complete(spans | columns, len(taken), schema), left


def one_by_one(piece: Piece, numbers: Iterable[int]) -> tuple[list[Row], list[Reject]]:
    """The reference: rows and rejects of these records."""
    rows: list[Row] = []
    rejects: list[Reject] = []
    for number in numbers:
        record, span = _record(piece, number)
        is_open = piece.cut.is_open[number]
        found = _given_up(len(record)) if is_open or piece.layout is None else _values(piece.layout, record)
        if isinstance(found, tuple):
            rejects.append(Reject(*span, *found, head=record))
        else:
            rows.append(dict(zip(("line", "start", "stop"), span, strict=True)) | found)
    return rows, rejects


def _record(piece: Piece, number: int) -> tuple[bytes, tuple[int, int, int]]:
    """A record's bytes, and its line, start and stop in the file."""
    at, stop = int(piece.cut.edges[number]), int(piece.cut.edges[number + 1])
    return piece.data[at:stop], (piece.line + int(piece.cut.lines[number]), piece.start + at, piece.start + stop)


def _values(layout: Layout, record: bytes) -> Row | NoRow:
    """A row's values, or why there is none (kind and reason)."""
    fields = record_fields(record, layout.delimiter)
    if isinstance(fields, tuple):
        return fields
    if len(fields) != layout.width:
        return REJECT, "wrong-field-count"
    row = convert(layout.kind, {target: fields[place] for target, place in layout.places.items()})
    return (REJECT, row) if isinstance(row, str) else row


def record_fields(record: bytes, delimiter: str) -> list[str] | NoRow:
    """A record's fields, or why it has none (kind and reason)."""
    if record.startswith(b"#") or not record.strip(b" \t\r\n"):
        return SKIP, "comment" if record.startswith(b"#") else "blank"
    fields = _fields(record, delimiter)
    return (REJECT, fields) if isinstance(fields, str) else fields


def cut(data: bytes, *, last: bool, newlines: Any = None) -> Cut:
    """Where the records of `data` lie, as `_records` finds them: at once if nothing makes it count its quotes anew.

    `newlines` are the places behind them, where they are known.
    """
    buffer = np.frombuffer(data, dtype=np.uint8)
    if newlines is None:
        newlines = np.flatnonzero(buffer == 10) + 1
    ends = newlines
    if b'"' in data:
        ends = newlines[np.searchsorted(np.flatnonzero(buffer == 34), newlines) % 2 == 0]
    edges = np.concatenate(([0], ends))
    is_open = np.zeros(len(ends), dtype=bool)
    if last or not _is_regular(data, edges, len(newlines)):
        found = list(_records(data, last=last))
        edges = np.array([0, *(stop for _, stop, _ in found)])
        is_open = np.array([state for *_, state in found], dtype=bool)
    is_lines = len(edges) == len(newlines) + 1 and np.array_equal(edges[1:], newlines)
    return Cut(edges, np.arange(len(edges)) if is_lines else np.searchsorted(newlines, edges, side="right"), is_open)


def _is_regular(data: bytes, edges: Any, newlines: int) -> bool:
    """Whether no record is too long, and no comment goes on behind its line because of a quote."""
    at = int(edges[-1])
    sizes = np.diff(edges, append=len(data))
    if (sizes > LONGEST_LINE).any() or (data.startswith(b"#", at) and data.find(b"\n", at) >= 0):
        return False
    if newlines == len(edges) - 1:
        return True
    comments = np.flatnonzero(np.frombuffer(data, dtype=np.uint8)[edges[:-1]] == 35).tolist()
    return all(data.find(b"\n", int(edges[n]), int(edges[n + 1]) - 1) < 0 for n in comments)


def _given_up(size: int) -> tuple[str, str]:
    return REJECT, "too-long" if size > LONGEST_LINE else "open-quote"


def _fields(record: bytes, delimiter: str) -> list[str] | str:
    """A record's fields, or the reason why they cannot be told apart."""
    if b"\0" in record:
        return "binary"
    try:
        return next(csv.reader([record.decode().rstrip("\r\n")], delimiter=delimiter, strict=True))
    except UnicodeDecodeError:
        return "bad-encoding"
    except csv.Error:
        return "bad-quotes"


def _ends(data: bytes, at: int, stop: int) -> list[int]:
    """Positions after the newlines of `data[at:stop]` that stand outside quotes (an even number of quotes before)."""
    buffer = np.frombuffer(data, dtype=np.uint8)[at:stop]
    newlines = np.flatnonzero(buffer == 10)
    quotes = np.flatnonzero(buffer == 34)
    ends: list[int] = (newlines[np.searchsorted(quotes, newlines) % 2 == 0] + 1 + at).tolist()
    return ends


def _records(data: bytes, *, last: bool) -> Iterator[tuple[int, int, bool]]:
    """Each record's range, and whether it is a line given up because its end is not near.

    Quotes are counted anew behind such a line and behind a comment that holds an odd number of them. It looks a little
    ahead and further only if that shows no end, so that counting anew stays cheap however often it happens.
    """
    at, width = 0, LOOK_AHEAD
    while at < len(data):
        begin = at
        ends = _ends(data, at, at + width)
        if last and at + width >= len(data) and not data.endswith(b"\n") and data.count(b'"', at) % 2 == 0:
            ends.append(len(data))
        for stop in ends:
            if data.startswith(b"#", at) and data.find(b"\n", at, stop - 1) >= 0:
                break
            yield at, stop, False
            at = stop
        newline = data.find(b"\n", at) + 1
        if at > begin:
            width = LOOK_AHEAD
        elif data.startswith(b"#", at) and newline:
            yield at, newline, False
            at, width = newline, LOOK_AHEAD
        elif width < LONGEST_LINE and at + width < len(data):
            width *= 2
        elif not last and (not newline or len(data) - at <= LONGEST_LINE):
            return
        else:
            yield at, newline or len(data), True
            at, width = newline or len(data), LOOK_AHEAD


def header_of(head: Head, said: str = "") -> Header | None:
    """The first line that is neither blank nor a comment, cut as was `said`, or to the most fields."""
    line = next((line for line in head.lines() if not line.startswith(b"#")), b"").removeprefix(b"\xef\xbb\xbf")
    found = {name: _fields(line, delimiter) for name, delimiter in DELIMITERS.items() if said in ("", name)}
    cut = {name: [field.strip() for field in fields] for name, fields in found.items() if isinstance(fields, list)}
    delimiter = max(cut, key=lambda name: len(cut[name]), default="")
    if not delimiter or len(cut[delimiter]) < 2:
        return None
    return Header(tuple(cut[delimiter]), {} if delimiter == "comma" else {"delimiter": delimiter})


def _guess(head: Head) -> Guess | None:
    header = header_of(head)
    found = mapping_of(header.names) if header else None
    if header is None or found is None:
        return None
    kind, columns = found
    parameters = {"kind": kind, "columns": columns, **header.parameters}
    return Guess(CONFIDENCE, f"a table of {kind}, by the names of its columns", parameters)


def _read(source: Source, parameters: Mapping[str, Any]) -> Reading:
    refuse_parameters(PROCEDURE, parameters, {"kind", "columns", "delimiter"})
    delimiter = parameters.get("delimiter", "comma")
    if delimiter not in DELIMITERS:
        raise ReadingError(f"delimiter {delimiter!r}: write one of {', '.join(DELIMITERS)}")
    reader = DelimitedReader(*mapping_in(PROCEDURE, parameters), DELIMITERS[delimiter])
    return Reading(reader.schema, reader.read(chunks(source)), reader.notes)


FORMAT = Format(
    PROCEDURE, TITLE, _guess, _read, has_zone=False, unit="record", header=header_of,
    choices={"delimiter": tuple(DELIMITERS)},
)  # fmt: skip
