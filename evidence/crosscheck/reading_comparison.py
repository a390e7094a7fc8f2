"""Two readings of one file, row by row: what only one of them read, and in what they differ where both did.

A record is the same if it stands on the same bytes. Its rows are paired in the order of what they say, names first;
what differs is counted a column. Findings are records, so that each is one byte range of the file that both read.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from evidence.analyses import engine
from evidence.analyses.result import ResultWriter
from evidence.errors import AnalysisError
from evidence.output import Output, written
from evidence.table.parquet import metadata, row_count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

    from evidence.digest import Digest

ID = "reading_comparison@1"
FIRST, SECOND = "first", "second"
RECORD = ("start", "stop")
TITLES = {
    "only-first": "Records that only the first reading has rows of",
    "only-second": "Records that only the second reading has rows of",
    "different": "Records of which both readings have rows, and these say something else",
}
_PLACE, _WAY_BACK = "place", ("line", *RECORD)
_ORDER = ("name", "type", "event", "client")
"""By these, then by the other columns, the rows of one record are paired."""
_LONGEST = 80
ASSUMPTIONS = ("What stands on the same bytes is the same record.",)
LIMITS = ("It shows in what two readings differ, not which of them is right: that is seen in the bytes.",)


def run(paths: dict[str, Path], digests: dict[str, Digest], parameters: dict[str, Any], folder: Path) -> list[Output]:
    """Raises `AnalysisError` for parameters, and for tables that are not of one file and one schema."""
    about = {role: metadata(path) for role, path in paths.items()}
    _refuse_others(about, parameters)
    blob = about[FIRST]["custos.source"]
    writer = ResultWriter(ID, parameters, list(digests.items()), folder)
    with engine.tables(folder / "spilled", first=paths[FIRST], second=paths[SECOND]) as opened:
        columns = [name for name in opened[FIRST].columns if name not in _WAY_BACK]
        first, second = (_numbered(opened[role], columns) for role in (FIRST, SECOND))
        pairs = first.inner_join(second, [*RECORD, _PLACE], rname="{name}_2")
        records = {
            "only-first": first.anti_join(second, RECORD), "only-second": second.anti_join(first, RECORD),
            "different": _different(first, second, pairs, columns),
        }  # fmt: skip
        number = {
            name: writer.finding(name, TITLES[name], blob, _spans(each), unit="lines or records")
            for name, each in records.items()
        }
        table = _table(pairs, columns)
    size = {role: row_count(path) for role, path in paths.items()}
    return writer.close(
        title="In what two readings of one file differ", answer=_answer(about, size, number, table["rows"]),
        table=table, assumptions=ASSUMPTIONS, limits=LIMITS,
    )  # fmt: skip


def _refuse_others(about: Mapping[str, Mapping[str, str]], parameters: dict[str, Any]) -> None:
    if parameters:
        raise AnalysisError(f"parameters {parameters}: none are wanted")
    for key in ("custos.source", "custos.schema"):
        first, second = (about[role].get(key) for role in (FIRST, SECOND))
        if first != second:
            raise AnalysisError(f"the tables differ in {key}, {first} and {second}; name two readings of one file")


def _spans(records: Any) -> Iterator[pa.RecordBatch]:
    return engine.batches(records.select(*_WAY_BACK).distinct().order_by("start"))


def _numbered(table: Any, columns: list[str]) -> Any:
    """With the place of each row among those of its record: 0 where each record has one row, as nearly always."""
    import ibis  # noqa: PLC0415 -- as in the engine

    if table.count().to_pyarrow() == table["start"].nunique().to_pyarrow():
        return table.mutate(**{_PLACE: ibis.literal(0, "int64")})
    order = [name for name in _ORDER if name in columns] + [name for name in columns if name not in _ORDER]
    by = [table[name] if table[name].type().is_primitive() else table[name].cast("string") for name in order]
    return table.mutate(**{_PLACE: ibis.row_number().over(group_by=list(RECORD), order_by=by)})


def _differs(pairs: Any, column: str) -> Any:
    return ~pairs[column].identical_to(pairs[f"{column}_2"])


def _different(first: Any, second: Any, pairs: Any, columns: list[str]) -> Any:
    """Records with a pair of rows that differ, and those of which one reading has more rows."""
    differ = pairs.filter(reduce(or_, (_differs(pairs, column) for column in columns)))
    parts = [differ.select(*_WAY_BACK)]
    for one, other in ((first, second), (second, first)):
        more = one.anti_join(other, [*RECORD, _PLACE]).semi_join(other, RECORD)
        parts.append(more.select(*_WAY_BACK))
    return parts[0].union(*parts[1:])


def _table(pairs: Any, columns: list[str]) -> dict[str, Any]:
    """How many rows differ in a column, with the first that does."""
    counts = pairs.agg(**{column: _differs(pairs, column).sum() for column in columns}).to_pyarrow().to_pylist()[0]
    rows = []
    for column in sorted(columns, key=lambda name: (-(counts[name] or 0), name)):
        if counts[column]:
            other = f"{column}_2"
            example = pairs.filter(_differs(pairs, column)).order_by("start", _PLACE).select("line", column, other)
            shown = example.limit(1).to_pyarrow().to_pylist()[0]
            rows.append([column, counts[column], shown["line"], _said(shown[column]), _said(shown[other])])
    return {
        "columns": ["column", "rows that differ", "line of the first", "first reading", "second reading"],
        "rows": rows,
    }


def _said(value: Any) -> str:
    if value is None:
        return "(nothing)"
    return written(value) if hasattr(value, "isoformat") else str(value)[:_LONGEST]


def _answer(
    about: Mapping[str, Mapping[str, str]], size: Mapping[str, int], number: Mapping[str, int], rows: list[list[Any]]
) -> str:  # fmt: skip
    read = [f"{size[role]:,} rows by {about[role]['custos.procedure']}" for role in (FIRST, SECOND)]
    text = f"The file was read twice: {read[0]}, and {read[1]}. "
    if not any(number.values()):
        return f"{text}They say the same of every record."
    where = ", ".join(f"{row[0]} ({row[1]:,})" for row in rows)
    return (
        f"{text}{number['only-first']:,} records are only in the first, {number['only-second']:,} only in the second; "
        f"{number['different']:,} are in both and differ{f', in {where}' if where else ''}."
    )
