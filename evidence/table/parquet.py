"""Parquet with the same bytes for the same rows: every writer option is fixed, one row group a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LOW_CARDINALITY = (
    "time_digits", "time_zone", "event", "client", "server", "name", "name_as_written", "type", "class", "flags",
    "transport", "rcode", "view", "vantage", "place", "observer", "kind", "reason",
)  # fmt: skip


class TableWriter:
    """Writes tables of one schema after each other into one file."""

    def __init__(self, path: Path, schema: pa.Schema, metadata: Mapping[str, str]) -> None:
        self._schema = schema.with_metadata(dict(metadata))
        self._writer = pq.ParquetWriter(
            path, self._schema, compression="zstd", compression_level=1, version="2.6", data_page_version="1.0",
            use_dictionary=[name for name in schema.names if name in _LOW_CARDINALITY], write_statistics=True,
        )  # fmt: skip

    def write(self, table: pa.Table) -> None:
        if len(table):
            self._writer.write_table(table.cast(self._schema), row_group_size=len(table))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()


def metadata(path: Path) -> dict[str, str]:
    """What the writer said of the table."""
    stored = pq.read_schema(path).metadata or {}
    return {key.decode(): value.decode() for key, value in stored.items()}


def row_count(path: Path) -> int:
    return int(pq.read_metadata(path).num_rows)
