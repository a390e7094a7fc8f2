"""Row groups of a Parquet file, each encoded by itself: constant columns by `chunks`, all others by PyArrow.

The same rows give the same bytes, since every option is fixed. A text column may come as Arrow strings or as an Arrow
dictionary of strings; what stands in the file's schema are strings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evidence.table.chunks import Leaf, cut_out, of_value, without_value
from evidence.table.compact import I64, LIST, STRUCT, Listing, decode, encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evidence.table.chunks import ColumnChunk
    from evidence.table.compact import Struct

MAGIC = b"PAR1"
_TAIL = 8  # bytes behind the footer: its size, and the magic again
_LOW_CARDINALITY = (
    "time_digits", "time_zone", "event", "client", "server", "name", "name_as_written", "type", "class", "flags",
    "transport", "rcode", "view", "vantage", "place", "observer", "kind", "reason",
)  # fmt: skip
_ASCENDING = ("line", "start", "stop", "time", "last")
"""Columns stored as differences; least and greatest values of these alone are kept, since they tell parts of a table
apart, which those of names, addresses and words seldom do."""
_DICTIONARY = 1 << 18  # bytes; more values than these are so many that they are better stored as they are
_WRITTEN_AT_ONCE = 1 << 16  # rows
_SAMPLE, _SELDOM = 1 << 12, 7 / 8
"""Of so many first rows of a text column more than that share differ: then no dictionary is tried."""


class Encoder:
    """Row groups and the footer of files of one schema; it keeps nothing, so threads may share it."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        empty = _written(schema, None)
        self._footer = _footer(empty)
        stored = pq.ParquetFile(pa.BufferReader(empty)).schema
        self._leaves: dict[str, list[Leaf]] = {field.name: [] for field in schema}
        for column in map(stored.column, range(len(stored))):
            path = tuple(column.path.split("."))
            leaf = Leaf(column.physical_type, path, column.max_definition_level, column.max_repetition_level)
            self._leaves[path[0]].append(leaf)

    def encode(self, table: pa.Table) -> list[ColumnChunk]:
        """The column chunks of a table that has rows, in the order of the schema."""
        columns = {field.name: _whole(table[field.name], field.type) for field in self._schema}
        found = {name: self._constant(name, column) for name, column in columns.items()}
        others = [field for field in self._schema if found[field.name] is None]
        encoded = iter(_encoded(others, columns) if others else ())
        return [
            chunk
            for name, chunks in found.items()
            for chunk in (chunks if chunks is not None else [next(encoded) for _ in self._leaves[name]])
        ]

    def footer(self, groups: Sequence[bytes], rows: int) -> bytes:
        """The `FileMetaData` of a file of these row groups, without its size."""
        return encode(self._footer | {3: (I64, rows), 4: (LIST, Listing(STRUCT, groups))})

    def _constant(self, name: str, column: pa.Array) -> list[ColumnChunk] | None:
        leaves, rows = self._leaves[name], len(column)
        if name in _ASCENDING:
            return None
        if column.null_count == rows:
            return [without_value(leaf, rows) for leaf in leaves]
        value = _only_value(column)
        return None if value is None else [of_value(leaves[0], rows, value)]


def row_group(chunks: Sequence[ColumnChunk], rows: int, place: int) -> bytes:
    """The `RowGroup` of chunks that follow each other from `place` of a file on."""
    columns, at = [], place
    for chunk in chunks:
        columns.append(chunk.at(at))
        at += len(chunk.data)
    return encode({
        1: (LIST, Listing(STRUCT, columns)), 2: (I64, sum(chunk.size for chunk in chunks)), 3: (I64, rows),
        5: (I64, place), 6: (I64, at - place),
    })  # fmt: skip


def _whole(column: pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
    """In one piece, and of its type or a dictionary of it."""
    array = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    if array.type == kind or (pa.types.is_dictionary(array.type) and array.type.value_type == kind):
        return array
    return array.cast(kind)


def _only_value(column: pa.Array) -> Any:
    """What all rows hold, or None. Told of texts and of numbers of at most 32 bits."""
    if column.null_count or column[0] != column[len(column) // 2]:
        return None
    if column.type in (pa.int8(), pa.int32()):
        is_one = bool((values := column.to_numpy()).min() == values.max())
    elif column.type == pa.string():
        is_one = _repeats(column)
    else:
        is_one = pa.types.is_dictionary(column.type) and bool((codes := column.indices.to_numpy()).min() == codes.max())
    return column[0].as_py() if is_one else None


def _repeats(texts: pa.Array) -> bool:
    _, ends, characters = texts.buffers()
    offsets = np.frombuffer(ends, dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]
    size = offsets[1] - offsets[0]
    if not (np.diff(offsets) == size).all():
        return False
    if not size:
        return True
    body = np.frombuffer(characters, dtype=np.uint8)[offsets[0] : offsets[-1]]
    return bool((body[size:] == body[:-size]).all())


def _encoded(fields: Sequence[pa.Field], columns: dict[str, pa.Array]) -> list[ColumnChunk]:
    arrays = [columns[field.name] for field in fields]
    schema = pa.schema([field.with_type(array.type) for field, array in zip(fields, arrays, strict=True)])
    data = _written(schema, pa.table(arrays, schema=schema))
    group = _footer(data)[4][1].items[0]
    return [cut_out(data, column[3][1]) for column in group[1][1].items]


def _written(schema: pa.Schema, table: pa.Table | None) -> bytes:
    """A file of one row group, or of none."""
    ascending = [name for name in schema.names if name in _ASCENDING]
    repeated = [
        name for name in schema.names if name in _LOW_CARDINALITY and (not table or _repeats_itself(table[name]))
    ]
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink, schema, compression="zstd", compression_level=1, version="2.6", data_page_version="1.0",
        use_dictionary=repeated,
        column_encoding=dict.fromkeys(ascending, "DELTA_BINARY_PACKED"), write_statistics=ascending,
        dictionary_pagesize_limit=_DICTIONARY, write_batch_size=_WRITTEN_AT_ONCE,
    ) as writer:  # fmt: skip
        if table is not None:
            writer.write_table(table, row_group_size=len(table))
    data: bytes = sink.getvalue().to_pybytes()
    return data


def _repeats_itself(column: pa.ChunkedArray) -> bool:
    """Whether a dictionary may make it smaller, by its first rows; for the writer to try costs more than to look."""
    if pa.types.is_dictionary(column.type):
        return True
    sample = column.slice(0, _SAMPLE)
    return bool(len(sample) < _SAMPLE or pc.count_distinct(sample).as_py() < _SAMPLE * _SELDOM)


def _footer(data: bytes) -> Struct:
    size = int.from_bytes(data[-_TAIL:-4], "little")
    return decode(data[-_TAIL - size : -_TAIL])
