"""Parquet with the same bytes for the same rows: every writer option is fixed, and so is where row groups end.

Columns of words go to the writer as dictionaries, which it need not make anew row by row; tables are read back with the
types of their schema, in which words are texts.

What tells of a row group stays in memory until the file is closed, some 22 KiB, and leaves holes in the heap. So the
first row groups of a file hold a batch each, and later ones several.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LOW_CARDINALITY = (
    "time_digits", "time_zone", "event", "client", "server", "name", "name_as_written", "type", "class", "flags",
    "transport", "rcode", "view", "vantage", "place", "observer", "kind", "reason",
)  # fmt: skip
_ASCENDING = ("line", "start", "stop", "time", "last")
"""Columns stored as differences; least and greatest values of these alone are kept, since they tell parts of a table
apart, which those of names, addresses and words seldom do."""
_WORDS = (
    "time_zone", "event", "type", "class", "flags", "transport", "rcode", "view", "vantage", "place", "observer",
    "kind", "reason",
)  # fmt: skip
"""Columns in which few texts differ."""
_WORD = pa.dictionary(pa.int32(), pa.string())
_OFTEN = 2  # times that a value stands on average
_DICTIONARY = 1 << 18  # bytes; more values than these are so many that they are better stored as they are
_WRITTEN_AT_ONCE = 1 << 16  # rows
_AT_ONCE = 4096
_FEW = 128
"""Row groups of a batch each; after as many again of `_HELD` bytes they take twice that."""
_HELD = 16 << 20


class TableWriter:
    """Writes tables of one schema after each other into one file."""

    def __init__(self, path: Path, schema: pa.Schema, metadata: Mapping[str, str]) -> None:
        self._path, self._metadata = path, dict(metadata)
        self._stored = pa.schema([field.with_type(_WORD) if field.name in _WORDS else field for field in schema])
        self._writer: pq.ParquetWriter | None = None
        self._groups = 0
        self._held: list[pa.Table] = []

    def write(self, table: pa.Table) -> None:
        """Rows that come after those before; they are in the file once it is closed."""
        if not len(table):
            return
        columns = [_stored(table[field.name], field.type) for field in self._stored]
        self._held.append(pa.table(columns, schema=self._stored))
        if sum(part.nbytes for part in self._held) >= _HELD * min(self._groups // _FEW, 2):
            self._write_held()

    def _write_held(self) -> None:
        if self._held:
            rows = pa.concat_tables(self._held).unify_dictionaries()
            self._held = []
            self._writer = self._writer or self._opened(rows)
            self._writer.write_table(rows, row_group_size=len(rows))
            self._groups += 1

    def _opened(self, first: pa.Table) -> pq.ParquetWriter:
        """The file, with a dictionary of each column that had few values in its first rows."""
        ascending = [name for name in first.schema.names if name in _ASCENDING]
        writer = pq.ParquetWriter(
            self._path, self._stored, compression="zstd", compression_level=1, version="2.6", data_page_version="1.0",
            use_dictionary=[name for name in first.schema.names if name in _LOW_CARDINALITY and _are_few(first[name])],
            column_encoding=dict.fromkeys(ascending, "DELTA_BINARY_PACKED"), write_statistics=ascending,
            dictionary_pagesize_limit=_DICTIONARY, write_batch_size=_WRITTEN_AT_ONCE, store_schema=False,
        )  # fmt: skip
        writer.add_key_value_metadata(self._metadata)
        return writer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._write_held()
        writer = self._writer or self._opened(self._stored.empty_table())
        writer.close()


def _stored(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """A column as it is written."""
    if kind != _WORD:
        return column.cast(kind)
    if column.null_count == len(column):
        return pa.chunked_array([pa.nulls(len(column), _WORD)])
    if pa.types.is_dictionary(column.type) and all(map(_is_told_once, column.chunks)):
        return column.cast(_WORD)
    return column.cast(pa.string()).dictionary_encode()


def _are_few(column: pa.ChunkedArray) -> bool:
    """Whether a dictionary pays: where most values differ it takes longer, and the file is longer too."""
    return pa.types.is_dictionary(column.type) or int(pc.count_distinct(column).as_py()) * _OFTEN <= len(column)


def _is_told_once(words: pa.DictionaryArray) -> bool:
    """Whether each word stands once in the dictionary: of two that are the same the writer would count one."""
    each = words.dictionary
    return not each.null_count and len(each.unique()) == len(each)


def metadata(path: Path) -> dict[str, str]:
    """What the writer said of the table."""
    stored = pq.read_schema(path).metadata or {}
    return {key.decode(): value.decode() for key, value in stored.items()}


def row_count(path: Path) -> int:
    return int(pq.read_metadata(path).num_rows)


def rows_between(path: Path, offset: int, limit: int, where: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Up to `limit` rows from `offset` on, of those with the values of `where`; a few thousand are held at once."""
    taken: list[dict[str, Any]] = []
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            if not where and offset >= size:
                offset -= size
                continue
            for batch in file.iter_batches(_AT_ONCE, row_groups=[group]):
                if len(taken) == limit:
                    return taken
                found = _with(batch, where or {})
                taken += found.slice(min(offset, len(found)), limit - len(taken)).to_pylist()
                offset = max(0, offset - len(found))
    return taken


def _with(batch: pa.RecordBatch, values: Mapping[str, str]) -> pa.RecordBatch:
    for name, value in values.items():
        batch = batch.filter(pc.equal(batch[name], value))
    return batch
