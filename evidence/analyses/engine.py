"""The only file that knows which engine runs an expression: DuckDB, through Ibis, in this process."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import ibis

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def tables(**paths: Path) -> Iterator[dict[str, Any]]:
    """Parquet files as tables of one private, in-memory engine."""
    connection = ibis.duckdb.connect(threads=2)
    try:
        yield {name: connection.read_parquet(str(path), table_name=name) for name, path in paths.items()}
    finally:
        connection.disconnect()


def versions() -> dict[str, str]:
    """The engine and what it stands on."""
    names = ("duckdb", "ibis-framework", "pyarrow", "numpy")
    return {"engine": "duckdb", **{name: version(name) for name in names}}
