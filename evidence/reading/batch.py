"""What a reader yields: rows and rejects as Arrow tables, each with its line and byte range; and the count of it all.

Conservation: bytes of rows, of rejects and of what was skipped by rule add up to the bytes of the source. Several rows
may stand in one record (a message with several questions); its bytes count once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from evidence.errors import ReadingError
from evidence.table.schema import EXCHANGE, QUERY, RESPONSE

if TYPE_CHECKING:
    from collections.abc import Iterable

REJECT, SKIP, CONTEXT = "reject", "skip", "context"
"""Kinds of what became no row: not understood; left out by rule; needed to read what comes after it (a header)."""
SPAN_FIELDS = [("line", pa.int64()), ("start", pa.int64()), ("stop", pa.int64())]
REJECTS = pa.schema([*SPAN_FIELDS, ("kind", pa.string()), ("reason", pa.string()), ("head", pa.binary())])
HEAD = 32
"""So many of a reject's first bytes are kept beside its range."""
HELD_BY_REJECT = 256
"""Bytes that one takes until it stands in a table, about."""


@dataclass(frozen=True, slots=True)
class Reject:
    """A line or record that became no row, why not, and its first bytes."""

    line: int
    start: int
    stop: int
    kind: str
    reason: str
    head: bytes = b""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows and rejects of consecutive `size` bytes, in the order of the source."""

    rows: pa.Table
    rejects: pa.Table
    size: int


def rejects_table(rejects: Iterable[Reject]) -> pa.Table:
    """In the order of the source."""
    items = sorted(rejects, key=lambda item: item.start)
    columns = {name: [getattr(item, name) for item in items] for name in REJECTS.names[:-1]}
    return pa.table({**columns, "head": [item.head[:HEAD] for item in items]}, schema=REJECTS)


@dataclass(slots=True)
class Conservation:
    """Adds up batches; owned by the procedure that reads."""

    bytes: int = 0
    lines: int = 0
    rows: int = 0
    row_bytes: int = 0
    rejects: int = 0
    reject_bytes: int = 0
    skipped: int = 0
    skipped_bytes: int = 0
    events: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    first: Any = None
    last: Any = None

    def add(self, batch: Batch) -> None:
        """Raises `ReadingError` if the batch lost or doubled a byte: that would be a fault of the reader."""
        is_reject = pc.equal(batch.rejects["kind"], REJECT)
        rejected, skipped = batch.rejects.filter(is_reject), batch.rejects.filter(pc.invert(is_reject))
        records = _records(batch.rows)
        sizes = [_bytes(table) for table in (records, rejected, skipped)]
        if sum(sizes) != batch.size:
            raise ReadingError(f"bytes {self.bytes} to {self.bytes + batch.size}: {sum(sizes)} bytes are accounted for")
        self.bytes += batch.size
        self.rows, self.row_bytes = self.rows + len(batch.rows), self.row_bytes + sizes[0]
        self.rejects, self.reject_bytes = self.rejects + len(rejected), self.reject_bytes + sizes[1]
        self.skipped, self.skipped_bytes = self.skipped + len(skipped), self.skipped_bytes + sizes[2]
        self.lines += len(records) + len(batch.rejects)
        _tally(self.reasons, batch.rejects["reason"])
        if "event" in batch.rows.column_names:
            _tally(self.events, batch.rows["event"])
        for name in ("time", "last"):
            if name in batch.rows.column_names:
                self._add_times(batch.rows[name])

    def _add_times(self, times: pa.ChunkedArray) -> None:
        """Of a sighting both when it was first and when it was last seen."""
        ends = pc.min_max(times).as_py()
        if ends["min"] is not None:
            self.first = ends["min"] if self.first is None else min(self.first, ends["min"])
            self.last = ends["max"] if self.last is None else max(self.last, ends["max"])

    def counts(self) -> dict[str, int]:
        """`lines` are lines or records; `queries` and `responses` both count a record that holds both."""
        names = ("bytes", "lines", "rows", "row_bytes", "rejects", "reject_bytes", "skipped", "skipped_bytes")
        both = self.events.get(EXCHANGE, 0)
        return {name: getattr(self, name) for name in names} | {
            "queries": self.events.get(QUERY, 0) + both, "responses": self.events.get(RESPONSE, 0) + both
        }  # fmt: skip


def _tally(counts: dict[str, int], values: pa.ChunkedArray) -> None:
    for item in pc.value_counts(values).to_pylist():
        counts[item["values"]] = counts.get(item["values"], 0) + item["counts"]


def _records(rows: pa.Table) -> pa.Table:
    """One row a record: rows of one record stand side by side."""
    spans = rows.select(["start", "stop"]).combine_chunks()
    if len(spans) < 2:
        return spans
    starts = spans["start"]
    new = pc.not_equal(starts.slice(1), starts.slice(0, len(spans) - 1))
    if pc.all(new).as_py():
        return spans
    mask = pa.concat_arrays([pa.array([True]), *(new.chunks if isinstance(new, pa.ChunkedArray) else [new])])
    return spans.filter(mask)


def _bytes(table: pa.Table) -> int:
    return int(pc.sum(pc.subtract(table["stop"], table["start"])).as_py() or 0)
