r"""Zeek's `dns.log`, as its ASCII writer makes it: a header, then a record a line, of a query and its response.

    #separator \x09
    #fields	ts	uid	id.orig_h	id.orig_p	…

A record needs its header, whose lines are kept as `context`; without `rcode` it tells of a query alone. Headers may
come again (files put one behind another). Types are taken by number: `qtype_name` has words of its own. Source: Zeek
2.6 to 8.1, whose records state their opcode (`base/protocols/dns/main.zeek`, `src/threading/formatters/Ascii.cc`). The
JSON form is a format of its own (`zeek_json.py`).
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from evidence.formats import zeek_columns
from evidence.formats.zeek_record import row_of
from evidence.reading.amounts import found_in
from evidence.reading.batch import CONTEXT, REJECT, SKIP, Batch, Reject, rejects_table
from evidence.reading.format import Format, Guess, Reading, in_order, refuse_parameters, too_long
from evidence.reading.lines import LONGEST_LINE, Chunk, chunks, line_ends
from evidence.reading.stamps import is_number, unix_time
from evidence.table.schema import LOOKUPS, in_order_of_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from evidence.reading.format import Head, NoRow, Row
    from evidence.reading.source import Source

PROCEDURE, TITLE = "parse.zeek@1", "a Zeek dns.log"
_FEW = 64
_HEX = re.compile(rb"\\x([0-9a-fA-F]{2})")
_NUMBERS = frozenset({"id.orig_p", "id.resp_p", "opcode", "qclass", "qtype", "rcode"})
_FLAGS = frozenset({"AA", "TC", "RD", "RA"})


@dataclass(frozen=True, slots=True)
class Layout:
    """What the header said so far."""

    separator: bytes = b"\t"
    set_separator: bytes = b","
    empty: bytes = b"(empty)"
    unset: bytes = b"-"
    path: bytes = b"dns"
    fields: tuple[str, ...] = ()

    def after(self, line: bytes) -> Layout:
        """The layout behind one more line of a header; a new `#separator` begins anew."""
        name, _, value = line.rstrip(b"\r\n").partition(b" " if line.startswith(b"#separator") else self.separator)
        if name == b"#separator":
            return Layout(separator=_plain(value) or b"\t")
        if name == b"#fields":
            return dataclasses.replace(
                self, fields=tuple(value.decode("latin-1").split(self.separator.decode("latin-1")))
            )
        known = {
            b"#set_separator": "set_separator",
            b"#empty_field": "empty",
            b"#unset_field": "unset",
            b"#path": "path",
        }
        more: dict[str, Any] = {known[name]: value} if name in known and value else {}
        return dataclasses.replace(self, **more)


def _plain(written: bytes) -> bytes:
    return _HEX.sub(lambda found: bytes([int(found[1], 16)]), written)


def read_record(layout: Layout, text: bytes) -> Row | NoRow:
    """The reference: one line under the header that holds for it."""
    if len(text) > LONGEST_LINE:
        return REJECT, "too-long"
    if not text.strip(b" \t\r\n"):
        return SKIP, "blank"
    if not zeek_columns.NEEDED.issubset(layout.fields):
        return (SKIP, "other-log") if layout.fields and layout.path != b"dns" else (REJECT, "no-header")
    if layout.path != b"dns":
        return SKIP, "other-log"
    parts = text.rstrip(b"\r\n").split(layout.separator)
    if len(parts) != len(layout.fields):
        return REJECT, "wrong-field-count"
    values = {
        name: part
        for name, part in zip(layout.fields, parts, strict=True)
        if name in zeek_columns.USED and part != layout.unset
    }
    return _row(layout, values)


def _row(layout: Layout, values: dict[str, bytes]) -> Row | NoRow:
    try:
        texts = {name: value.decode() for name, value in values.items()}
    except UnicodeDecodeError:
        return REJECT, "bad-encoding"
    if any(not is_number(texts[name], 5) for name in _NUMBERS & set(texts)):
        return REJECT, "bad-number"
    if any(texts[name] not in ("T", "F") for name in _FLAGS & set(texts)):
        return REJECT, "bad-flag"
    seconds, _, fraction = texts.pop("ts", "").partition(".")
    times = unix_time(seconds, fraction) if is_number(seconds, 12) and is_number(fraction or "0", 9) else None
    if times is None:
        return REJECT, "bad-time"
    answers, ttls = (_members(layout, texts.pop(name, None)) for name in ("answers", "TTLs"))
    if texts.get("query") == layout.empty.decode("latin-1"):
        texts["query"] = ""
    numbers = {name: int(texts.pop(name)) for name in sorted(_NUMBERS & set(texts))}
    flags = {name: texts.pop(name) == "T" for name in sorted(_FLAGS & set(texts))}
    return row_of(times, texts | numbers | flags, answers, ttls)


def _members(layout: Layout, written: str | None) -> list[str]:
    """The members of a vector."""
    if written is None or written == layout.empty.decode("latin-1"):
        return []
    return written.split(layout.set_separator.decode("latin-1"))


def pieces(parts: Iterable[Chunk]) -> Iterator[tuple[Layout | None, Chunk]]:
    """Runs of records with their layout, and runs of header lines (None), in the order of the source."""
    layout = Layout()
    for part in parts:
        if part.too_long:
            yield layout, part
            continue
        at, seen, ends = 0, 0, line_ends(part.data) if part.ends is None else part.ends
        while at < part.size:
            is_header = part.data.startswith(b"#", at)
            stop = _end_of_run(part.data, at, is_header=is_header)
            first, seen = seen, int(np.searchsorted(ends, stop, side="right"))
            run = Chunk(part.data[at:stop], part.start + at, part.line + first, stop - at, ends=ends[first:seen] - at)
            if is_header:
                for _, _, _, text in run.lines():
                    layout = layout.after(text)
            yield (None if is_header else layout), run
            at = stop


def _end_of_run(data: bytes, at: int, *, is_header: bool) -> int:
    """Behind the last line that begins with `#` as the first does, or as it does not."""
    if not is_header:
        return _next_header(data, at)
    while at < len(data) and data.startswith(b"#", at):
        at = data.find(b"\n", at) + 1 or len(data)
    return at


def _next_header(data: bytes, at: int) -> int:
    """Where the next line of a header begins; a `#` is looked for, which is found far sooner than two bytes are."""
    for _ in range(_FEW):
        at = data.find(b"#", at + 1)
        if at < 0:
            return len(data)
        if data.startswith(b"\n", at - 1):
            return at
    return data.find(b"\n#", at) + 1 or len(data)


def read_piece(piece: tuple[Layout | None, Chunk]) -> Batch:
    """Rows and rejects of one run."""
    layout, run = piece
    if run.too_long:
        return too_long(run, LOOKUPS)
    if layout is None or layout != Layout(fields=layout.fields) or not zeek_columns.usual(layout.fields):
        return read_lines(layout, run)
    rows, others, starts, stops = zeek_columns.read(layout.fields, run)
    more, rejects = _read(layout, _chosen(run, others.tolist(), starts, stops))
    return Batch(in_order_of_source(rows, more), rejects, run.size)


def _chosen(run: Chunk, numbers: list[int], starts: Any, stops: Any) -> Iterator[tuple[int, int, int, bytes]]:
    """Some lines of a run, as `Chunk.lines` gives them."""
    for number in numbers:
        begin, end = int(starts[number]), int(stops[number])
        yield run.line + number, run.start + begin, run.start + end, run.data[begin:end]


def read_lines(layout: Layout | None, run: Chunk) -> Batch:
    """The reference: line by line; header lines have no layout."""
    return Batch(*_read(layout, run.lines()), run.size)


def _read(layout: Layout | None, lines: Iterable[tuple[int, int, int, bytes]]) -> tuple[pa.Table, pa.Table]:
    rows: list[Row] = []
    rejects: list[Reject] = []
    for number, start, stop, text in lines:
        found = (CONTEXT, "header") if layout is None else read_record(layout, text)
        if isinstance(found, dict):
            rows.append({"line": number, "start": start, "stop": stop, **found})
        else:
            rejects.append(Reject(number, start, stop, *found, head=text))
    return pa.Table.from_pylist(rows, schema=LOOKUPS), rejects_table(rejects)


def _guess(head: Head) -> Guess | None:
    lines = head.lines()
    if not lines or not lines[0].startswith((b"#separator", b"#fields", b"#path")):
        return None
    layout, found = Layout(), []
    for line in lines:
        if line.startswith(b"#"):
            layout = layout.after(line)
        else:
            found.append(isinstance(read_record(layout, line), dict))
    if layout.path != b"dns" or not zeek_columns.NEEDED.issubset(layout.fields):
        return None
    confidence = sum(found) / len(found) if found else 0.9
    return Guess(confidence, f"{TITLE}: {found_in(sum(found), 'lookup', len(found), 'record')}")


def _open(source: Source, parameters: Mapping[str, object]) -> Reading:
    refuse_parameters(PROCEDURE, parameters, set())
    return Reading(LOOKUPS, in_order(pieces(chunks(source)), read_piece))


FORMAT = Format(PROCEDURE, TITLE, _guess, _open)
