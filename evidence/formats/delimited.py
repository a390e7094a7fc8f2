"""CSV with a header (RFC 4180) and a column mapping: lookups, or a third party's sightings.

Records end at newlines outside quotes. Lines that begin with `#` and blank ones are skipped by rule; records with
another number of fields than the header are rejects, before anything is parsed.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from evidence.errors import ReadingError
from evidence.formats.batch import REJECT, SKIP, Batch, Reject, rejects_table
from evidence.table.schema import LOOKUPS, SIGHTINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from evidence.formats.lines import Chunk

SCHEMAS = {"lookups": LOOKUPS, "sightings": SIGHTINGS}
NEEDED = {"lookups": ("time", "client", "name"), "sightings": ("time", "name")}
SYNONYMS = {
    "time": ("time", "timestamp", "ts", "datetime", "date", "seen_at", "first_seen", "time_first"),
    "client": ("client", "client_ip", "src", "src_ip", "source", "querier", "resolver", "id.orig_h"),
    "port": ("port", "client_port", "src_port", "id.orig_p"),
    "name": ("name", "qname", "query", "rrname", "domain", "question"),
    "type": ("type", "qtype", "rrtype", "qtype_name"),
    "class": ("class", "qclass"),
    "view": ("view",),
    "place": ("place", "country", "region", "location"),
    "count": ("count", "lookups", "hits"),
    "observer": ("observer", "sensor", "vantage", "source_name"),
}


def mapping_of(header: list[str]) -> tuple[str, dict[str, str]] | None:
    """Kind and columns that a header's own words mean, or None."""
    known = {name.strip().lower(): name for name in header}
    columns = {
        target: next(known[word] for word in words if word in known)
        for target, words in SYNONYMS.items()
        if any(word in known for word in words)
    }
    kind = "lookups" if "client" in columns else "sightings"
    if not all(name in columns for name in NEEDED[kind]):
        return None
    return kind, {name: column for name, column in columns.items() if name in SCHEMAS[kind].names}


class DelimitedReader:
    """Reads chunks in order: the header is the first record that is not skipped; quotes may span chunks."""

    def __init__(self, kind: str, columns: Mapping[str, str]) -> None:
        if kind not in SCHEMAS:
            raise ReadingError(f"kind {kind!r}: write lookups or sightings")
        missing = [name for name in NEEDED[kind] if name not in columns]
        unknown = [name for name in columns if name not in SCHEMAS[kind].names]
        if missing or unknown:
            raise ReadingError(f"columns for {kind}: missing {missing}, unknown {unknown}; map each to a header's name")
        self._kind, self._columns = kind, dict(columns)
        self._header: list[str] | None = None
        self._rest, self._rest_start, self._rest_line = b"", 0, 1

    @property
    def schema(self) -> pa.Schema:
        return SCHEMAS[self._kind]

    def read(self, chunks: Iterable[Chunk]) -> Iterator[Batch]:
        for chunk in chunks:
            if chunk.too_long:
                if self._rest:
                    yield self._batch(self._rest, self._rest_start, self._rest_line)
                    self._rest = b""
                reject = Reject(chunk.line, chunk.start, chunk.start + chunk.size, REJECT, "too-long")
                yield Batch(self.schema.empty_table(), rejects_table([reject]), chunk.size)
                continue
            start = self._rest_start if self._rest else chunk.start
            line = self._rest_line if self._rest else chunk.line
            data, self._rest = self._rest + chunk.data, b""
            whole = _whole_records(data)
            self._rest, self._rest_start = data[whole:], start + whole
            self._rest_line = line + data.count(b"\n", 0, whole)
            if whole:
                yield self._batch(data[:whole], start, line)
        if self._rest:
            yield self._batch(self._rest, self._rest_start, self._rest_line)

    def _batch(self, data: bytes, start: int, line: int) -> Batch:
        rejects: list[Reject] = []
        good: list[tuple[int, int, int]] = []
        for at, stop, number in _records(data, line):
            reason = self._refusal(data[at:stop])
            if reason:
                rejects.append(Reject(number, start + at, start + stop, *reason))
            else:
                good.append((at, stop, number))
        rows = self._rows(data, start, good, rejects) if good else self.schema.empty_table()
        return Batch(rows, rejects_table(rejects), len(data))

    def _refusal(self, record: bytes) -> tuple[str, str] | None:
        """Why a record is no row, or None; the header is taken on the way."""
        if record.startswith(b"#") or not record.strip(b" \t\r\n"):
            return SKIP, "comment" if record.startswith(b"#") else "blank"
        if b"\0" in record:
            return REJECT, "binary"
        try:
            fields = next(csv.reader([record.decode().rstrip("\r\n")], strict=True))
        except UnicodeDecodeError:
            return REJECT, "bad-encoding"
        except csv.Error:
            return REJECT, "bad-quotes"
        if self._header is None:
            self._header = [name.strip().removeprefix("\ufeff") for name in fields]
            absent = [name for name in self._columns.values() if name not in self._header]
            if absent:
                raise ReadingError(f"the header has no column {absent}; it has {self._header}")
            return SKIP, "header"
        return None if len(fields) == len(self._header) else (REJECT, "wrong-field-count")

    def _rows(self, data: bytes, start: int, good: list[tuple[int, int, int]], rejects: list[Reject]) -> pa.Table:
        header = self._header or []
        text = b"".join(data[at:stop].rstrip(b"\r\n") + b"\n" for at, stop, _ in good)
        table = pacsv.read_csv(
            io.BytesIO(text),
            read_options=pacsv.ReadOptions(column_names=[str(n) for n in range(len(header))], use_threads=False),
            parse_options=pacsv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            convert_options=pacsv.ConvertOptions(
                column_types={str(n): pa.string() for n in range(len(header))}, strings_can_be_null=False
            ),
        )
        if len(table) != len(good):
            raise ReadingError(f"{len(good)} records were read as {len(table)} rows, from byte {start} on")
        places = {target: str(header.index(column)) for target, column in self._columns.items()}
        values = {target: table[place].to_pylist() for target, place in places.items()}
        rows = []
        for n, (at, stop, line) in enumerate(good):
            row = convert(self._kind, {target: column[n] for target, column in values.items()})
            if isinstance(row, str):
                rejects.append(Reject(line, start + at, start + stop, REJECT, row))
            else:
                rows.append({"line": line, "start": start + at, "stop": start + stop, **row})
        return pa.Table.from_pylist(rows, schema=self.schema)


def convert(kind: str, values: Mapping[str, str]) -> dict[str, Any] | str:
    """A row's values, or the reason why there is none."""
    time = parse_time(values["time"])
    if time is None:
        return "bad-time"
    name = values["name"].strip().lower()
    if not name:
        return "no-name"
    row: dict[str, Any] = {"time": time, "name": name[:-1] if len(name) > 1 and name.endswith(".") else name}
    texts = ("type", "class", "view") if kind == "lookups" else ("type", "place", "observer")
    row |= {column: values.get(column) or None for column in texts}
    if kind == "sightings":
        count = values.get("count") or "1"
        if not count.isdecimal() or not 1 <= int(count) < 1 << 62:
            return "bad-count"
        return row | {"count": int(count)}
    port = values.get("port") or ""
    if port and not (port.isdecimal() and int(port) <= 65535):
        return "bad-port"
    client = values["client"].strip().lower()
    return row | {"client": client, "port": int(port) if port else None} if client else "no-client"


def parse_time(text: str) -> dt.datetime | None:
    """ISO 8601, in UTC where no zone is given, or seconds since 1970; never a guess."""
    try:
        if text.replace(".", "", 1).isdecimal() and len(text) >= 9 and "-" not in text:
            return dt.datetime.fromtimestamp(float(text), dt.UTC)
        time = dt.datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError, OSError):
        return None
    return time.replace(tzinfo=dt.UTC) if time.tzinfo is None else time.astimezone(dt.UTC)


def _ends(data: bytes) -> Any:
    """Positions after the newlines that stand outside quotes (an even number of quotes before them)."""
    buffer = np.frombuffer(data, dtype=np.uint8)
    newlines = np.flatnonzero(buffer == 10)
    quotes = np.flatnonzero(buffer == 34)
    return newlines[np.searchsorted(quotes, newlines) % 2 == 0] + 1


def _whole_records(data: bytes) -> int:
    ends = _ends(data)
    return int(ends[-1]) if len(ends) else 0


def _records(data: bytes, line: int) -> Iterator[tuple[int, int, int]]:
    ends = _ends(data).tolist()
    if not ends or ends[-1] != len(data):
        ends.append(len(data))
    for at, stop in pairwise([0, *ends]):
        yield at, stop, line
        line += data.count(b"\n", at, stop)
