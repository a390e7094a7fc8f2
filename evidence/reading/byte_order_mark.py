"""The byte order mark that some programs put before UTF-8 (RFC 3629 §6): no part of the text, but bytes of its file.

`chunks` begins behind it, so that no reader of text sees it; here its bytes become those of what was read first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from evidence.reading.batch import HEAD, Batch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evidence.reading.source import Source

MARK = b"\xef\xbb\xbf"


def with_mark(batches: Iterator[Batch], source: Source) -> Iterator[Batch]:
    """The batches; if the text began behind a mark, the first record begins with it."""
    is_first = True
    for batch in batches:
        yield _with_mark(batch, source.begin, is_first=is_first) if source.begin else batch
        is_first = False


def _with_mark(batch: Batch, begin: int, *, is_first: bool) -> Batch:
    """A record may need the first one (`earlier`) that stands in a batch before it."""
    rows, rejects = batch.rows, batch.rejects
    if "earlier" in rows.column_names and rows["earlier"].null_count < len(rows):
        rows = _but(rows, "earlier", _earlier(rows["earlier"], begin))
    if not is_first:
        return Batch(rows, rejects, batch.size)
    rows, rejects = _from_zero(rows, begin), _from_zero(rejects, begin)
    marked = pc.binary_slice(pc.binary_join_element_wise(MARK, rejects["head"], b""), 0, HEAD)
    rejects = _but(rejects, "head", pc.if_else(pc.equal(rejects["start"], 0), marked, rejects["head"]))
    return Batch(rows, rejects, batch.size + begin)


def _from_zero(table: pa.Table, begin: int) -> pa.Table:
    starts = table["start"]
    return _but(table, "start", pc.if_else(pc.equal(starts, begin), 0, starts))


def _earlier(lists: pa.ChunkedArray, begin: int) -> pa.Array:
    """The spans of earlier records, of which the first may be one."""
    spans = [
        found and [span | {"start": 0 if span["start"] == begin else span["start"]} for span in found]
        for found in lists.to_pylist()
    ]
    return pa.array(spans, lists.type)


def _but(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    place = table.schema.get_field_index(name)
    return table.set_column(place, table.schema.field(place), column)
