"""Some rows of a table, wherever its row groups are cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from evidence.table import parquet

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = pa.schema([("n", pa.int64()), ("kind", pa.string())])


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.parquet"
    with parquet.TableWriter(path, SCHEMA, {}) as writer:
        for start, stop in ((0, 5), (5, 6), (6, 30)):
            rows = [{"n": n, "kind": "odd" if n % 2 else "even"} for n in range(start, stop)]
            writer.write(pa.Table.from_pylist(rows, schema=SCHEMA))
    return path


@pytest.mark.parametrize("at_once", [1, 4, 4096])
@pytest.mark.parametrize(("offset", "limit"), [(0, 3), (4, 4), (5, 1), (6, 99), (29, 2), (30, 1), (99, 9), (3, 0)])
def test_any_page_of_all_or_of_some(table: Path, monkeypatch, at_once: int, offset: int, limit: int) -> None:
    monkeypatch.setattr(parquet, "_AT_ONCE", at_once)
    found = [row["n"] for row in parquet.rows_between(table, offset, limit)]
    assert found == list(range(30))[offset : offset + limit]
    odd = [row["n"] for row in parquet.rows_between(table, offset, limit, {"kind": "odd"})]
    assert odd == list(range(1, 30, 2))[offset : offset + limit]
