"""The engine hands over rows in order and in batches, as many as there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from evidence.analyses import engine
from evidence.analyses.result import write_sources

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 3 * engine.BATCH + 7


def test_byte_ranges_are_written_a_batch_at_a_time_in_the_order_of_the_source(tmp_path: Path) -> None:
    numbers = list(range(ROWS))
    table = pa.table({"line": numbers, "start": [n * 10 for n in numbers], "stop": [n * 10 + 9 for n in numbers]})
    pq.write_table(table.take(pa.array(reversed(numbers))), tmp_path / "table.parquet")
    sizes: list[int] = []
    with engine.tables(rows=tmp_path / "table.parquet") as opened:
        ordered = opened["rows"].select("line", "start", "stop").order_by("start")
        passing = (sizes.append(batch.num_rows) or batch for batch in engine.batches(ordered))
        count, _ = write_sources(tmp_path / "sources.ndjson", "sha256:00", passing)
    assert (count, sum(sizes)) == (ROWS, ROWS)
    assert max(sizes) <= engine.BATCH
    lines = (tmp_path / "sources.ndjson").read_text().splitlines()
    assert lines == [f'{{"blob":"sha256:00","line":{n},"start":{n * 10},"stop":{n * 10 + 9}}}' for n in numbers]
