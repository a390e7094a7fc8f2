"""Two readings of one file beside each other: every record that differs, and no other."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from evidence.crosscheck.reading_comparison import ID, run
from evidence.digest import Digest
from evidence.errors import AnalysisError
from evidence.procedures import PROCEDURES, Plan, Table, follow_ups
from evidence.table.parquet import TableWriter
from evidence.table.schema import LOOKUPS

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = Digest.of(b"source")
NOON = dt.datetime(2016, 8, 15, 12, tzinfo=dt.UTC)


def row(line: int, **more: Any) -> dict[str, Any]:
    place = {"line": line, "start": line * 10, "stop": line * 10 + 10}
    return {**place, "time": NOON, "event": "query", "client": "192.0.2.1", "name": f"n{line}.example", **more}


def table(folder: Path, name: str, rows: list[dict[str, Any]], procedure: str, source: Digest = SOURCE) -> Path:
    about = {"custos.source": str(source), "custos.schema": "lookups@2", "custos.procedure": procedure}
    path = folder / f"{name}.parquet"
    with TableWriter(path, LOOKUPS, about) as writer:
        writer.write(pa.Table.from_pylist(rows, schema=LOOKUPS))
    return path


def compared(folder: Path, first: list[dict], second: list[dict]) -> tuple[dict[str, list[int]], dict[str, Any]]:
    """Lines of each finding, and the result."""
    paths = {
        "first": table(folder, "first", first, "parse.a@1"),
        "second": table(folder, "second", second, "parse.a@2"),
    }
    digests = {role: Digest.of(path.read_bytes()) for role, path in paths.items()}
    outputs = {output.name: output.path.read_bytes() for output in run(paths, digests, {}, folder)}
    result = json.loads(outputs["result.json"])
    lines = {}
    for item in result["findings"]:
        ranges = [json.loads(line) for line in outputs[item["sources"]["name"]].splitlines()]
        assert [place["start"] for place in ranges] == sorted(place["line"] * 10 for place in ranges)
        assert {place["blob"] for place in ranges} <= {str(SOURCE)}
        assert item["value"] == len(ranges)
        lines[item["name"]] = [place["line"] for place in ranges]
    return lines, result


def test_each_record_is_told_by_what_became_of_it(tmp_path: Path) -> None:
    first = [row(1), row(2), row(4), row(5, rcode="NOERROR"), row(6)]
    later = NOON - dt.timedelta(hours=2)
    second = [row(1), row(3), row(4, time=later), row(5, time=None, rcode="SERVFAIL"), row(6)]
    lines, result = compared(tmp_path, first, second)
    assert lines == {"only-first": [2], "only-second": [3], "different": [4, 5]}
    assert result["table"]["rows"] == [
        ["time", 2, 4, "2016-08-15T12:00:00.000Z", "2016-08-15T10:00:00.000Z"],
        ["rcode", 1, 5, "NOERROR", "SERVFAIL"],
    ]
    assert "5 rows by parse.a@1, and 5 rows by parse.a@2" in result["answer"]
    assert (
        "1 records are only in the first, 1 only in the second; 2 are in both and differ, in time (2), rcode (1)"
        in (result["answer"])
    )


def test_rows_of_one_record_are_paired_by_what_they_say_and_counted_as_one_record(tmp_path: Path) -> None:
    first = [row(1, name="a"), row(1, name="b"), row(2, name="a"), row(2, name="b")]
    second = [row(1, name="b"), row(1, name="a"), row(2, name="a")]
    lines, result = compared(tmp_path, first, second)
    assert lines == {"only-first": [], "only-second": [], "different": [2]}
    assert result["table"]["rows"] == []


def test_answers_and_lists_are_compared_too(tmp_path: Path) -> None:
    answer = {"name": "a", "type": "A", "ttl": 60, "data": "192.0.2.9"}
    first = [row(1, answers=[answer]), row(2, answers=[answer]), row(3, earlier=[{"start": 1, "stop": 2}])]
    second = [row(1, answers=[answer]), row(2, answers=[{**answer, "ttl": 61}]), row(3)]
    lines, result = compared(tmp_path, first, second)
    assert lines["different"] == [2, 3]
    assert [item[:2] for item in result["table"]["rows"]] == [["answers", 1], ["earlier", 1]]


def test_equal_readings_are_said_to_be_equal_and_doing_it_again_gives_the_same_bytes(tmp_path: Path) -> None:
    rows = [row(n) for n in range(1, 40)]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    lines, result = compared(tmp_path / "a", rows, rows)
    assert lines == {"only-first": [], "only-second": [], "different": []}
    assert "They say the same of every record." in result["answer"]
    compared(tmp_path / "b", rows, rows)
    assert (tmp_path / "a/result.json").read_bytes() == (tmp_path / "b/result.json").read_bytes()


def test_little_memory_is_enough(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("evidence.analyses.engine._MEMORY", "128MB")
    texts = [f"{n:0300}" for n in range(150_000)]
    first = [row(n, name=text, rcode="NOERROR") for n, text in enumerate(texts, 1)]
    lines, _ = compared(tmp_path, first, [{**each, "rcode": "SERVFAIL"} for each in first])
    assert lines["different"] == list(range(1, 150_001))


def test_tables_of_other_files_and_parameters_are_refused(tmp_path: Path) -> None:
    ours = table(tmp_path, "first", [row(1)], "parse.a@1")
    theirs = table(tmp_path, "second", [row(1)], "parse.a@1", Digest.of(b"other"))
    digests = {"first": Digest.of(b"1"), "second": Digest.of(b"2")}
    with pytest.raises(AnalysisError, match="two readings of one file"):
        run({"first": ours, "second": theirs}, digests, {}, tmp_path)
    with pytest.raises(AnalysisError, match="none are wanted"):
        run({"first": ours, "second": ours}, digests, {"name": "a"}, tmp_path)


def test_each_reading_is_compared_with_the_one_before_it() -> None:
    one, two, three, other = (Digest.of(name) for name in (b"1", b"2", b"3", b"4"))
    tables = [
        Table(one, "lookups", SOURCE), Table(other, "lookups", other), Table(two, "lookups", SOURCE),
        Table(other, "sightings", SOURCE), Table(two, "lookups", SOURCE), Table(three, "lookups", SOURCE),
    ]  # fmt: skip
    assert follow_ups(tables, []) == [
        Plan(ID, {}, (("first", one), ("second", two))), Plan(ID, {}, (("first", two), ("second", three)))
    ]  # fmt: skip
    assert PROCEDURES[ID].roles == ("first", "second")
