"""An archive that lies over its own signature: all is signed and in the ledger, and what it says is not so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evidence.canonical import canonical
from evidence.digest import Digest
from evidence.keys import Ed25519Signer

GOLDEN = Path(__file__).parents[2] / "vectors/golden"
RESULT = "querier_concentration.result"


def test_the_truth_holds(golden, wrong) -> None:
    assert wrong(golden.bundle(golden.query_log())) == set()


def set_value(result) -> None:
    result["findings"][0]["value"] = 11


def set_count(result) -> None:
    result["findings"][0]["sources"]["count"] = 11


def set_percent(result) -> None:
    result["findings"][1]["share"]["percent"] = "60.01"


def set_share(result) -> None:
    result["findings"][1]["share"] |= {"numerator": 7, "percent": "70.00"}


def set_needles(result) -> None:
    result["findings"][0]["each_line_contains"].append("192.0.2.17")


def set_blob(result) -> None:
    result["sources"] = [{"digest": str(Digest.of(b"another file"))}]


def set_inputs(result) -> None:
    result["inputs"][0]["digest"] = str(Digest.of(b"another table"))


def set_parameters(result) -> None:
    result["parameters"] = {"name": "mail2.trump-email.com"}


def set_other_sources(result) -> None:
    result["findings"][0]["sources"]["digest"] = str(Digest.of(b"other sources"))


def set_no_value(result) -> None:
    del result["findings"][0]["value"]


def set_twice(result) -> None:
    result["findings"][1]["name"] = "lookups"


def set_negative(result) -> None:
    result["findings"][0]["value"] = -1


def set_of_nothing(result) -> None:
    result["findings"][1]["share"]["denominator"] = 0


def set_binary_needle(result) -> None:
    result["findings"][0]["each_line_contains"] = ["mäil"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (set_value, "sources-count"),
        (set_count, "sources-count"),
        (set_percent, "result-figures"),
        (set_share, "result-figures"),
        (set_needles, "lines"),
        (set_blob, "sources-count"),
        (set_inputs, "result-inputs"),
        (set_parameters, "result-attestation"),
        (set_other_sources, "result-attestation"),
        (set_no_value, "result-format"),
        (set_twice, "result-format"),
        (set_negative, "result-format"),
        (set_of_nothing, "result-figures"),
        (set_binary_needle, "result-format"),
    ],
)
def test_a_result_that_lies_is_caught(change, code, golden, wrong) -> None:
    assert code in wrong(golden.bundle(golden.query_log(), change))


@pytest.mark.parametrize(
    "shift",
    [
        lambda value: value | {"line": value["line"] + 1},
        lambda value: value | {"start": value["start"] + 1},
        lambda value: value | {"stop": value["stop"] - 1},
        lambda value: value | {"stop": value["stop"] + 10**9},
    ],
)
def test_a_range_that_is_no_line_of_the_file_is_caught(shift, golden, wrong, monkeypatch) -> None:
    honest = golden.ranges

    def ranges(raw: bytes, client: str | None) -> bytes:
        *lines, last = honest(raw, client).splitlines(keepends=True)
        return b"".join(lines) + canonical(shift(json.loads(last))) + b"\n"

    monkeypatch.setattr(golden, "ranges", ranges)
    assert wrong(golden.bundle(golden.query_log())) == {"lines"}


def test_a_number_that_is_not_the_count_of_its_lines_is_wrong_whatever_its_unit(golden, tmp_path, check) -> None:
    def change(result) -> None:
        result["findings"][0] |= {"value": 12, "unit": "sightings"}

    files = golden.bundle(golden.query_log(), change)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    findings = check(tmp_path)
    assert "sources-count" in {finding.code for finding in findings.of("wrong")}
    (lookups,) = (number for number in findings.numbers if number.finding == "lookups")
    assert not lookups.followed


def test_every_key_of_the_event_has_to_have_signed(golden, wrong, monkeypatch) -> None:
    monkeypatch.setattr(golden, "DSSE", golden.DSSE[:1])
    assert wrong(golden.bundle(golden.query_log())) == {"attestation-signature"}


def test_a_key_that_the_event_does_not_vouch_for_counts_for_nothing(golden, wrong, monkeypatch) -> None:
    monkeypatch.setattr(golden, "DSSE", (Ed25519Signer(bytes(32)), golden.DSSE[1]))
    assert wrong(golden.bundle(golden.query_log())) == {"attestation-signature"}


@pytest.mark.parametrize("keys", [None, [], ["a key"], [{"keyid": "0" * 64, "algorithm": "ed25519", "public": ""}]])
def test_an_event_without_usable_keys_vouches_for_nothing(keys, golden, wrong, monkeypatch) -> None:
    monkeypatch.setattr(golden, "KEYS", keys)
    assert wrong(golden.bundle(golden.query_log())) == {"attestation-keys"}


def test_another_builder_than_the_log_is_caught(golden, wrong, monkeypatch) -> None:
    honest = golden.Invocation
    monkeypatch.setattr(golden, "Invocation", lambda **given: honest(**given | {"builder": "elsewhere.example"}))
    assert wrong(golden.bundle(golden.query_log())) == {"attestation-output"}


def test_another_procedure_in_the_event_than_in_the_statement_is_caught(golden, wrong, monkeypatch) -> None:
    honest = golden.event
    monkeypatch.setattr(
        golden,
        "event",
        lambda number, kind, objects, detail: honest(number, kind, objects, detail | {"procedure": "x@1"}),
    )
    assert "attestation-output" in wrong(golden.bundle(golden.query_log()))


def test_an_output_that_the_event_does_not_name_is_caught(golden, wrong, monkeypatch) -> None:
    honest = golden.event

    def event(number, kind, objects, detail):
        kept = {role: data for role, data in objects.items() if role != "report.json"}
        return honest(number, kind, kept, detail)

    monkeypatch.setattr(golden, "event", event)
    assert wrong(golden.bundle(golden.query_log())) == {"attestation-output"}


def test_a_table_that_was_read_from_another_file_is_caught(golden, wrong, monkeypatch) -> None:
    honest = golden.Derivation

    def derivation(procedure, parameters, inputs):
        parse = procedure.startswith("parse.")
        return honest(procedure, parameters, (("source", Digest.of(b"another")),) if parse else inputs)

    monkeypatch.setattr(golden, "Derivation", derivation)
    assert wrong(golden.bundle(golden.query_log())) == {"result-inputs"}


def test_an_event_that_is_no_derivation_vouches_for_no_attestation(golden, tmp_path, check, monkeypatch) -> None:
    honest = golden.event
    monkeypatch.setattr(
        golden, "event", lambda number, kind, objects, detail: honest(number, "transfer", objects, detail)
    )
    for name, content in golden.bundle(golden.query_log()).items():
        (tmp_path / name).write_bytes(content)
    assert "attestation-keys" in {finding.code for finding in check(tmp_path).of("unchecked")}


def test_names_in_a_statement_that_are_no_texts_are_refused(golden, tmp_path, check) -> None:
    statement = json.loads(golden.statement_bytes(*statement_of(golden)))
    statement["predicate"]["buildDefinition"]["externalParameters"]["procedure"] = ["x@1"]
    path = tmp_path / "a.attestation.json"
    path.write_bytes(golden.sign_envelope(canonical(statement), golden.DSSE))
    assert {finding.code for finding in check(path).of("wrong")} == {"attestation-format"}


def statement_of(golden):
    derivation = golden.Derivation("x@1", {}, ())
    invocation = golden.Invocation("id", golden.ORIGIN, {}, Digest.of(b""), "custos/1", golden.MADE, golden.MADE)
    return derivation, invocation, []


def name_other_sources(result) -> None:
    result["findings"][1]["sources"]["name"] = "client-2.sources.ndjson"


def add_source(result) -> None:
    result["sources"].append({"digest": str(Digest.of(b"a file that no input was read from"))})


@pytest.mark.parametrize(
    ("change", "code"), [(name_other_sources, "result-attestation"), (add_source, "result-inputs")]
)
def test_what_a_result_points_to_is_what_it_was_made_from(change, code, golden, wrong) -> None:
    assert code in wrong(golden.bundle(golden.query_log(), change))


@pytest.mark.parametrize("outcome", ["failure", "warning"])
def test_a_derivation_that_did_not_succeed_vouches_for_nothing(outcome, golden, wrong, tmp_path, check, monkeypatch):
    honest = golden.Event
    monkeypatch.setattr(golden, "Event", lambda **given: honest(**given | {"outcome": outcome}))
    assert wrong(golden.bundle(golden.query_log())) == {"attestation-keys"}
    found = check(tmp_path)
    assert "receipt-outcome" in {finding.code for finding in found.of("unchecked")}
    assert "result-attestation" not in {finding.code for finding in found.of("ok")}


def test_another_identity_than_the_statements_is_caught(golden, wrong, monkeypatch) -> None:
    honest = golden.event

    def event(number, kind, objects, detail):
        return honest(number, kind, objects, detail | ({"identity": "0" * 64} if "identity" in detail else {}))

    monkeypatch.setattr(golden, "event", event)
    assert wrong(golden.bundle(golden.query_log())) == {"attestation-output"}


@pytest.mark.parametrize("number", [0, 1])
def test_an_event_has_to_list_a_key_of_each_algorithm(number, golden, wrong, monkeypatch) -> None:
    monkeypatch.setattr(golden, "KEYS", golden.KEYS[number : number + 1])
    assert wrong(golden.bundle(golden.query_log())) == {"attestation-keys"}


def test_an_output_under_another_name_in_the_event_is_caught(golden, wrong, monkeypatch) -> None:
    honest = golden.event

    def event(number, kind, objects, detail):
        renamed = {"other.json" if role == "report.json" else role: data for role, data in objects.items()}
        return honest(number, kind, renamed, detail)

    monkeypatch.setattr(golden, "event", event)
    assert wrong(golden.bundle(golden.query_log())) == {"attestation-output"}


@pytest.mark.parametrize(
    "item", [{"uri": "pkg:pypi/x@1", "name": "table"}, {"uri": "https://x.example", "name": "code"}]
)
def test_an_input_cannot_hide_behind_a_uri(item, golden, tmp_path, check) -> None:
    statement = json.loads(golden.statement_bytes(*statement_of(golden)))
    definition = statement["predicate"]["buildDefinition"]
    definition["resolvedDependencies"] = [item | {"digest": {"sha256": "0" * 64}}]
    path = tmp_path / "a.attestation.json"
    path.write_bytes(golden.sign_envelope(canonical(statement), golden.DSSE))
    assert {finding.code for finding in check(path).of("wrong")} == {"attestation-format"}


def test_a_derived_file_that_is_missing_is_named(golden, tmp_path, check, monkeypatch) -> None:
    honest = golden.attestation
    more = {"figures.csv": b"a,b\n"}
    monkeypatch.setattr(golden, "attestation", lambda derivation, outputs: honest(derivation, outputs | more))
    creation = golden.creation
    monkeypatch.setattr(golden, "creation", lambda *given: creation(*given[:-1], given[-1] | more))
    for name, content in golden.bundle(golden.query_log()).items():
        (tmp_path / name).write_bytes(content)
    assert any("figures.csv" in finding.message for finding in check(tmp_path).of("unchecked"))
