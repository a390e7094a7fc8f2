"""Tables whose columns hold one value, none or many are read by others as they were written, and written alike again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.reading.batch import REJECTS
from evidence.table import parquet
from evidence.table.parquet import TableWriter
from evidence.table.schema import LOOKUPS, SIGHTINGS

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = st.sampled_from(["", "A", "query", "198.51.100.53", "\u00e9", "x" * 300])
ANSWER = {"name": "a.example", "type": "A", "ttl": 300, "data": "192.0.2.1"}
VALUES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.string(): TEXTS, pa.int8(): st.sampled_from([-128, 0, 9, 127]), pa.int32(): st.sampled_from([-1, 53, 65535]),
    pa.int64(): st.sampled_from([0, 1 << 40]), pa.timestamp("us", "UTC"): st.sampled_from([0, 1_471_262_400_000_000]),
    pa.binary(): st.sampled_from([b"", b"\0\xff"]), pa.list_(pa.string()): st.lists(TEXTS, max_size=2),
    LOOKUPS.field("answers").type: st.sampled_from([[], [ANSWER], [ANSWER | {"ttl": None}] * 2]),
    LOOKUPS.field("earlier").type: st.sampled_from([[], [{"start": 3, "stop": 9}]]),
}  # fmt: skip


@st.composite
def tables(draw: st.DrawFn, schema: pa.Schema) -> pa.Table:
    rows = draw(st.sampled_from([1, 2, 40]))
    return pa.table([draw(columns(field, rows)) for field in schema], schema=schema)


@st.composite
def columns(draw: st.DrawFn, field: pa.Field, rows: int) -> pa.Array:
    """Of one value, of none, or of several."""
    values = VALUES[field.type]
    few = st.sampled_from([draw(values), *([None] if field.nullable else []), draw(values)])
    found = draw(st.one_of(values.map(lambda one: [one] * rows), st.lists(few, min_size=rows, max_size=rows)))
    return pa.array(draw(st.sampled_from([found, [None] * rows if field.nullable else found])), field.type)


def write(path: Path, schema: pa.Schema, parts: list[pa.Table]) -> bytes:
    with TableWriter(path, schema, {"custos.unit": "line"}) as writer:
        for part in parts:
            writer.write(part)
    return path.read_bytes()


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from([LOOKUPS, SIGHTINGS, REJECTS]))
def test_what_is_written_is_read_by_others(
    tmp_path_factory: pytest.TempPathFactory, data: Any, schema: pa.Schema
) -> None:
    parts = data.draw(st.lists(tables(schema), max_size=3))
    path = tmp_path_factory.mktemp("table") / "table.parquet"
    written = write(path, schema, parts)
    wanted = pa.concat_tables([schema.empty_table(), *parts])
    found = pq.read_table(path)
    found.validate(full=True)
    assert found.schema.remove_metadata() == schema
    assert found.replace_schema_metadata() == wanted
    assert pq.read_metadata(path).num_row_groups == len(parts)
    assert duckdb.from_parquet(str(path)).to_arrow_table() == duckdb.from_arrow(wanted).to_arrow_table()
    assert write(path.with_name("again"), schema, parts) == written


def test_dictionaries_of_text_are_stored_as_the_texts_that_they_are(tmp_path: Path) -> None:
    schema = pa.schema([("line", pa.int64()), ("type", pa.string()), ("class", pa.string())])
    plain = {"line": [1, 2, 3], "type": ["A", None, "MX"], "class": ["IN"] * 3}
    encoded = {name: pa.array(plain[name]).dictionary_encode() for name in ("type", "class")}
    with TableWriter(tmp_path / "table", schema, {}) as writer:
        writer.write(pa.table(plain, schema=schema))
        writer.write(pa.table(plain | encoded))
    assert pq.read_table(tmp_path / "table").equals(pa.concat_tables([pa.table(plain, schema=schema)] * 2))


TOLD = pa.array(["a", "b"])


@pytest.mark.parametrize(
    ("told", "places", "wanted"),
    [
        (TOLD, [1, 0, None, 1], ["b", "a", None, "b"]),
        (pa.array(["a", "a", "b"]), [2, 1, 0, 2], ["b", "a", "a", "b"]),
        (pa.array(["a", None, "b"]), [2, 1, 0, 2], ["b", None, "a", "b"]),
        (TOLD.cast(pa.large_string()), [1, 0, None, 1], ["b", "a", None, "b"]),
        (pa.array(["a"] * 300), range(300), ["a"] * 300),
    ],
)
def test_a_dictionary_is_stored_whatever_words_it_tells_twice(
    tmp_path: Path, told: pa.Array, places: list[int | None], wanted: list[str | None]
) -> None:
    schema = pa.schema([("type", pa.string())])
    given_as = pa.DictionaryArray.from_arrays(pa.array(places, pa.int16()), told)
    with TableWriter(tmp_path / "table", schema, {}) as writer:
        writer.write(pa.table({"type": given_as}))
        writer.write(
            pa.table(
                {"type": pa.chunked_array([given_as, pa.array(["c", "a"]).dictionary_encode().cast(given_as.type)])}
            )
        )
    assert pq.read_table(tmp_path / "table")["type"].to_pylist() == [*wanted, *wanted, "c", "a"]


def test_row_groups_of_several_batches_have_the_words_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_FEW", 1)
    schema = pa.schema([("type", pa.string()), ("class", pa.string())])
    parts = [pa.table({"type": [f"TYPE{n}", "A"], "class": ["IN", None]}, schema=schema) for n in range(9)]
    write(tmp_path / "table", schema, parts)
    assert pq.read_metadata(tmp_path / "table").num_row_groups == 2
    assert pq.read_table(tmp_path / "table").replace_schema_metadata() == pa.concat_tables(parts)


def test_a_table_says_what_it_was_told_beside_its_columns(tmp_path: Path) -> None:
    write(tmp_path / "table", LOOKUPS, [])
    assert parquet.metadata(tmp_path / "table") == {"custos.unit": "line"}
    assert pq.read_schema(tmp_path / "table").remove_metadata() == LOOKUPS


def test_a_long_table_has_few_row_groups_since_what_tells_of_them_is_held_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "_HELD", 16 << 10)
    schema = pa.schema([("line", pa.int64())])
    parts = [pa.table({"line": range(n << 7, (n + 1) << 7)}, schema=schema) for n in range(4600)]  # 1 KiB each
    written = write(tmp_path / "long", schema, parts)
    found = pq.ParquetFile(tmp_path / "long")
    sizes = [found.metadata.row_group(n).num_rows >> 7 for n in range(found.num_row_groups)]
    assert sizes == [1] * 128 + [16] * 128 + [32] * 75 + [24]
    assert found.read()["line"].equals(pa.chunked_array([pa.array(range(4600 << 7))]))
    assert write(tmp_path / "again", schema, parts) == written


@pytest.mark.parametrize(("each", "is_told"), [(2, True), (1, False)])
def test_a_column_of_texts_that_differ_is_stored_without_a_dictionary(
    tmp_path: Path, each: int, *, is_told: bool
) -> None:
    schema = pa.schema([("line", pa.int64()), ("name", pa.string())])
    names = [f"host{number // each}.example" for number in range(1000)]
    table = pa.table({"line": range(1000), "name": names}, schema=schema)
    write(tmp_path / "table", schema, [table, table.slice(0, 1)])
    group = pq.read_metadata(tmp_path / "table").row_group(0)
    assert group.column(1).has_dictionary_page == is_told
    assert pq.read_table(tmp_path / "table")["name"].to_pylist() == [*names, names[0]]
