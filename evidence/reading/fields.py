"""Records of a table with a header as columns; what is not of the usual kind is left to `mapping.convert`.

Separators are found once for a whole chunk: delimiters and newlines outside quotes. A record
is taken if it has as many fields as the header, each without quotes or between two of them, in plain ASCII, and every
mapped field is of the usual kind. So what is taken has the values that the record-by-record code gives it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from evidence.reading import gather
from evidence.reading.digits import numbers, times
from evidence.reading.mapping import SCHEMAS, TEXTS
from evidence.table.schema import QUERY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evidence.reading.digits import Times
    from evidence.reading.gather import Bytes, Ints

    type Span = tuple[Ints, Ints]
    type Columns = dict[str, pa.Array]

LONGEST_RECORD = 1 << 16  # bytes; far below the field size at which Python's csv gives up
_QUOTE, _NEWLINE, _RETURN, _COMMENT = 34, 10, 13, 35
_AT_ONCE, _ROWS = 1 << 18, 1 << 10  # bytes, and rows of places, which a core's own cache holds
_NONE = np.array([], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Layout:
    """What a header and a mapping say: the kind of table, the number of fields, and the place of each mapped one."""

    kind: str
    delimiter: str
    width: int
    places: Mapping[str, int]


def separators(data: bytes, delimiter: str) -> Ints:
    """Where delimiters and newlines stand in `data`, which holds no quotes."""
    return np.flatnonzero(_outside(np.frombuffer(data, dtype=np.uint8), delimiter, _NONE))


def usual(layout: Layout, data: bytes, edges: Ints, is_open: Any, found: Ints | None = None) -> tuple[Ints, Columns]:
    """The numbers of the records that are taken, and their columns.

    Record `i` lies in `data[edges[i]:edges[i + 1]]`; `is_open` marks lines that were given up; `found` are the
    separators, where they are known.
    """
    read = _READ[layout.kind]
    buffer = gather.padded(data)
    is_usual = _is_usual(data, buffer, edges) & ~is_open
    quotes = _quotes(buffer[: edges[-1]], edges, ~is_usual) if b'"' in data else _NONE
    if found is None:
        found = np.flatnonzero(_outside(buffer[: edges[-1]], layout.delimiter, quotes))
    taken, starts, stops = _cut(layout.width, buffer, edges, is_usual, quotes, found)
    spans = {target: (starts[place], stops[place]) for target, place in layout.places.items()}
    if len(quotes):
        spans = {target: _unquoted(buffer, *span) for target, span in spans.items()}
    keep, columns = read(buffer, spans) if len(taken) else (taken, {})
    return chosen(taken, keep), columns


def chosen(values: Any, keep: Ints) -> Any:
    """`values[keep]` of rows that ascend, without a copy if these are all."""
    return values if len(keep) == len(values) else values[keep]


def _is_usual(data: bytes, buffer: Bytes, edges: Ints) -> Any:
    """Which records are whole lines of plain text and no comments."""
    starts, stops = edges[:-1], edges[1:]
    found = (stops - starts <= LONGEST_RECORD) & (buffer[stops - 1] == _NEWLINE) & (buffer[starts] != _COMMENT)
    odd = _odd(data, buffer[: edges[-1]])
    if len(odd):
        found[np.searchsorted(edges, odd, side="right") - 1] = False
    return found


def _odd(data: bytes, body: Bytes) -> Any:
    """Places of bytes that plain text does not hold: NUL, one beyond ASCII, a return that ends no line."""
    odd = _NONE
    if b"\0" in data or not data.isascii():
        odd = np.flatnonzero(body - np.uint8(1) >= 127)
    if b"\r" in data:
        places = np.flatnonzero(body == _RETURN)
        odd = np.append(odd, places[body[np.minimum(places + 1, len(body) - 1)] != _NEWLINE])
    return odd


def _cut(
    width: int, buffer: Bytes, edges: Ints, is_usual: Any, quotes: Ints, separators: Ints
) -> tuple[Ints, list[Ints], list[Ints]]:
    """The records whose fields are told apart, and where the first, second, … field of each begins and ends."""
    taken, ends = field_ends(width, buffer[: edges[-1]], separators, edges, is_usual)
    begins = [chosen(edges[:-1], taken), *(end + 1 for end in ends[:-1])]
    is_return = buffer[ends[-1] - 1] == _RETURN
    if is_return.any():
        ends[-1] = ends[-1] - is_return
    if not len(quotes):
        return taken, begins, ends
    return _well_quoted(buffer, quotes, edges, taken, (begins, ends))


def field_ends(width: int, body: Bytes, separators: Ints, edges: Ints, is_usual: Any) -> tuple[Ints, list[Ints]]:
    """The records of so many fields, and where the first, second, … field of each ends."""
    if is_usual.all() and len(separators) == width * len(is_usual):
        columns = _turned(separators.reshape(-1, width))
        if np.array_equal(columns[-1] + 1, edges[1:]):
            return np.arange(len(is_usual)), list(columns)
    first = _first_separators(body, separators, edges)
    taken = np.flatnonzero(is_usual & (np.diff(first) == width))
    begin = first[taken]
    return taken, [separators[begin + place] for place in range(width)]


def _turned(rows: Ints) -> Ints:
    """Rows as columns, some rows at a time: of all of them each column would be fetched from memory by itself."""
    columns = np.empty(rows.shape[::-1], dtype=rows.dtype)
    for at in range(0, len(rows), _ROWS):
        columns[:, at : at + _ROWS] = rows[at : at + _ROWS].T
    return columns


def _first_separators(body: Bytes, separators: Ints, edges: Ints) -> Any:
    """How many separators stand before each edge."""
    newlines = np.flatnonzero(body[separators] == _NEWLINE) + 1
    if np.array_equal(separators[newlines - 1] + 1, edges[1:]):
        return np.concatenate(([0], newlines))
    return np.searchsorted(separators, edges)


def _quotes(body: Bytes, edges: Ints, is_passed: Any) -> Any:
    """Places of all quotes but those of records that are passed over, whose number may be odd."""
    quotes = np.flatnonzero(body == _QUOTE)
    if not is_passed.any():
        return quotes
    return quotes[~is_passed[np.searchsorted(edges, quotes, side="right") - 1]]


def _outside(body: Bytes, delimiter: str, quotes: Ints) -> Any:
    """Where delimiters and newlines stand outside quotes."""
    found, is_newline = np.empty(len(body), dtype=bool), np.empty(_AT_ONCE, dtype=bool)
    for at in range(0, len(body), _AT_ONCE):
        part, marks = body[at : at + _AT_ONCE], found[at : at + _AT_ONCE]
        np.equal(part, ord(delimiter), out=marks)
        marks |= np.equal(part, _NEWLINE, out=is_newline[: len(part)])
    if len(quotes):
        changes = np.zeros(len(body), dtype=np.uint8)
        changes[quotes] = 1
        found &= np.bitwise_xor.accumulate(changes) == 0
    return found


def _well_quoted(
    buffer: Bytes, quotes: Ints, edges: Ints, taken: Ints, spans: tuple[list[Ints], list[Ints]]
) -> tuple[Ints, list[Ints], list[Ints]]:
    """Only records that hold no other quotes than the first and the last byte of fields."""
    wrapped = sum(_is_wrapped(buffer, *span).astype(np.int64) for span in zip(*spans, strict=True))
    counts = np.diff(np.searchsorted(quotes, edges))[taken]
    keep = np.flatnonzero(counts == 2 * wrapped)
    return taken[keep], [begin[keep] for begin in spans[0]], [end[keep] for end in spans[1]]


def _is_wrapped(buffer: Bytes, starts: Ints, stops: Ints) -> Any:
    return (stops - starts >= 2) & (buffer[starts] == _QUOTE) & (buffer[stops - 1] == _QUOTE)


def _unquoted(buffer: Bytes, starts: Ints, stops: Ints) -> Span:
    wrapped = _is_wrapped(buffer, starts, stops)
    if not wrapped.any():
        return starts, stops
    return starts + wrapped, stops - wrapped


def _chosen(spans: dict[str, Span], keep: Ints) -> dict[str, Span]:
    return {target: (chosen(starts, keep), chosen(stops, keep)) for target, (starts, stops) in spans.items()}


def time_columns(found: Times, keep: Ints) -> Columns:
    """`time`, `time_digits` and `time_zone`."""
    stated = np.where(found.has_zone, found.ahead, _NO_ZONE)
    return {
        "time": pa.array(chosen(found.micros, keep), pa.int64()).view(SCHEMAS["lookups"].field("time").type),
        "time_digits": _counts(found.digits, keep),
        "time_zone": _zones(stated, keep),
    }


def _counts(digits: Any, keep: Ints) -> pa.Array:
    if np.ndim(digits) == 0:
        return gather.constant(int(digits), len(keep), pa.int8())
    return pa.array(digits[keep], pa.int8())


_NO_ZONE = 1 << 20


def _zones(ahead: Any, keep: Ints) -> pa.Array:
    """Few files state more than one zone: each is written once. `ahead` is one number where all rows have the same."""
    if np.ndim(ahead) == 0:
        return gather.one_text(_zone(int(ahead)), len(keep))
    ahead = chosen(ahead, keep)
    if len(ahead) and (ahead == ahead[0]).all():
        return gather.one_text(_zone(int(ahead[0])), len(ahead))
    each, places = np.unique(ahead, return_inverse=True)
    return pa.array([_zone(int(zone)) for zone in each], pa.string()).take(pa.array(places))


def _zone(ahead: int) -> str | None:
    """As `stamps` write it, from the minutes that it is ahead."""
    if ahead == _NO_ZONE:
        return None
    return f"{'-' if ahead < 0 else '+'}{abs(ahead) // 60:02}:{abs(ahead) % 60:02}" if ahead else "UTC"


def _lookups(buffer: Bytes, spans: dict[str, Span]) -> tuple[Ints, Columns]:
    time, client = times(buffer, *spans["time"]), spans["client"]
    good = time.good & (client[1] > client[0]) & (buffer[client[0]] > 32) & (buffer[client[1] - 1] > 32)
    port = _ports(buffer, *spans["port"]) if "port" in spans else None
    if port:
        good &= port[0]
    keep = np.flatnonzero(good)
    named, columns = gather.names(buffer, *_chosen(spans, keep)["name"])
    keep = chosen(keep, named)
    spans = _chosen(spans, keep)
    columns |= time_columns(time, keep) | {
        "event": gather.one_text(QUERY, len(keep)),
        "client": gather.lowered(buffer, *spans["client"]),
        **{text: gather.few(buffer, *spans[text]) for text in TEXTS["lookups"] if text in spans},
    }
    if port:
        columns["port"] = pa.array(port[1][keep], pa.int32(), mask=port[2][keep])
    return keep, columns


def _ports(buffer: Bytes, starts: Ints, stops: Ints) -> tuple[Any, Ints, Any]:
    """Where a port or nothing stands, the port, and where there is none."""
    good, port = numbers(buffer, starts, stops)
    is_empty = stops == starts
    return is_empty | (good & (stops - starts <= 5) & (port <= 65535)), port, is_empty


def _sightings(buffer: Bytes, spans: dict[str, Span]) -> tuple[Ints, Columns]:
    time, last, count = times(buffer, *spans["time"]), spans.get("last"), spans.get("count")
    good = time.good.copy()
    seen, number = times(buffer, *last) if last else None, numbers(buffer, *count) if count else None
    if seen and last:
        good &= (seen.good & np.equal(seen.has_zone, time.has_zone)) | (last[1] == last[0])
    if number and count:
        good &= (number[0] & (number[1] >= 1)) | (count[1] == count[0])
    keep = np.flatnonzero(good)
    named, columns = gather.names(buffer, *_chosen(spans, keep)["name"])
    keep = chosen(keep, named)
    spans = _chosen(spans, keep)
    columns |= time_columns(time, keep)
    columns |= {text: gather.stated(buffer, *spans[text]) for text in TEXTS["sightings"] if text in spans}
    if seen and last:
        none = (last[1] == last[0])[keep]
        columns["last"] = pa.array(seen.micros[keep], pa.int64(), mask=none).view(columns["time"].type)
    if "data" in spans:
        columns["data"] = _lists(buffer, *spans["data"])
    counted = np.where(count[1] > count[0], number[1], 1)[keep] if number and count else np.ones(len(keep))
    return keep, columns | {"count": pa.array(counted.astype(np.int64))}


def _lists(buffer: Bytes, starts: Ints, stops: Ints) -> pa.Array:
    """A list of each text, null where it is empty."""
    filled = stops > starts
    offsets = pa.array(np.concatenate(([0], np.cumsum(filled))), pa.int32())
    texts = gather.strings(buffer, starts[filled], stops[filled])
    return pa.ListArray.from_arrays(offsets, texts, mask=pa.array(~filled))


_READ: dict[str, Callable[[Bytes, dict[str, Span]], tuple[Ints, Columns]]] = {
    "lookups": _lookups,
    "sightings": _sightings,
}
