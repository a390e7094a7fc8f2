"""The only file that knows which engine runs an expression: DuckDB, through Ibis, in this process."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

BATCH = 50_000
_MEMORY = "512MB"


@contextmanager
def tables(spill: Path | None = None, /, **paths: Path) -> Iterator[dict[str, Any]]:
    """Parquet files as tables of one private engine, in memory.

    With `spill`, what is too much for its memory goes to files there, and only an order that is asked for is kept.
    """
    import ibis  # noqa: PLC0415 -- who only names analyses does not wait a third of a second for it

    held = {"memory_limit": _MEMORY, "temp_directory": str(spill), "preserve_insertion_order": False} if spill else {}
    connection = ibis.duckdb.connect(threads=2, **held)
    try:
        yield {name: connection.read_parquet(str(path), table_name=name) for name, path in paths.items()}
    finally:
        connection.disconnect()


def batches(expression: Any) -> Iterator[pa.RecordBatch]:
    """The rows of an expression as the engine hands them over; no more than a batch of them is held here."""
    backend = expression.get_backend()
    yield from backend.con.sql(backend.compile(expression)).to_arrow_reader(BATCH)


def versions() -> dict[str, str]:
    """The engine and what it stands on."""
    names = ("duckdb", "ibis-framework", "pyarrow", "numpy")
    return {"engine": "duckdb", **{name: version(name) for name in names}}
