"""CSV with a header (RFC 4180) and a column mapping: lookups, or a third party's sightings.

Records end at newlines outside quotes. Lines that begin with `#` and blank ones are skipped by rule; records with
another number of fields than the header are rejects. A quote that no other closes within `LONGEST_LINE` costs its own
line only: reading starts anew behind it, so one stray quote neither swallows a file nor fills the memory.
"""

from __future__ import annotations

import csv
import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from evidence.errors import ReadingError
from evidence.formats.batch import CONTEXT, REJECT, SKIP, Batch, Reject, rejects_table
from evidence.formats.lines import LONGEST_LINE, chunks
from evidence.formats.names import name_columns
from evidence.formats.reading import Format, Guess, Reading, refuse_parameters
from evidence.table.schema import LOOKUPS, QUERY, SIGHTINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from evidence.formats.lines import Chunk
    from evidence.formats.reading import Head, NoRow, Row
    from evidence.formats.source import Source

PROCEDURE, TITLE = "parse.delimited@2", "CSV with a header"
SCHEMAS = {"lookups": LOOKUPS, "sightings": SIGHTINGS}
LOOK_AHEAD = 1 << 12
NEEDED = {"lookups": ("time", "client", "name"), "sightings": ("time", "name")}
TEXTS = {
    "lookups": ("server", "type", "class", "flags", "transport", "rcode", "view", "vantage"),
    "sightings": ("type", "place", "observer"),
}
"""Columns that are taken as they are written."""
MAPPED = {
    "lookups": {"time", "client", "port", "name", *TEXTS["lookups"]},
    "sightings": {"time", "last", "name", "data", "count", *TEXTS["sightings"]},
}
CONFIDENCE = 0.9  # a header is a strong sign, and a log whose every line is understood a stronger one
SYNONYMS = {
    "time": ("time", "timestamp", "ts", "datetime", "date", "seen_at", "first_seen", "time_first"),
    "client": ("client", "client_ip", "src", "src_ip", "source", "querier", "resolver", "id.orig_h"),
    "port": ("port", "client_port", "src_port", "id.orig_p"),
    "name": ("name", "qname", "query", "rrname", "domain", "question"),
    "type": ("type", "qtype", "rrtype", "qtype_name"),
    "class": ("class", "qclass"),
    "view": ("view",),
    "server": ("server", "server_ip", "dst", "dst_ip", "id.resp_h"),
    "rcode": ("rcode", "rcode_name", "response_code"),
    "transport": ("transport", "proto", "protocol"),
    "last": ("last", "last_seen", "time_last"),
    "data": ("data", "rdata", "answer"),
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
    return kind, {name: column for name, column in columns.items() if name in MAPPED[kind]}


class DelimitedReader:
    """Reads chunks in order: the header is the first record that is not skipped; quotes may span chunks."""

    def __init__(self, kind: str, columns: Mapping[str, str]) -> None:
        if kind not in SCHEMAS:
            raise ReadingError(f"kind {kind!r}: write lookups or sightings")
        missing = [name for name in NEEDED[kind] if name not in columns]
        unknown = [name for name in columns if name not in MAPPED[kind]]
        if missing or unknown:
            raise ReadingError(f"columns for {kind}: missing {missing}, unknown {unknown}; map each to a header's name")
        self._kind, self._columns = kind, dict(columns)
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
        fields = _fields(record)
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


def _fields(record: bytes) -> list[str] | str:
    """A record's fields, or the reason why they cannot be told apart."""
    if b"\0" in record:
        return "binary"
    try:
        return next(csv.reader([record.decode().rstrip("\r\n")], strict=True))
    except UnicodeDecodeError:
        return "bad-encoding"
    except csv.Error:
        return "bad-quotes"


def convert(kind: str, values: Mapping[str, str]) -> Row | str:
    """A row's values, or the reason why there is none."""
    times = parse_time(values["time"])
    if times is None:
        return "bad-time"
    named = name_columns(values["name"].strip()) if values["name"].strip() else None
    if named is None:
        return "bad-name" if values["name"].strip() else "no-name"
    row: Row = {**times, **named, **{column: values.get(column) or None for column in TEXTS[kind]}}
    return row | more if isinstance(more := _MORE[kind](values), dict) else more


def _lookup(values: Mapping[str, str]) -> Row | str:
    port = values.get("port") or ""
    if port and not (_is_number(port, 5) and int(port) <= 65535):
        return "bad-port"
    client = values["client"].strip().lower()
    return {"event": QUERY, "client": client, "port": int(port) if port else None} if client else "no-client"


def _sighting(values: Mapping[str, str]) -> Row | str:
    count = values.get("count") or "1"
    if not _is_number(count, 18) or int(count) < 1:
        return "bad-count"
    last = parse_time(values["last"]) if values.get("last") else None
    if values.get("last") and last is None:
        return "bad-time"
    data = values.get("data")
    return {"count": int(count), "last": last["time"] if last else None, "data": [data] if data else None}


_MORE = {"lookups": _lookup, "sightings": _sighting}


def _is_number(text: str, digits: int) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= digits


def parse_time(text: str) -> Row | None:
    """ISO 8601, or seconds since 1970: the time, its digits and the zone that it states; None for anything else."""
    text = text.strip()
    try:
        if _is_number(text.replace(".", "", 1), 30) and len(text) >= 9:
            return _since_1970(text)
        time = dt.datetime.fromisoformat(text)
        zone = None if time.tzinfo is None else f"{time:%:z}"
        utc = time.replace(tzinfo=dt.UTC) if time.tzinfo is None else time.astimezone(dt.UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return {"time": utc, "time_digits": _digits(text), "time_zone": "UTC" if zone == "+00:00" else zone}


def _since_1970(text: str) -> Row:
    """Exact to the microsecond, which a float is not; further digits are cut off."""
    seconds, _, fraction = text.partition(".")
    whole = dt.timedelta(seconds=int(seconds or "0"), microseconds=int(fraction[:6].ljust(6, "0")))
    return {
        "time": dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + whole, "time_digits": min(len(fraction), 9),
        "time_zone": "UTC",
    }  # fmt: skip


def _digits(text: str) -> int:
    """How many digits of a second ISO 8601 states."""
    fraction = text.replace(",", ".").partition(".")[2]
    return min(len(fraction) - len(fraction.lstrip("0123456789")), 9)


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


def _guess(head: Head) -> Guess | None:
    header = next((line for line in head.lines() if not line.startswith(b"#")), b"")
    try:
        fields = next(csv.reader([header.decode().removeprefix("\ufeff").rstrip("\r\n")], strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        return None
    found = mapping_of([field.strip() for field in fields]) if len(fields) > 1 else None
    if found is None:
        return None
    kind, columns = found
    return Guess(CONFIDENCE, f"CSV of {kind} by its header", {"kind": kind, "columns": columns})


def _read(source: Source, parameters: Mapping[str, Any]) -> Reading:
    refuse_parameters(PROCEDURE, parameters, {"kind", "columns"})
    if not isinstance(parameters.get("columns"), dict):
        raise ReadingError(f"{PROCEDURE} takes kind (lookups or sightings) and columns (ours to the header's)")
    reader = DelimitedReader(str(parameters.get("kind", "lookups")), parameters["columns"])
    return Reading(reader.schema, reader.read(chunks(source)))


FORMAT = Format(PROCEDURE, TITLE, _guess, _read, has_zone=False, unit="record")
