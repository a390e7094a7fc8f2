"""Every figure of a real result is made anew from its lines; one changed word or number in it is wrong."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence.canonical import canonical
from evidence.digest import Digest
from evidence.procedures import PROCEDURES
from evidence.verify.audit import audit
from evidence.verify.trust import load_trust

POLICY = Path(__file__).parents[2] / "vectors/golden/policy.txt"
NAME = "mail.example"
COLUMNS = {
    "lookups": {"time": "time", "client": "client", "name": "name"},
    "sightings": {"time": "time", "name": "name", "place": "place", "count": "count", "observer": "observer"},
}


def bind_log(clients: list[int]) -> bytes:
    return b"".join(
        f"0{1 + number % 9}-Jun-2016 10:{number % 60:02}:00.{number % 1000:03} queries: info: client @0x7f "
        f"192.0.2.{client}#5{number:04} ({NAME}): query: {NAME if client % 7 else 'other.example'}. IN A +\n".encode()
        for number, client in enumerate(clients)
    )


def csv_log(clients: list[int]) -> bytes:
    rows = "".join(
        f'"2016-06-01T10:{number % 60:02}:00+02:00",192.0.2.{client},"{NAME.upper()}","two\nlines"\n'
        for number, client in enumerate(clients)
    )
    return f"# synthetic\n\ufefftime,client,name,note\n{rows}".encode()


def third_party(minutes: list[int]) -> bytes:
    rows = "".join(
        f"2016-06-01T10:{minute:02}:30Z,{NAME},Oslo,{1 + minute % 3},sensor {minute}\n" for minute in minutes
    )
    return f"time,name,place,count,observer\n{rows}".encode()


class Bench:
    """Runs the real procedures in a folder, and hands out what they made under the golden keys."""

    def __init__(self, golden: Any, folder: Path) -> None:
        self.golden, self.folder, self.number = golden, folder, 0
        self.files: dict[str, bytes] = {}
        self.events: dict[str, bytes] = {}

    def parse(self, raw: bytes, procedure: str, parameters: dict[str, Any]) -> Path:
        source = self._place(raw)
        name = f"source-{self.number}"
        self.events[name] = self.golden.event(self.number % 10, "ingestion", {"source": raw}, {})
        self.files[f"{name}.raw"] = raw
        return self._run(procedure, parameters, {"source": source})[0] / "table.parquet"

    def ask(self, procedure: str, parameters: dict[str, Any], tables: dict[str, Path], change: Any = None) -> None:
        self._run(procedure, parameters, tables, change)

    def _place(self, raw: bytes) -> Path:
        self.number += 1
        path = self.folder / f"{self.number}.raw"
        path.write_bytes(raw)
        return path

    def _run(self, procedure: str, parameters: dict[str, Any], inputs: dict[str, Path], change: Any = None) -> Any:
        self.number += 1
        made = self.folder / f"run-{self.number}"
        made.mkdir()
        digests = {role: Digest.of(path.read_bytes()) for role, path in inputs.items()}
        outputs = {
            item.name: item.path.read_bytes() for item in PROCEDURES[procedure].run(inputs, digests, parameters, made)
        }
        if change is not None:
            result = json.loads(outputs["result.json"])
            change(result)
            outputs["result.json"] = canonical(result)
        derivation = self.golden.Derivation(procedure, parameters, tuple(digests.items()))
        envelope = self.golden.attestation(derivation, outputs)
        self.events[f"run-{self.number}"] = self.golden.creation(self.number % 10, derivation, envelope, outputs)
        self.files[f"run-{self.number}.attestation.json"] = envelope
        self.files |= {f"{self.number}-{name}": data for name, data in outputs.items() if name.endswith("json")}
        return made, outputs

    def check(self, folder: Path) -> Any:
        folder.mkdir(exist_ok=True)
        for name, content in (self.files | self.golden.receipts(self.events)).items():
            (folder / name).write_bytes(content)
        return audit([folder], load_trust(POLICY, None))


def concentration(bench: Bench, raw: bytes, of: str, change: Any = None) -> None:
    parameters = {} if of == "parse.bind@2" else {"kind": "lookups", "columns": COLUMNS["lookups"]}
    table = bench.parse(raw, of, parameters)
    bench.ask("querier_concentration@1", {"name": NAME}, {"table": table}, change)


def matching(bench: Bench, clients: list[int], minutes: list[int], change: Any = None) -> None:
    ours = bench.parse(csv_log(clients).replace(b"+02:00", b"Z"), "parse.delimited@2",
                       {"kind": "lookups", "columns": COLUMNS["lookups"]})  # fmt: skip
    theirs = bench.parse(third_party(minutes), "parse.delimited@2",
                         {"kind": "sightings", "columns": COLUMNS["sightings"]})  # fmt: skip
    bench.ask(
        "sighting_match@1", {"name": NAME, "tolerance_seconds": 90}, {"lookups": ours, "sightings": theirs}, change
    )


def judged(found: Any) -> tuple[set[str], set[str]]:
    return {item.code for item in found.of("wrong")}, {item.code for item in found.of("unchecked")}


UNHURRIED = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@UNHURRIED
@given(st.lists(st.integers(1, 40), max_size=80))
def test_whatever_clients_a_log_has_its_result_is_made_anew(golden, tmp_path_factory, clients) -> None:
    folder = tmp_path_factory.mktemp("bench")
    bench = Bench(golden, folder)
    concentration(bench, bind_log(clients), "parse.bind@2")
    found = bench.check(folder / "given")
    assert judged(found) == (set(), {"timestamp-absent"})
    assert "result-figures" in {item.code for item in found.of("ok")}


@pytest.mark.parametrize(("raw", "of"), [(bind_log, "parse.bind@2"), (csv_log, "parse.delimited@2")])
def test_a_log_that_begins_with_a_byte_order_mark_is_read_as_well(golden, tmp_path, raw, of) -> None:
    bench = Bench(golden, tmp_path)
    concentration(bench, b"\xef\xbb\xbf" + raw([1, 1, 2]), of)
    found = bench.check(tmp_path / "given")
    assert judged(found) == (set(), {"timestamp-absent"})
    assert max(number.value for number in found.numbers) == 3


@UNHURRIED
@given(st.lists(st.integers(1, 15), min_size=1, max_size=40))
def test_records_with_quotes_over_lines_are_read_as_well(golden, tmp_path_factory, clients) -> None:
    folder = tmp_path_factory.mktemp("bench")
    bench = Bench(golden, folder)
    concentration(bench, csv_log(clients), "parse.delimited@2")
    assert judged(bench.check(folder / "given")) == (set(), {"timestamp-absent"})


@UNHURRIED
@given(st.lists(st.integers(1, 9), max_size=60), st.lists(st.integers(0, 59), max_size=30))
def test_whatever_sightings_there_are_the_match_is_made_anew(golden, tmp_path_factory, clients, minutes) -> None:
    folder = tmp_path_factory.mktemp("bench")
    bench = Bench(golden, folder)
    matching(bench, clients, minutes)
    found = bench.check(folder / "given")
    assert judged(found) == (set(), {"timestamp-absent"})
    assert "result-figures" in {item.code for item in found.of("ok")}


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The place of every text and number in a result that its lines decide."""
    if isinstance(value, dict):
        return [place for name, item in value.items() for place in leaves(item, (*path, name))]
    if isinstance(value, list):
        return [place for number, item in enumerate(value) for place in leaves(item, (*path, number))]
    return [path]


def altered(result: dict[str, Any], place: tuple[Any, ...]) -> None:
    *way, last = place
    at: Any = result
    for step in way:
        at = at[step]
    at[last] = at[last] + 1 if isinstance(at[last], int) else at[last] + "0"


def test_no_figure_of_a_result_can_be_changed_unnoticed(golden, tmp_path) -> None:
    bench = Bench(golden, tmp_path / "honest")
    (tmp_path / "honest").mkdir()
    seen: list[dict[str, Any]] = []
    concentration(bench, bind_log([1, 1, 2, 2, 2, 3, *range(1, 25)]), "parse.bind@2", lambda result: seen.append(
        copy.deepcopy(result)))  # fmt: skip
    decided = {name: seen[0][name] for name in ("title", "answer", "findings", "table")}
    places = [place for place in leaves(decided) if place[-2:] != ("sources", "name")]
    assert len(places) > 150
    unnoticed = []
    made = bench.files
    name = next(name for name in made if name.endswith("result.json"))
    bench.check(tmp_path / "given")
    for place in places:
        result = copy.deepcopy(seen[0])
        altered(result, place)
        # Only the figures are looked at: that the file was changed is told by its digest in any case.
        (tmp_path / "given" / name).write_bytes(canonical(result))
        found = audit([tmp_path / "given"], load_trust(POLICY, None))
        codes = {item.code for item in found.of("wrong")}
        if not codes & {"result-figures", "sources-count", "lines", "result-format", "result-attestation"}:
            unnoticed.append((place, codes, judged(found)[1]))
    allowed = [place for place, _codes, open_codes in unnoticed if open_codes & {"sources-absent", "result-figures"}]
    assert [place for place, *_ in unnoticed if place not in allowed] == []


def others_lines(result: dict[str, Any]) -> None:
    """Swap what two findings point to: each still counts right, and neither is of its client."""
    one, two = result["findings"][1], result["findings"][2]
    one["sources"], two["sources"] = two["sources"], one["sources"]
    one["value"], two["value"] = two["value"], one["value"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda result: result.update(answer="Nobody did."), "result-figures"),
        (lambda result: result.update(title="Who wrote to mail.example"), "result-figures"),
        (lambda result: result["findings"][1].update(client="192.0.2.99"), "lines"),
        (lambda result: result["findings"][1]["cumulative"].update(percent="99.00"), "result-figures"),
        (lambda result: result["findings"][1].update(first="2016-01-01T00:00:00.000Z"), "result-figures"),
        (lambda result: result["findings"][1].update(sender="192.0.2.2"), "result-figures"),
        (lambda result: result["findings"].pop(), "result-figures"),
        (lambda result: result["table"]["rows"][0].reverse(), "result-figures"),
        (lambda result: result.update(headline="70 %"), "result-format"),
        (others_lines, "lines"),
    ],
)
def test_a_signed_lie_beside_true_counts_is_wrong(change, code, golden, tmp_path) -> None:
    bench = Bench(golden, tmp_path)
    concentration(bench, bind_log([1, 1, 2, 2, 2, 3, *range(1, 25)]), "parse.bind@2", change)
    assert code in judged(bench.check(tmp_path / "given"))[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda result: result.update(answer=result["answer"].replace("have none", "were hidden")),
        lambda result: result["table"]["rows"][0].__setitem__(4, "no lookup"),
        lambda result: result["parameters"].update(tolerance_seconds=91),
        lambda result: result["findings"].reverse(),
    ],
)
def test_a_signed_lie_about_sightings_is_wrong(change, golden, tmp_path) -> None:
    bench = Bench(golden, tmp_path)
    matching(bench, [1, 2, 3, 4, 5, 6], [1, 2, 3, 40], change)
    assert judged(bench.check(tmp_path / "given"))[0] & {"result-figures", "result-attestation"}


def test_a_procedure_that_is_not_known_is_not_said_to_be_checked(golden, tmp_path, check) -> None:
    honest = golden.Derivation

    def derivation(procedure, parameters, inputs):
        return honest("headline@1" if procedure.startswith("querier") else procedure, parameters, inputs)

    golden.Derivation = derivation
    for name, content in golden.bundle(golden.query_log()).items():
        (tmp_path / name).write_bytes(content)
    found = check(tmp_path)
    assert (set(), {"result-figures", "timestamp-absent"}) == judged(found)
    assert found.exit_status == 3


def test_lines_of_a_format_that_is_not_known_are_not_said_to_be_read(golden, tmp_path, check) -> None:
    honest = golden.Derivation

    def derivation(procedure, parameters, inputs):
        return honest("parse.new@1" if procedure.startswith("parse") else procedure, parameters, inputs)

    golden.Derivation = derivation
    for name, content in golden.bundle(golden.query_log()).items():
        (tmp_path / name).write_bytes(content)
    assert judged(check(tmp_path)) == (set(), {"lines-unread", "result-figures", "timestamp-absent"})
