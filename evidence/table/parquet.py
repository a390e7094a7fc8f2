"""Parquet with the same bytes for the same rows, one row group a batch; and some of its rows again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evidence.table.row_groups import MAGIC, Encoder, row_group

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_AT_ONCE = 4096


class TableWriter:
    """Writes tables of one schema after each other into one file, each as a row group."""

    def __init__(self, path: Path, schema: pa.Schema, metadata: Mapping[str, str]) -> None:
        self._encoder = Encoder(schema.with_metadata(dict(metadata)))
        self._groups: list[bytes] = []
        self._rows = 0
        self._file = path.open("wb")
        self._file.write(MAGIC)

    def write(self, table: pa.Table) -> None:
        if not len(table):
            return
        chunks = self._encoder.encode(table)
        self._groups.append(row_group(chunks, len(table), self._file.tell()))
        self._file.writelines(chunk.data for chunk in chunks)
        self._rows += len(table)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        """The footer is written unless an error leads out: then the file is none."""
        with self._file as file:
            if error is None:
                footer = self._encoder.footer(self._groups, self._rows)
                file.write(footer + len(footer).to_bytes(4, "little") + MAGIC)


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
