"""Every procedure on real files: numbers, byte ranges, the same bytes when done again."""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from pathlib import Path

import pytest

from evidence import reconstruction
from evidence.crosscheck.sighting_match import matches
from evidence.digest import Digest
from evidence.errors import AnalysisError, ReadingError
from evidence.procedures import PROCEDURES, Plan, Table, follow_ups

VECTORS = Path(__file__).parents[1] / "vectors"


def run(procedure: str, inputs: dict[str, Path], parameters: dict, folder: Path) -> dict[str, Path]:
    folder.mkdir(parents=True)
    digests = {role: Digest.of(path.read_bytes()) for role, path in inputs.items()}
    return {output.name: output.path for output in PROCEDURES[procedure].run(inputs, digests, parameters, folder)}


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reconstruction")
    (folder / "log").write_bytes(b"".join(reconstruction.query_log()))
    (folder / "sightings").write_bytes(reconstruction.sightings_csv())
    columns = {name: name for name in ("time", "name", "type", "place", "count", "observer")}
    return {
        "source": folder / "log",
        "lookups": run("parse.bind@2", {"source": folder / "log"}, {}, folder / "1")["table.parquet"],
        "sightings": run(
            "parse.delimited@2",
            {"source": folder / "sightings"},
            {"kind": "sightings", "columns": columns},
            folder / "2",
        )["table.parquet"],
    }


def test_the_reconstruction_has_the_published_counts_and_says_that_it_is_synthetic(tables) -> None:
    data = tables["source"].read_bytes()
    assert data.startswith(b"# SYNTHETIC RECONSTRUCTION")
    assert reconstruction.sightings_csv().startswith(b"# SYNTHETIC RECONSTRUCTION")
    lines = [line for line in data.splitlines() if reconstruction.NAME.encode() in line]
    assert len(lines) == 2820 + 714 + 36
    assert sum(b"client 192.0.2.17#" in line for line in lines) == 2820
    assert data.count(b"\n") == 200_000 + 3570 + 1
    assert hashlib.sha256(b"".join(reconstruction.query_log())).hexdigest() == hashlib.sha256(data).hexdigest()


def test_concentration_has_exact_shares_and_its_ranges_are_the_lines(tables, tmp_path: Path) -> None:
    outputs = run(
        "querier_concentration@1", {"table": tables["lookups"]}, {"name": reconstruction.NAME}, tmp_path / "a"
    )
    result = json.loads(outputs["result.json"].read_bytes())
    found = {item["name"]: item for item in result["findings"]}
    case = json.loads((VECTORS / "analyses/concentration.json").read_text())["cases"][0]["expected"]
    assert found["lookups"]["value"] == case["lookups"] == 3570
    for rank in (1, 2):
        share = found[f"client-{rank}"]["cumulative"]
        assert Fraction(share["numerator"], share["denominator"]) == Fraction(case["cumulative_share"][rank - 1])
    assert found["client-1"]["share"]["percent"] == "78.99"
    data = tables["source"].read_bytes()
    for name, item in found.items():
        text = outputs[item["sources"]["name"]].read_bytes()
        assert f"sha256:{hashlib.sha256(text).hexdigest()}" == item["sources"]["digest"]
        ranges = [json.loads(line) for line in text.splitlines()]
        assert len(ranges) == item["value"] == item["sources"]["count"], name
        for place in ranges:
            line = data[place["start"] : place["stop"]].lower()
            assert line.count(b"\n") == 1
            assert all(word.encode() in line for word in item["each_line_contains"])
    assert sum(item["value"] for name, item in found.items() if name != "lookups") == 3570


def test_both_sightings_of_the_reconstruction_are_matched(tables, tmp_path: Path) -> None:
    inputs = {"lookups": tables["lookups"], "sightings": tables["sightings"]}
    parameters = {"name": reconstruction.NAME, "tolerance_seconds": 60}
    outputs = run("sighting_match@1", inputs, parameters, tmp_path / "a")
    result = json.loads(outputs["result.json"].read_bytes())
    values = {item["name"]: item["value"] for item in result["findings"]}
    assert values == {"sightings": 2, "matched": 2, "unmatched": 0, "matched-lookups": 2, "unsighted-lookups": 3568}
    assert any("says nothing by itself" in limit for limit in result["limits"])
    narrow = run("sighting_match@1", inputs, {**parameters, "tolerance_seconds": 3}, tmp_path / "b")
    assert {item["name"]: item["value"] for item in json.loads(narrow["result.json"].read_bytes())["findings"]}[
        "unmatched"
    ] == 1


def test_doing_it_again_gives_the_same_bytes(tables, tmp_path: Path) -> None:
    for n, (procedure, inputs, parameters) in enumerate([
        ("parse.bind@2", {"source": tables["source"]}, {}),
        ("querier_concentration@1", {"table": tables["lookups"]}, {"name": reconstruction.NAME}),
    ]):  # fmt: skip
        once, twice = (run(procedure, inputs, parameters, tmp_path / f"{n}{k}") for k in "ab")
        assert {name: path.read_bytes() for name, path in once.items()} == {n: p.read_bytes() for n, p in twice.items()}


def test_a_source_that_is_not_the_one_named_is_refused(tables, tmp_path: Path) -> None:
    with pytest.raises(ReadingError, match="the store is damaged"):
        PROCEDURES["parse.bind@2"].run({"source": tables["source"]}, {"source": Digest.of(b"other")}, {}, tmp_path)


@pytest.mark.parametrize("parameters", [{}, {"name": 5}, {"name": "UPPER"}, {"name": "a", "colour": "red"}])
def test_parameters_that_cannot_be_used_are_refused_in_words(tables, tmp_path: Path, parameters: dict) -> None:
    with pytest.raises(AnalysisError, match="wanted are"):
        run("querier_concentration@1", {"table": tables["lookups"]}, parameters, tmp_path / "a")


def test_a_name_that_nobody_looked_up_has_the_number_nought(tables, tmp_path: Path) -> None:
    outputs = run("querier_concentration@1", {"table": tables["lookups"]}, {"name": "absent.example"}, tmp_path / "a")
    result = json.loads(outputs["result.json"].read_bytes())
    assert [item["value"] for item in result["findings"]] == [0]
    assert "No lookup" in result["answer"]


def test_a_sighting_takes_the_nearest_free_lookups() -> None:
    import numpy as np

    lookups, sightings = np.array([100, 105, 110, 500]), np.array([101, 104, 700])
    matched, used = matches(lookups, sightings, np.array([1, 2, 1]), 10)
    assert matched.tolist() == [True, True, False]
    assert used.tolist() == [True, True, True, False]


def test_what_can_be_asked_follows_from_tables_and_names() -> None:
    ours, theirs = Digest.of(b"1"), Digest.of(b"2")
    plans = follow_ups([Table(ours, "lookups"), Table(theirs, "sightings")], ["a", "b"])
    assert [plan.procedure for plan in plans] == ["querier_concentration@1"] * 2 + ["sighting_match@1"] * 2
    assert plans[0] == Plan("querier_concentration@1", {"name": "a"}, (("table", ours),))
    assert follow_ups([Table(theirs, "sightings")], ["a"]) == follow_ups([Table(ours, "lookups")], []) == []
