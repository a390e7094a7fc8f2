"""Tables with a header (RFC 4180, also cut by tabs or semicolons) and a column mapping: lookups, or sightings.

Records end at newlines outside quotes. Lines that begin with `#` and blank ones are skipped by rule; records with
another number of fields than the header are rejects. A quote that no other closes within `LONGEST_LINE` costs its own
line only: reading starts anew behind it, so one stray quote neither swallows a file nor fills the memory.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from evidence.errors import ReadingError
from evidence.formats.batch import CONTEXT, REJECT, SKIP, Batch, Reject, rejects_table
from evidence.formats.lines import LONGEST_LINE, chunks
from evidence.formats.mapping import SCHEMAS, check_mapping, convert, mapping_in, mapping_of
from evidence.formats.reading import Format, Guess, Header, Reading, refuse_parameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from evidence.formats.lines import Chunk
    from evidence.formats.reading import Head, NoRow, Row
    from evidence.formats.source import Source

PROCEDURE, TITLE = "parse.delimited@2", "CSV, TSV or semicolons, with a header"
DELIMITERS = {"comma": ",", "tab": "\t", "semicolon": ";"}
"""What stands between fields, by the name that parameters state; a comma where they state none."""
LOOK_AHEAD = 1 << 12
CONFIDENCE = 0.9  # a header is a strong sign, and a log whose every line is understood a stronger one


class DelimitedReader:
    """Reads chunks in order: the header is the first record that is not skipped; quotes may span chunks."""

    def __init__(self, kind: str, columns: Mapping[str, str], delimiter: str = ",") -> None:
        check_mapping(kind, columns)
        self._kind, self._columns, self._delimiter = kind, dict(columns), delimiter
        self._header: list[str] | None = None
        self._places: dict[str, int] = {}
        self._rest, self._rest_start, self._rest_line = b"", 0, 1

    @property
    def schema(self) -> pa.Schema:
        return SCHEMAS[self._kind]

    def read(self, chunks: Iterable[Chunk]) -> Iterator[Batch]:
        for chunk in chunks:
            if chunk.too_long:
                yield from self._take(b"", last=True)
                reject = Reject(chunk.line, chunk.start, chunk.start + chunk.size, REJECT, "too-long")
                yield Batch(self.schema.empty_table(), rejects_table([reject]), chunk.size)
                self._rest_start, self._rest_line = chunk.start + chunk.size, chunk.line + 1
            else:
                yield from self._take(chunk.data, last=False)
        yield from self._take(b"", last=True)

    def _take(self, more: bytes, *, last: bool) -> Iterator[Batch]:
        """The records that are whole by now; what is left waits for the next chunk."""
        data, start, line = self._rest + more, self._rest_start, self._rest_line
        rows: list[Row] = []
        rejects: list[Reject] = []
        stop = 0
        for at, stop, is_open in _records(data, last=last):
            span = {"line": line, "start": start + at, "stop": start + stop}
            found = _given_up(stop - at) if is_open else self._values(data[at:stop])
            if isinstance(found, tuple):
                kind, reason = found
                rejects.append(Reject(**span, kind=kind, reason=reason, head=data[at:stop]))
            else:
                rows.append(span | found)
            line += data.count(b"\n", at, stop)
        self._rest, self._rest_start, self._rest_line = data[stop:], start + stop, line
        if stop:
            yield Batch(pa.Table.from_pylist(rows, schema=self.schema), rejects_table(rejects), stop)

    def _values(self, record: bytes) -> Row | NoRow:
        """A row's values, or why there is none (kind and reason); the header is taken on the way."""
        if record.startswith(b"#") or not record.strip(b" \t\r\n"):
            return SKIP, "comment" if record.startswith(b"#") else "blank"
        fields = _fields(record, self._delimiter)
        if isinstance(fields, str):
            return REJECT, fields
        if self._header is None:
            return self._take_header(fields)
        if len(fields) != len(self._header):
            return REJECT, "wrong-field-count"
        row = convert(self._kind, {target: fields[place] for target, place in self._places.items()})
        return (REJECT, row) if isinstance(row, str) else row

    def _take_header(self, fields: list[str]) -> tuple[str, str]:
        self._header = [name.strip().removeprefix("\ufeff") for name in fields]
        absent = [name for name in self._columns.values() if name not in self._header]
        if absent:
            raise ReadingError(f"the header has no column {absent}; it has {self._header}")
        self._places = {target: self._header.index(column) for target, column in self._columns.items()}
        return CONTEXT, "header"


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


def header_of(head: Head) -> Header | None:
    """The first line that is neither blank nor a comment, cut by the delimiter that makes the most fields of it."""
    line = next((line for line in head.lines() if not line.startswith(b"#")), b"").removeprefix(b"\xef\xbb\xbf")
    found = {name: _fields(line, delimiter) for name, delimiter in DELIMITERS.items()}
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
    return Reading(reader.schema, reader.read(chunks(source)))


FORMAT = Format(PROCEDURE, TITLE, _guess, _read, has_zone=False, unit="record", header=header_of)
