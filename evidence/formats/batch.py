"""What a reader yields: rows and rejects as Arrow tables, each with its line and byte range; and the count of it all.

Conservation: bytes of rows, of rejects and of what was skipped by rule add up to the bytes of the source.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from evidence.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Iterable

REJECT, SKIP = "reject", "skip"
SPAN_FIELDS = [("line", pa.int64()), ("start", pa.int64()), ("stop", pa.int64())]
REJECTS = pa.schema([*SPAN_FIELDS, ("kind", pa.string()), ("reason", pa.string())])


@dataclass(frozen=True, slots=True)
class Reject:
    """A line that became no row: `kind` says whether by rule (a comment) or because it was not understood."""

    line: int
    start: int
    stop: int
    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows and rejects of consecutive `size` bytes, in the order of the source."""

    rows: pa.Table
    rejects: pa.Table
    size: int


def rejects_table(rejects: Iterable[Reject]) -> pa.Table:
    """In the order of the source."""
    items = sorted(rejects, key=lambda item: item.start)
    names = ("line", "start", "stop", "kind", "reason")
    return pa.table({name: [getattr(item, name) for item in items] for name in names}, schema=REJECTS)


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
    reasons: dict[str, int] = field(default_factory=dict)
    first: Any = None
    last: Any = None

    def add(self, batch: Batch) -> None:
        """Raises `ReadingError` if the batch lost or doubled a byte: that would be a fault of the reader."""
        kinds = batch.rejects["kind"]
        skipped = batch.rejects.filter(pc.equal(kinds, SKIP))
        rejected = batch.rejects.filter(pc.equal(kinds, REJECT))
        sizes = [_bytes(table) for table in (batch.rows, rejected, skipped)]
        if sum(sizes) != batch.size:
            raise ReadingError(f"bytes {self.bytes} to {self.bytes + batch.size}: {sum(sizes)} bytes are accounted for")
        self.bytes += batch.size
        self.rows, self.row_bytes = self.rows + len(batch.rows), self.row_bytes + sizes[0]
        self.rejects, self.reject_bytes = self.rejects + len(rejected), self.reject_bytes + sizes[1]
        self.skipped, self.skipped_bytes = self.skipped + len(skipped), self.skipped_bytes + sizes[2]
        self.lines = self.rows + self.rejects + self.skipped
        for item in pc.value_counts(batch.rejects["reason"]).to_pylist():
            self.reasons[item["values"]] = self.reasons.get(item["values"], 0) + item["counts"]
        if len(batch.rows):
            ends = pc.min_max(batch.rows["time"]).as_py()
            self.first = ends["min"] if self.first is None else min(self.first, ends["min"])
            self.last = ends["max"] if self.last is None else max(self.last, ends["max"])

    def counts(self) -> dict[str, int]:
        names = (
            "bytes", "lines", "rows", "row_bytes", "rejects", "reject_bytes", "skipped", "skipped_bytes"
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}


def _bytes(table: pa.Table) -> int:
    return int(pc.sum(pc.subtract(table["stop"], table["start"])).as_py() or 0)
